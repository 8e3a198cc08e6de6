// SPDX-License-Identifier: MIT
/* Removals that no permission allows: of "/", of a path that ends in a dot, and of a mount point. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/common/mount-root.h"
#include "mount-rows.h"

/* ---- the last name ---- */

static bool ends_in(const char *path, size_t n, const char *name)
{
	size_t length = strlen(name);

	return n >= length && memcmp(path + n - length, name, length) == 0 &&
	       (n == length || path[n - length - 1] == '/');
}

/* The kernel looks at the last name before it looks at any permission. */
bool refuse_last_name(const char *path, struct verdict *v)
{
	size_t n = strlen(path);

	while (n && path[n - 1] == '/')
		n--;
	if (ends_in(path, n, "."))
		refuse_for_reason(v, EINVAL, "the path ends in .");
	else if (ends_in(path, n, ".."))
		refuse_for_reason(v, ENOTEMPTY, "the path ends in ..");
	else if (!n || strcmp(v->path, "/") == 0)
		refuse_for_reason(v, EBUSY, "it is the root directory");
	else
		return false;
	return true;
}

/* ---- mount points ---- */

void refuse_removal_elsewhere(struct verdict *v)
{
	if (v->facts.access == IDM_ACCESS_UNLINK && v->place->is_last && !v->result.errnum &&
	    is_covered_elsewhere(v))
		refuse_for_reason(v, EBUSY, "it is a mount point on another mount of its filesystem");
}

bool is_covered_by_mount(const struct idm_explain_info *place)
{
	return is_mount_root(place->fd, "");
}

struct covered {
	const struct verdict *mount_point;
	int (*report)(const struct verdict *v, void *data);
	void *data;
	struct idm_error *err;
};

/* The ID on disk of the process in this mount. Without one, the ID of the directory is as good. */
static uint32_t find_own_id(const struct idm_explain_options *facts, unsigned int kind, uint32_t own,
			    uint32_t other)
{
	uint32_t id;

	if (!facts->mount_map)
		return own;
	return idm_map_to_disk(facts->mount_map, kind, own, &id) == 0 ? id : other;
}

/* The covered file is not visible. The directory decides, as about a file of the process. */
static int judge_covered(const struct idm_explain_info *directory, void *data)
{
	const struct covered *covered = data;
	const struct idm_explain_options *facts = directory->facts;
	struct idm_explain_inode file = IDM_EXPLAIN_INODE_INIT;
	struct verdict v = *covered->mount_point;
	uint32_t unseen;
	int r;

	if (!directory->is_last)
		return 0;
	idm_explain_copy(facts, &v.facts);
	r = add_subject(v.subject, directory, &v.facts, &unseen, covered->err);
	if (r < 0)
		return r;
	file.mode = S_IFDIR;
	file.uid = find_own_id(&v.facts, IDM_UID, v.facts.fsuid, facts->inode->uid);
	file.gid = find_own_id(&v.facts, IDM_GID, v.facts.fsgid, facts->inode->gid);
	v.place = directory;
	v.facts.access = IDM_ACCESS_UNLINK;
	v.facts.inode = &file;
	v.facts.directory = facts->inode;
	r = fill_in_verdict(&v, covered->err);
	if (r < 0)
		return r;
	if (!v.result.rule)
		refuse_for_reason(&v, EBUSY, "it is a mount point");
	return covered->report(&v, covered->data);
}

int judge_mount_point(const struct verdict *v, int (*report)(const struct verdict *v, void *data),
		      void *data, struct idm_error *err)
{
	struct covered covered = { v, report, data, err };
	int n = (int)parent_length(v->path);
	char parent[PATH_MAX + 1]; /* with one byte too many, the library fails with ENAMETOOLONG */

	snprintf(parent, sizeof(parent), "%.*s", n ? n : 1, n ? v->path : ".");
	return idm_explain_path(v->subject->pid, parent, 0, judge_covered, &covered, err);
}

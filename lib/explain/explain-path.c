// SPDX-License-Identifier: MIT
/* idm_explain_path(): collects the facts of each place on the way to a path, and passes them on. */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "facts.h"
#include "lib/base/cancel.h"
#include "lib/base/copy-struct.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/syscall.h"

static const enum idm_error_step step_explain = IDM_STEP_EXPLAIN;

struct explained_path {
	struct idm_process_facts process;
	struct idm_inode_facts inode, directory; /* too large for a stack */
	struct idm_fs_facts fs;
	uint64_t fs_mount_id; /* of the mount that they are about; 0: none */
	const struct idm_way_place *place;
	int (*each)(const struct idm_explain_info *place, void *data);
	void *data;
	struct idm_error *err;
};

/* A file can be removed from its directory only if both are on one mount. */
static bool has_directory(const struct explained_path *e)
{
	uint64_t inner, outer;

	return (e->place->is_last || e->place->is_link) && e->place->parent_fd >= 0 &&
	       idm_short_mount_id(e->place->fd, &inner) == 0 &&
	       idm_short_mount_id(e->place->parent_fd, &outer) == 0 && inner == outer;
}

static void fill_in_process(const struct idm_process_facts *process, struct idm_explain_options *facts)
{
	facts->userns_map = process->userns_map;
	facts->capabilities = process->capabilities;
	facts->groups = process->groups;
	facts->n_groups = process->n_groups;
	facts->fsuid = process->fsuid;
	facts->fsgid = process->fsgid;
}

static void add_file_capabilities(const struct explained_path *e, struct idm_explain_info *place)
{
	if (e->place->is_last && S_ISREG(e->inode.inode.mode) &&
	    idm_collect_file_capabilities(e->place->fd, place) < 0)
		place->unseen |= IDM_UNSEEN_FILE_CAPABILITIES;
}

static void fill_in_protection(const struct explained_path *e, struct idm_explain_options *facts)
{
	const struct idm_process_facts *process = &e->process;

	facts->protected_symlinks = e->place->is_link && !e->place->is_at_the_end
					    ? 0
					    : process->protected_symlinks;
	facts->protected_regular = process->protected_regular;
	facts->protected_fifos = process->protected_fifos;
}

static enum idm_access first_access(const struct idm_way_place *place)
{
	if (place->is_link)
		return IDM_ACCESS_FOLLOW;
	return place->is_last ? IDM_ACCESS_READ : IDM_ACCESS_EXECUTE;
}

/* Neither the ACL nor the flags of a link decide about following it. */
static uint32_t unseen_of_inode(const struct explained_path *e, bool directory)
{
	uint32_t unseen = e->inode.unseen;

	if (e->place->is_link)
		unseen &= IDM_UNSEEN_OWNER;
	if (!directory)
		return unseen;
	if (e->process.protection_unseen && idm_is_protected_directory(&e->directory.inode))
		unseen |= IDM_UNSEEN_PROTECTION;
	return unseen | (e->directory.unseen & IDM_UNSEEN_OWNER);
}

static int pass_place(struct explained_path *e, const struct idm_mount_facts *mount, bool directory)
{
	struct idm_explain_options facts = IDM_EXPLAIN_OPTIONS_INIT;
	struct idm_explain_info place = {
		.size = sizeof(place),
		.path = e->place->path,
		.facts = &facts,
		.mount = mount->info,
		.bounding_set = e->process.bounding_set,
		.fd = e->place->fd,
		.fs_userns_fd = e->fs.userns_fd,
		.unseen = e->process.unseen | mount->unseen | e->fs.unseen |
			  unseen_of_inode(e, directory),
		.is_last = e->place->is_last,
	};

	facts.access = first_access(e->place);
	facts.attr = mount->attr;
	facts.inode = &e->inode.inode;
	facts.directory = directory ? &e->directory.inode : NULL;
	facts.mount_map = mount->map;
	facts.fs_readonly = mount->fs_readonly;
	facts.fs_map = e->fs.map;
	facts.fs_capabilities = e->fs.capabilities;
	/* A filesystem of another user namespace than the initial one has no devices. */
	if (e->fs.map)
		facts.attr |= IDM_ATTR_NODEV;
	fill_in_process(&e->process, &facts);
	fill_in_protection(e, &facts);
	add_file_capabilities(e, &place);
	return e->each(&place, e->data);
}

static int collect_inodes(struct explained_path *e, const struct idm_mount_facts *mount, bool directory)
{
	int r = mount->mapped && !mount->map
			? -ENOMEM
			: idm_collect_inode(&e->process, mount, e->place->fd, &e->inode);

	return r == 0 && directory
		       ? idm_collect_inode(&e->process, mount, e->place->parent_fd, &e->directory)
		       : r;
}

static void forget_fs(struct explained_path *e)
{
	idm_release_fs_userns(&e->fs);
	e->fs = (struct idm_fs_facts){ .userns_fd = -1 };
	e->fs_mount_id = 0;
}

/* Those about the mount of the directory before are kept. */
static int collect_fs_of_mount(struct explained_path *e, bool is_overlay, bool directory)
{
	const struct idm_way_place *place = e->place;
	int overlay = is_overlay ? directory ? place->parent_fd : place->fd : -1;
	uint64_t id = 0;
	int r;

	if (idm_short_mount_id(place->fd, &id) == 0 && id && id == e->fs_mount_id)
		return 0;
	forget_fs(e);
	r = idm_collect_fs_userns(&e->process, place->fd, overlay, &e->fs);
	e->fs_mount_id = r == 0 ? id : 0;
	return r;
}

/*
 * A search of a directory does not depend on it, unless the mount has a map, or is an overlay. The
 * capabilities there count for an owner that the map leaves out. They are not visible without the
 * process's own namespace.
 */
static int collect_fs(struct explained_path *e, const struct idm_mount_facts *mount, bool directory)
{
	bool is_overlay = mount->unseen & IDM_UNSEEN_LAYERS;
	int r;

	if (!e->place->is_last && !mount->mapped && !is_overlay) {
		forget_fs(e);
		return 0;
	}
	r = collect_fs_of_mount(e, is_overlay, directory);
	if (mount->mapped && e->process.userns_fd < 0 && !e->process.is_initial)
		e->fs.unseen |= IDM_UNSEEN_FS_USERNS;
	return r;
}

static int collect_place(const struct idm_mount_facts *visible, void *data)
{
	struct explained_path *e = data;
	struct idm_mount_facts mount = *visible;
	bool directory = has_directory(e);
	int r;

	/* Such a link is a mount point. It has no directory to be judged by. */
	if (e->place->is_link && !directory)
		return 0;
	r = collect_fs(e, &mount, directory);
	mount.fs_map = e->fs.map;
	if (r == 0)
		r = collect_inodes(e, &mount, directory);
	if (r < 0)
		r = idm_fail_to_look(e->err, r, e->place->path, e->place->fd);
	else
		r = pass_place(e, &mount, directory);
	return r;
}

static int visit_place(const struct idm_way_place *place, void *data)
{
	struct explained_path *e = data;

	e->place = place;
	return idm_collect_mount(&e->process, place->fd, collect_place, e);
}

static int explain_path(struct explained_path *e, pid_t pid, const char *path, bool nofollow)
{
	const struct idm_way way = { .process = &e->process,
				     .nofollow = nofollow,
				     .each = visit_place,
				     .data = e,
				     .err = e->err };
	int r = idm_collect_process(pid, &e->process, e->err);

	if (r == 0)
		r = idm_walk_way(&way, path);
	idm_release_fs_userns(&e->fs);
	idm_release_process(&e->process);
	return r;
}

int idm_explain_path(pid_t pid, const char *path, unsigned int flags,
		     int (*each)(const struct idm_explain_info *place, void *data), void *data,
		     struct idm_error *err)
{
	HOLD_CANCEL;
	AUTO_FREE struct explained_path *e = NULL;
	int r = idm_check_flags(flags, IDM_EXPLAIN_NOFOLLOW, step_explain, path, err);

	if (r < 0)
		return r;
	if (!*path)
		return idm_fail_empty(err, step_explain);
	e = calloc(1, sizeof(*e));
	if (!e)
		return idm_fail_errno(err, -ENOMEM, step_explain, NULL);
	e->each = each;
	e->data = data;
	e->err = err;
	e->fs.userns_fd = -1;
	return explain_path(e, pid, path, flags & IDM_EXPLAIN_NOFOLLOW);
}

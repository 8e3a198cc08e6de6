// SPDX-License-Identifier: MIT
/*
 * A tmpfs that is made for the container. The tree that replaces the runtime's mount is another tmpfs,
 * and is empty. So mount points that the runtime has made in its own are made again. Its other files
 * would be missing: those are the devices in /dev.
 */
#include "new-tmpfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/rootfs/assemble.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/file-type.h"
#include "lib/sys/syscall.h"
#include "mount-error.h"
#include "placing.h"

static const enum idm_error_step step_attach = IDM_STEP_ATTACH_IN_CONTAINER;

/* ---- the runtime's files ---- */

struct placings {
	const struct placing *all;
	size_t n;
};

static bool is_mount_point_on(const struct placings *placings, const struct placing *cover,
			      const char *name)
{
	size_t length = strlen(name);

	for (size_t i = 0; i < placings->n; i++) {
		const struct placing *p = &placings->all[i];

		if (p->place >= 0 && p->cover == cover && strncmp(p->rest, name, length) == 0 &&
		    (!p->rest[length] || p->rest[length] == '/'))
			return true;
	}
	return false;
}

static bool is_dot_entry(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Returns the first file that is neither a mount point nor has one below; NULL: none. */
static const char *find_other_file(DIR *directory, const struct placings *placings,
				   const struct placing *p)
{
	const struct dirent *entry;

	while ((entry = readdir(directory)))
		if (!is_dot_entry(entry->d_name) && !is_mount_point_on(placings, p, entry->d_name))
			return entry->d_name;
	return NULL;
}

static int check_no_other_file(const struct placings *placings, const struct placing *p,
			       struct idm_error *err)
{
	int fd = idm_sys_openat(p->place, ".", O_RDONLY | O_DIRECTORY, 0);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	char name[IDM_PLAN_ENTRY_NAME];
	const char *file;
	int r = 0;

	name_placing(p, name, sizeof(name));
	if (!directory) {
		r = fd < 0 ? fd : -errno;
		idm_close_fd(&fd);
		return idm_fail_errno(err, r, step_attach, name);
	}
	file = find_other_file(directory, placings, p);
	if (file)
		r = idm_fail(err, -ENOTEMPTY, step_attach, name,
			     "the runtime has put %s there, which a mapped tmpfs would lack", file);
	closedir(directory);
	return r;
}

/* ---- mount points ---- */

static int create_mount_point(const struct placing *p, struct idm_error *err)
{
	const struct placing *cover = p->cover;
	mode_t type;
	int r = idm_file_type(p->place, &type);

	if (r < 0)
		return idm_fail_errno(err, r, step_attach, p->destination);
	r = idm_plan_entry_create(&cover->step, cover->tree, p->rest, S_ISDIR(type), err);
	return name_mount_of_error(r, &cover->step, cover->annotation, err);
}

int prepare_new_tmpfs(const struct placing *placings, size_t n, struct idm_error *err)
{
	const struct placings all = { placings, n };
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		const struct placing *p = &placings[i];

		if (is_new_tmpfs(p))
			r = check_no_other_file(&all, p, err);
		if (r == 0 && p->place >= 0 && p->cover && is_new_tmpfs(p->cover))
			r = create_mount_point(p, err);
	}
	return r;
}

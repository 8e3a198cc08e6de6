// SPDX-License-Identifier: MIT
/* What is listed: the caller's mount namespace, all of them, or the one mount that holds a path. */
#include "internal.h"

#include <errno.h>

#include "lib/base/cancel.h"
#include "lib/base/copy-struct.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/syscall.h"

static const enum idm_error_step step_list = IDM_STEP_LIST_MOUNTS;

/* ---- everything ---- */

static int list_own(const struct idm_lister *l)
{
	struct idm_mount_ns own;

	idm_mount_ns_own(&own);
	if (l->level >= IDM_LIST_STATMOUNT && idm_statmount_works())
		return idm_statmount_list(l, &own);
	return idm_mountinfo_list(l, &own, -1);
}

static int list_foreign(const struct idm_mount_ns *ns, int fd, void *data)
{
	return idm_mountinfo_list(data, ns, fd);
}

/*
 * All namespaces are found before the first is read: what the callback makes is not listed without end,
 * and no descriptor keeps a namespace alive while the callback runs.
 */
static int list_all_namespaces(struct idm_lister *l)
{
	AUTO_FREE struct idm_mount_ns *others = NULL;
	size_t n = 0;
	int r = idm_mount_ns_may_see_all(l->err), found = -ENOTTY;

	if (r < 0)
		return r;
	if (l->level >= IDM_LIST_NAMESPACES && idm_statmount_works())
		found = idm_mount_ns_others(&others, &n, l->err);
	if (found < 0 && found != -ENOTTY)
		return found;
	r = list_own(l);
	for (size_t i = 0; i < n && r == 0; i++)
		r = idm_statmount_list(l, &others[i]);
	if (r == 0 && found == -ENOTTY)
		r = idm_mount_ns_walk_proc(list_foreign, l, l->err);
	return r;
}

int idm_list_at(enum idm_list_level level, unsigned int flags,
		int (*each)(const struct idm_mount_info *mount, void *data), void *data,
		struct idm_error *err)
{
	const unsigned int known = IDM_LIST_ALL_NAMESPACES | IDM_LIST_UNMAPPED;
	struct idm_lister l = { level, flags, each, data, err };
	int r = idm_check_flags(flags, known, step_list, NULL, err);

	if (r < 0)
		return r;
	return flags & IDM_LIST_ALL_NAMESPACES ? list_all_namespaces(&l) : list_own(&l);
}

int idm_list(unsigned int flags, int (*each)(const struct idm_mount_info *mount, void *data), void *data,
	     struct idm_error *err)
{
	HOLD_CANCEL;

	return idm_list_at(IDM_LIST_NEWEST, flags, each, data, err);
}

/* ---- one mount, and those below ---- */

/* The kernel counts unique IDs from 2^31 on, so that no short ID is taken for one. */
static bool is_unique(uint64_t id)
{
	return id >> 31;
}

int idm_list_below(uint64_t top, int (*each)(const struct idm_mount_info *mount, void *data), void *data,
		   struct idm_error *err)
{
	const struct idm_lister l = { IDM_LIST_NEWEST, IDM_LIST_UNMAPPED, each, data, err };

	return is_unique(top) && idm_statmount_works() ? idm_statmount_list_below(&l, top)
						       : list_own(&l);
}

/* ---- the mount that holds a path ---- */

/* What the reader's callback needs to call the caller's. */
struct one {
	int (*each)(const struct idm_mount_info *mount, void *data);
	void *data;
	int fd;
	bool found;
	bool everywhere; /* all other mount namespaces were looked into */
};

/* The descriptor has kept the mount there until it was read. The callback may want to unmount it. */
static int release_and_pass(const struct idm_mount_info *mount, void *data)
{
	struct one *one = data;

	idm_close_fd(&one->fd);
	one->found = true;
	return one->each(mount, one->data);
}

/* A descriptor can lead into another mount namespace; only a look into each tells which. */
static int find_elsewhere(const struct idm_lister *l, uint64_t id)
{
	struct one *one = l->data;
	AUTO_FREE struct idm_mount_ns *others = NULL;
	size_t n = 0;
	int r;

	if (l->level < IDM_LIST_NAMESPACES || idm_mount_ns_may_see_all(NULL) < 0)
		return 0;
	r = idm_mount_ns_others(&others, &n, l->err);
	if (r == -ENOTTY || r == -EPERM) /* not with this kernel, or not in this PID namespace */
		return 0;
	for (size_t i = 0; i < n && r == 0 && !one->found; i++)
		r = idm_statmount_one(l, &others[i], id);
	one->everywhere = true;
	return r;
}

static int list_unique(const struct idm_lister *l, uint64_t id)
{
	const struct one *one = l->data;
	struct idm_mount_ns own;
	int r;

	idm_mount_ns_own(&own);
	r = idm_statmount_one(l, &own, id);
	return r || one->found ? r : find_elsewhere(l, id);
}

static int list_short(const struct idm_lister *l, uint64_t id)
{
	struct idm_mount_ns own;

	idm_mount_ns_own(&own);
	return idm_mountinfo_one(l, &own, (uint32_t)id);
}

/* The ID of the mount that an open file is on. Returns 1 for the unique ID and 0 for the short one. */
static int find_mount_id(enum idm_list_level level, int fd, uint64_t *id)
{
	bool unique = false;
	int r = -EACCES;

	if (level >= IDM_LIST_STATMOUNT && idm_statmount_works())
		r = idm_mount_id(fd, "", id, &unique);
	if (r == -EACCES)
		r = idm_short_mount_id(fd, id);
	return r < 0 ? r : unique;
}

static int diagnose_unlisted(const char *path, bool everywhere, struct idm_error *err)
{
	idm_fail(err, -ENOENT, step_list, path, "its mount is attached nowhere in this mount namespace");
	if (everywhere)
		idm_hint(err, "it is in no other mount namespace either: it is a detached tree, or was "
			      "unmounted lazily");
	else
		idm_hint(err, "it is a detached tree, was unmounted lazily, or is in another mount "
			      "namespace; searching there requires CAP_SYS_ADMIN in the initial user "
			      "namespace and Linux 6.12");
	return -ENOENT;
}

int idm_list_path_at(enum idm_list_level level, int dirfd, const char *path,
		     int (*each)(const struct idm_mount_info *mount, void *data), void *data,
		     struct idm_error *err)
{
	struct one one = { each, data, -1, false, false };
	struct idm_lister l = { level, IDM_LIST_UNMAPPED, release_and_pass, &one, err };
	const char *subject = *path ? path : NULL;
	uint64_t id;
	int r;

	if (*path)
		one.fd = idm_sys_openat(dirfd, path, O_PATH, 0);
	if (*path && one.fd < 0)
		return idm_fail_at(err, one.fd, step_list, path, dirfd);
	r = find_mount_id(level, *path ? one.fd : dirfd, &id);
	if (r < 0)
		idm_fail_at(err, r, step_list, subject, dirfd);
	else
		r = r ? list_unique(&l, id) : list_short(&l, id);
	idm_close_fd(&one.fd);
	return r || one.found ? r : diagnose_unlisted(subject, one.everywhere, err);
}

int idm_list_path(int dirfd, const char *path, unsigned int flags,
		  int (*each)(const struct idm_mount_info *mount, void *data), void *data,
		  struct idm_error *err)
{
	HOLD_CANCEL;
	int r = idm_check_flags(flags, IDM_LIST_EMPTY_PATH, step_list, path, err);

	if (r < 0)
		return r;
	if (!*path && !(flags & IDM_LIST_EMPTY_PATH))
		return idm_fail_empty(err, step_list);
	if (!*path && dirfd == AT_FDCWD)
		path = ".";
	return idm_list_path_at(IDM_LIST_NEWEST, dirfd, path, each, data, err);
}

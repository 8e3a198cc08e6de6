// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cancel.h"
#include "lib/base/copy-struct.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/list/internal.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/nofollow.h"
#include "lib/sys/procfs.h"
#include "lib/sys/refused.h"
#include "lib/sys/syscall.h"
#include "mount-nodes.h"
#include "umount-fd.h"

static const enum idm_error_step step_umount = IDM_STEP_UNMOUNT;

/* The target as the caller names it. */
struct target {
	int dirfd;
	const char *path;
	bool follow; /* a symbolic link at its end */
};

static int open_target(const struct target *target)
{
	return target->follow ? idm_sys_openat(target->dirfd, target->path, O_PATH, 0)
			      : idm_open_nofollow(target->dirfd, target->path, O_PATH, 0);
}

/* The kernel has one errno for a link, for a place that is no mount point, and for a locked mount. */
static int diagnose_no_mount(const struct target *target, struct idm_error *err)
{
	AUTO_CLOSE int fd = open_target(target);
	struct stat st;

	if (fd >= 0 && idm_sys_fstatat(fd, "", &st, AT_EMPTY_PATH) == 0 && S_ISLNK(st.st_mode)) {
		idm_fail(err, -ELOOP, step_umount, target->path, "the target is a symbolic link");
		idm_hint(err, "name the place that it points to");
		return -ELOOP;
	}
	return idm_fail(err, -EINVAL, step_umount, target->path, "%s",
			fd >= 0 && idm_is_mount_point(fd) > 0
				? "another user namespace locked the mount, or it is in another mount "
				  "namespace"
				: "it is not a mount point");
}

/* Between two tries it was unmounted, or covered by another mount. */
static int diagnose_replaced(const struct target *target, struct idm_error *err)
{
	AUTO_CLOSE int fd = open_target(target);

	if (fd >= 0 && idm_is_mount_point(fd) == 0)
		return diagnose_no_mount(target, err);
	return idm_fail(err, -EXDEV, step_umount, target->path, "another mount replaced it");
}

static int diagnose_unmount(int code, const struct target *target, struct idm_error *err)
{
	switch (code) {
	case -EXDEV:
		return diagnose_replaced(target, err);
	case -EBUSY:
		return idm_fail_busy_mount(err, target->path);
	case -ECHILD:
		return idm_diagnose_no_init(-EBUSY, step_umount, err);
	case -EINVAL:
		return diagnose_no_mount(target, err);
	case -EPERM:
	case -ENOSYS:
		return idm_diagnose_umount_refused(code, step_umount, target->path, err);
	default:
		return idm_fail_at(err, code, step_umount, target->path, target->dirfd);
	}
}

/* ---- of what is listed ---- */

static int unmount_node(const struct idm_mount_node *node, const struct target *target, int flags,
			struct idm_error *err)
{
	/* A mount that is not below the root directory has no other path. */
	int r = idm_unmount_by_id(target->dirfd, *node->target ? node->target : target->path, node->id,
				  flags);

	if (r == -EXDEV)
		return idm_fail(err, r, step_umount, target->path, "another mount replaced it");
	return r < 0 ? diagnose_unmount(r, target, err) : 0;
}

static int fail_umount_open(int code, const struct target *target, struct idm_error *err)
{
	if (code == -EBADF)
		idm_fail_at(err, code, step_umount, target->path, target->dirfd);
	else if (target->follow)
		idm_fail_errno(err, code, step_umount, target->path);
	else
		idm_fail_nofollow(err, code, step_umount, target->path);
	return code;
}

/* The mount at the target. Nothing is open afterwards: it would keep the mount busy. */
static int find_top(const struct target *target, struct idm_mount_nodes *top, struct idm_error *err)
{
	AUTO_CLOSE int fd = open_target(target);
	int r;

	if (fd < 0)
		return fail_umount_open(fd, target, err);
	/* Else everything below the mount that happens to hold the target would go. */
	r = idm_is_mount_point(fd);
	if (r < 0)
		return idm_fail_errno(err, r, step_umount, target->path);
	if (r == 0)
		return diagnose_unmount(-EINVAL, target, err);
	r = idm_list_path(fd, "", IDM_LIST_EMPTY_PATH, idm_mount_nodes_append, top, err);
	if (r == -ENOMEM) /* perhaps from idm_mount_nodes_append() */
		idm_fail_errno(err, r, step_umount, target->path);
	return r;
}

/* ---- one ---- */

/* Where umount2(2) would follow a link in spite of UMOUNT_NOFOLLOW. */
static int unmount_found(const struct target *target, int flags, struct idm_error *err)
{
	struct idm_mount_nodes top = { 0 };
	int r = find_top(target, &top, err);

	if (r == 0)
		r = unmount_node(top.v[0], target, flags, err); /* analyzer: find_top() found the node */
	idm_mount_nodes_free(&top);
	return r;
}

/* `flags` are those of umount2(2). */
static int unmount_one(const struct target *target, int flags, struct idm_error *err)
{
	int r;

	if (!target->follow && !idm_ends_in_name(target->path))
		return unmount_found(target, flags, err);
	r = idm_unmount_at(target->dirfd, target->path, flags | (target->follow ? 0 : UMOUNT_NOFOLLOW));
	return r < 0 ? diagnose_unmount(r, target, err) : 0;
}

/* ---- recursively ---- */

static int note_listed(const struct idm_mount_info *mount, void *data)
{
	const struct idm_mount_node *node = data;

	return mount->id == node->id;
}

/* The unmounting of a mount also unmounts those of its peers. */
static bool is_unmounted(const struct idm_mount_node *node)
{
	return idm_list_below(node->id, note_listed, (void *)node, NULL) == 0;
}

/* Another mount covers it, or a directory on the way to it. */
static bool is_out_of_reach(int r)
{
	return r == -EXDEV || r == -ENOENT || r == -ENOTDIR || r == -ELOOP;
}

/* One that is gone is no failure: it went with a peer of it, or another process unmounted it. */
static int unmount_listed(const struct idm_mount_node *node, struct idm_error *err)
{
	const struct target target = { AT_FDCWD, node->target, false };
	int r = unmount_node(node, &target, 0, err);

	return (r == -EINVAL || is_out_of_reach(r)) && is_unmounted(node) ? 0 : r;
}

/* Returns 1, or -errno. 0: it is out of reach, and *out says why the first one is. */
static int unmount_or_leave(struct idm_mount_node *node, int *out, struct idm_error *err)
{
	struct idm_error why;
	int r = unmount_listed(node, &why);

	if (r < 0 && err && (!*out || !is_out_of_reach(r)))
		*err = why;
	if (r < 0 && !is_out_of_reach(r))
		return r;
	if (r < 0)
		*out = *out ? *out : r;
	node->marked = r < 0;
	return r == 0;
}

static void let_parent_wait(const struct idm_mount_nodes *all, const struct idm_mount_node *node)
{
	struct idm_mount_node *parent = idm_mount_nodes_parent(all, node);

	if (parent)
		parent->waits = true;
}

/* Returns how many have been unmounted, or -errno. *out: why one is left, or 0. */
static int unmount_in_reach(struct idm_mount_nodes *all, int *out, struct idm_error *err)
{
	int unmounted = 0;

	*out = 0;
	for (size_t i = 0; i < all->n; i++) {
		struct idm_mount_node *node = all->v[i];
		int r = node->marked && !node->waits ? unmount_or_leave(node, out, err) : 0;

		if (r < 0)
			return r;
		if (node->marked)
			let_parent_wait(all, node);
		node->waits = false; /* in the next round */
		unmounted += r;
	}
	return unmounted;
}

/*
 * Mounts may have been moved since they were made, so that an older one covers the path to a younger
 * one: those that are out of reach are tried again once others are gone.
 */
static int unmount_marked(struct idm_mount_nodes *all, struct idm_error *err)
{
	int out, r;

	do
		r = unmount_in_reach(all, &out, err);
	while (r > 0 && out);
	return r < 0 ? r : out;
}

static int unmount_recursive(const struct target *target, struct idm_error *err)
{
	struct idm_mount_nodes top = { 0 }, all = { 0 };
	int r = find_top(target, &top, err);

	if (r == 0) {
		r = idm_list_below(top.v[0]->id, idm_mount_nodes_append, &all, err);
		if (r == -ENOMEM)
			idm_fail_errno(err, r, step_umount, target->path);
	}
	if (r == 0) {
		idm_mount_nodes_sort(&all);
		idm_mount_nodes_mark_below(&all, top.v[0]->id);
		r = unmount_marked(&all, err);
	}
	if (r == 0)
		r = unmount_node(top.v[0], target, 0, err);
	idm_mount_nodes_free(&top);
	idm_mount_nodes_free(&all);
	return r;
}

int idm_umount(int dirfd, const char *target, unsigned int flags, struct idm_error *err)
{
	HOLD_CANCEL;
	const unsigned int known = IDM_UMOUNT_RECURSIVE | IDM_UMOUNT_LAZY | IDM_UMOUNT_FOLLOW;
	const struct target to = { dirfd, target, flags & IDM_UMOUNT_FOLLOW };
	int r = idm_check_flags(flags, known, step_umount, target, err);

	if (r < 0)
		return r;
	if (!*target)
		return idm_fail_empty(err, step_umount);
	/* A lazy one unmounts everything below too, in one step. */
	if (flags & IDM_UMOUNT_RECURSIVE && !(flags & IDM_UMOUNT_LAZY))
		return unmount_recursive(&to, err);
	return unmount_one(&to, flags & IDM_UMOUNT_LAZY ? MNT_DETACH : 0, err);
}

/* ---- by descriptor ---- */

#define OWN_ROOT (-EDEADLK)

static int diagnose_unmount_fd(int code, const char *name, struct idm_error *err)
{
	switch (code) {
	case -EINVAL:
		return idm_fail(err, code, step_umount, name,
				"it is not on the root of a mount of this mount namespace, or another "
				"user namespace locked that");
	case OWN_ROOT:
		return idm_fail(err, -EINVAL, step_umount, name,
				"the caller's root directory is on this mount, so that no mount would "
				"be left");
	case -ENOENT:
		return idm_fail(err, -EINVAL, step_umount, name,
				"the mount is attached nowhere below this root directory");
	case -EXDEV:
		return idm_fail(err, -EBUSY, step_umount, name, "another mount covers it");
	case -ECHILD:
		return idm_diagnose_no_init(-EBUSY, step_umount, err);
	case -EPERM:
	case -ENOSYS:
		return idm_diagnose_umount_refused(code, step_umount, name, err);
	default:
		return idm_fail_errno(err, code, step_umount, name);
	}
}

static bool is_own_root(int fd)
{
	uint64_t root, id;
	bool unique;

	return idm_mount_id(fd, "", &id, &unique) == 0 &&
	       idm_mount_id(AT_FDCWD, "/", &root, &unique) == 0 && id == root;
}

/* By its ID: a path, also one by /proc, leads to what covers the mount. */
static int unmount_root(int fd)
{
	struct idm_mount_nodes node = { 0 };
	int r = idm_is_mount_point(fd);

	if (r <= 0)
		return r < 0 ? r : -EINVAL;
	if (is_own_root(fd))
		return OWN_ROOT;
	r = idm_list_path(fd, "", IDM_LIST_EMPTY_PATH, idm_mount_nodes_append, &node, NULL);
	if (r == 0 && *node.v[0]->target)
		r = idm_unmount_by_id(AT_FDCWD, node.v[0]->target, node.v[0]->id, MNT_DETACH);
	else if (r == 0)
		r = -ENOENT;
	idm_mount_nodes_free(&node);
	return r;
}

int idm_umount_fd(int mount_fd, unsigned int flags, struct idm_error *err)
{
	HOLD_CANCEL;
	char name[32];
	int r;

	snprintf(name, sizeof(name), "descriptor %d", mount_fd);
	r = idm_check_flags(flags, IDM_UMOUNT_LAZY, step_umount, name, err);
	if (r < 0)
		return r;
	/* Always lazily: the descriptor keeps the mount busy. */
	r = mount_fd < 0 ? -EBADF /* AT_FDCWD is negative, too */ : unmount_root(mount_fd);
	return r < 0 ? diagnose_unmount_fd(r, name, err) : 0;
}

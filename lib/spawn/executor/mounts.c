// SPDX-License-Identifier: MIT
/*
 * Part of the executor: attaches mounts below the root. Nothing covers that root yet, and no program
 * runs in it. Another user may own its content. So every path is resolved from the root's descriptor
 * with RESOLVE_IN_ROOT: no ".." and no symbolic link leads out.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#ifndef STATX_TYPE
#include <linux/stat.h> /* musl before 1.2.5 has no statx(2) */
#endif

#include "executor.h"
#include "idmount.h"

#ifndef STATX_MNT_ID
#define STATX_MNT_ID 0x1000U /* Linux 5.8 */
#endif

/* The kernel returns EAGAIN when a path with ".." meets a concurrent rename. */
#define MOST_TRIES 1000

/*
 * Does not follow magic links: in a mounted procfs they lead to the root directories of other processes.
 */
static long resolve_in_root(long root, const char *path, uint64_t flags)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC | flags,
				.resolve = RESOLVE_NO_MAGICLINKS | RESOLVE_IN_ROOT };
	long r = -EAGAIN;

	for (int i = 0; i < MOST_TRIES && (r == -EAGAIN || r == -EXDEV); i++)
		r = raw(SYS_openat2, root, path, &how, sizeof(how));
	return r;
}

/* ---- making the mount point ---- */

/* Creates the last component of a path, which begins at `start`. */
static long make_component(long root, char *path, uint32_t start, int is_file)
{
	char first = path[start];
	long parent, r;

	path[start] = '\0';
	parent = resolve_in_root(root, path, O_DIRECTORY);
	path[start] = first;
	if (parent < 0)
		return parent;
	r = is_file ? raw(SYS_mknodat, parent, path + start, S_IFREG | 0644, 0)
		    : raw(SYS_mkdirat, parent, path + start, 0755);
	raw(SYS_close, parent);
	return r == -EEXIST ? 0 : r;
}

/* Creates a directory, or for a tree of one file an empty file, and its parent directories. */
static long make_target(long root, const char *target, int is_file)
{
	uint32_t n = 0, start = 0;
	char path[4096];
	long r = 0;

	for (const char *p = target; *p && r == 0; p++) {
		if (n == sizeof(path) - 1)
			return -ENAMETOOLONG;
		path[n++] = *p;
		path[n] = '\0';
		if (*p == '/')
			start = n;
		else if (!p[1] || p[1] == '/')
			r = make_component(root, path, start, is_file && !p[1]);
	}
	return r;
}

/* ---- looking at it ---- */

static long stat_fd(long fd, struct statx *st)
{
	return raw(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_TYPE | STATX_INO | STATX_MNT_ID, st);
}

/* Rejects the root itself: a mount there would cover it for every path, but not for this process. */
static long check_target(long root, long fd)
{
	struct statx st = { 0 }, top = { 0 };
	long r = stat_fd(fd, &st);

	if (r == 0)
		r = stat_fd(root, &top);
	if (r < 0)
		return r;
	if (S_ISLNK(st.stx_mode))
		return -ELOOP;
	return st.stx_mnt_id == top.stx_mnt_id && st.stx_ino == top.stx_ino ? -EBUSY : 0;
}

static long open_mount_target(long root, const struct idm_request_mount *m, const char *target)
{
	long fd = resolve_in_root(root, target, m->flags & IDM_CHILD_MOUNT_FOLLOW ? 0 : O_NOFOLLOW);
	long r = fd < 0 ? fd : check_target(root, fd);

	if (r == 0)
		return fd;
	if (fd >= 0)
		raw(SYS_close, fd);
	return r;
}

/* ---- attaching ---- */

static long attach_tree_at(long tree, long target)
{
	return raw(SYS_move_mount, tree, "", target, "",
		   MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

/* Mounts a copy of the target over itself, with other attributes. */
static long rebind_target(const struct idm_request_mount *m, long target)
{
	/* The access times are one field. The kernel requires that each change clears all of it. */
	struct mount_attr attr = { .attr_set = m->attr,
				   .attr_clr = m->attr & MOUNT_ATTR__ATIME ? MOUNT_ATTR__ATIME : 0 };
	long r, tree = raw(SYS_open_tree, target, "",
			   OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE | AT_EMPTY_PATH);

	if (tree < 0)
		return tree;
	r = raw(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr));
	if (r == 0)
		r = attach_tree_at(tree, target);
	raw(SYS_close, tree);
	return r;
}

/* Checks the kind of the target. move_mount(2) does not report which side is the directory. */
static long check_target_kind(const struct idm_request_mount *m, long target)
{
	struct statx st = { 0 };
	long r = m->flags & IDM_CHILD_MOUNT_REBIND ? 0 : stat_fd(target, &st);

	if (r < 0 || m->flags & IDM_CHILD_MOUNT_REBIND)
		return r;
	if (m->is_file)
		return S_ISDIR(st.stx_mode) ? -EISDIR : 0;
	return S_ISDIR(st.stx_mode) ? 0 : -ENOTDIR;
}

static long attach_request_mount(struct idm_request *request, long root,
				 const struct idm_request_mount *m)
{
	const char *target = idm_request_array(request, m->target);
	long r = 0, to;

	idm_request_begin(request, IDM_CHILD_STEP_MOUNT_TARGET, request->report.item, m->target);
	if (m->flags & IDM_CHILD_MOUNT_MKDIR)
		r = make_target(root, target, (int)m->is_file);
	if (r < 0)
		return r;
	idm_request_begin(request, IDM_CHILD_STEP_MOUNT, request->report.item, m->target);
	to = open_mount_target(root, m, target);
	if (to < 0)
		return m->flags & IDM_CHILD_MOUNT_OPTIONAL && (to == -ENOENT || to == -ENOTDIR) ? 0 : to;
	r = check_target_kind(m, to);
	if (r == 0)
		r = m->flags & IDM_CHILD_MOUNT_REBIND ? rebind_target(m, to)
						      : attach_tree_at(m->tree, to);
	raw(SYS_close, to);
	return r;
}

long idm_child_attach_mounts(struct idm_request *request, long root)
{
	const struct idm_request_mount *mounts = idm_request_array(request, request->mounts);
	long r = 0;

	for (uint32_t i = 0; i < request->n_mounts && r == 0; i++) {
		request->report.item = i;
		r = attach_request_mount(request, root, &mounts[i]);
	}
	return r;
}

// SPDX-License-Identifier: MIT
/*
 * Part of the executor: attaches all mounts below the root, then makes the root "/".
 *
 * The order matters. Before the pivot, nothing covers the new root. After pivot_root(".", ".") the old
 * root covers it, and each ".." at "/" leads to the old root: paths would be resolved on the host.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sys/stat.h>
#ifndef STATX_TYPE
#include <linux/stat.h>
#endif

#include "executor.h"

#ifndef STATX_MNT_ID
#define STATX_MNT_ID 0x1000U /* Linux 5.8 */
#endif
#define MNT_DETACH 2 /* from <sys/mount.h>, which conflicts with <linux/mount.h> */

long idm_child_separate_mounts(struct idm_request *request)
{
	idm_request_begin(request, IDM_CHILD_STEP_PROPAGATION, 0, 0);
	return raw(SYS_mount, 0, "/", 0, MS_REC | request->propagation, 0);
}

/* Mounts it over "/", where no other process sees it. Its own root stays reachable by its descriptor. */
static long attach_root(struct idm_request *request)
{
	idm_request_begin(request, IDM_CHILD_STEP_ATTACH_ROOT, 0, 0);
	return raw(SYS_move_mount, request->root_fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH);
}

/*
 * Exchanges the two roots: the old one covers the new one until it is detached. The kernel moves every
 * process of this mount namespace whose root directory is the old root.
 */
static long exchange_roots(struct idm_request *request)
{
	long r;

	idm_request_begin(request, IDM_CHILD_STEP_PIVOT, 0, 0);
	r = raw(SYS_fchdir, request->root_fd);
	if (r == 0)
		r = raw(SYS_pivot_root, ".", ".");
	if (r < 0)
		return r;
	idm_request_begin(request, IDM_CHILD_STEP_DETACH_OLD_ROOT, 0, 0);
	r = raw(SYS_umount2, ".", MNT_DETACH);
	return r < 0 ? r : raw(SYS_chdir, "/");
}

long idm_child_check_root(struct idm_request *request)
{
	const unsigned int mask = STATX_INO | STATX_MNT_ID;
	struct statx root = { 0 }, up = { 0 };
	long r;

	idm_request_begin(request, IDM_CHILD_STEP_DETACH_OLD_ROOT, 0, 0);
	r = raw(SYS_statx, AT_FDCWD, "/", 0, mask, &root);
	if (r == 0)
		r = raw(SYS_statx, AT_FDCWD, "/..", 0, mask, &up);
	if (r < 0)
		return r;
	return root.stx_mnt_id == up.stx_mnt_id && root.stx_ino == up.stx_ino ? 0 : -EXDEV;
}

static long attach_below_root(struct idm_request *request)
{
	long root = raw(SYS_openat, AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC), r;

	if (root < 0)
		return root;
	r = idm_child_attach_mounts(request, root);
	raw(SYS_close, root);
	return r;
}

long idm_child_assemble(struct idm_request *request)
{
	long r;

	if (!(request->flags & IDM_REQUEST_PIVOT))
		return attach_below_root(request);
	r = attach_root(request);
	if (r == 0)
		r = idm_child_attach_mounts(request, request->root_fd);
	if (r == 0)
		r = exchange_roots(request);
	return r == 0 ? idm_child_check_root(request) : r;
}

// SPDX-License-Identifier: MIT
/*
 * Of the stage: the root directory is put together and becomes "/".
 *
 * All mounts are attached before the pivot, while nothing lies over the new root. After
 * pivot_root(".", ".") the old root lies over it, and each ".." that arrives at "/" steps onto that: a
 * path would be resolved on the host.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <sys/stat.h>
#ifndef STATX_TYPE
#include <linux/stat.h>
#endif

#include "executor.h"

#ifndef STATX_MNT_ID
#define STATX_MNT_ID 0x1000U /* Linux 5.8 */
#endif
#define MNT_DETACH 2 /* <sys/mount.h>, which does not go with <linux/mount.h> */

long idm_child_separate_mounts(struct idm_request *job)
{
	idm_request_begin(job, IDM_CHILD_STEP_PROPAGATION, 0, 0);
	return raw(SYS_mount, 0, "/", 0, MS_REC | job->propagation, 0);
}

/* Over "/", where no other process sees it. Its own root stays reachable by its descriptor. */
static long attach_root(struct idm_request *job)
{
	idm_request_begin(job, IDM_CHILD_STEP_ATTACH_ROOT, 0, 0);
	return raw(SYS_move_mount, job->root_fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH);
}

/*
 * The two roots change places: the old one lies over the new one then, until it is detached. The kernel
 * moves every process of this mount namespace whose root directory is the old root.
 */
static long pivot(struct idm_request *job)
{
	long r;

	idm_request_begin(job, IDM_CHILD_STEP_PIVOT, 0, 0);
	r = raw(SYS_fchdir, job->root_fd);
	if (r == 0)
		r = raw(SYS_pivot_root, ".", ".");
	if (r < 0)
		return r;
	idm_request_begin(job, IDM_CHILD_STEP_DETACH_OLD_ROOT, 0, 0);
	r = raw(SYS_umount2, ".", MNT_DETACH);
	return r < 0 ? r : raw(SYS_chdir, "/");
}

long idm_child_check_root(struct idm_request *job)
{
	const unsigned int mask = STATX_INO | STATX_MNT_ID;
	struct statx root = { 0 }, up = { 0 };
	long r;

	idm_request_begin(job, IDM_CHILD_STEP_DETACH_OLD_ROOT, 0, 0);
	r = raw(SYS_statx, AT_FDCWD, "/", 0, mask, &root);
	if (r == 0)
		r = raw(SYS_statx, AT_FDCWD, "/..", 0, mask, &up);
	if (r < 0)
		return r;
	return root.stx_mnt_id == up.stx_mnt_id && root.stx_ino == up.stx_ino ? 0 : -EXDEV;
}

static long attach_below(struct idm_request *job)
{
	long root = raw(SYS_openat, AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC), r;

	if (root < 0)
		return root;
	r = idm_child_attach_mounts(job, root);
	raw(SYS_close, root);
	return r;
}

long idm_child_assemble(struct idm_request *job)
{
	long r;

	if (!(job->flags & IDM_REQUEST_PIVOT))
		return attach_below(job);
	r = attach_root(job);
	if (r == 0)
		r = idm_child_attach_mounts(job, job->root_fd);
	if (r == 0)
		r = pivot(job);
	return r == 0 ? idm_child_check_root(job) : r;
}

/* The child has all that it needs for that by itself. */
static long assemble_alone(struct idm_request *job)
{
	long r = idm_child_separate_mounts(job);

	if (r == 0)
		r = idm_child_make_filesystems(job);
	return r == 0 ? idm_child_assemble(job) : r;
}

/*
 * A copy of the mount namespace that belongs to the child's own user namespace. Copying to another owner
 * locks every mount and its flags: no process in there unmounts or remounts any of them.
 */
static long lock_mounts(struct idm_request *job)
{
	long r;

	idm_request_begin(job, IDM_CHILD_STEP_LOCK_MOUNTS, 0, 0);
	r = raw(SYS_chdir, "/");
	if (r == 0)
		r = raw(SYS_unshare, CLONE_NEWNS);
	return r == 0 && job->flags & IDM_REQUEST_PIVOT ? idm_child_check_root(job) : r;
}

long idm_child_root(struct idm_request *job)
{
	long r;

	if (!(job->flags & IDM_REQUEST_NEW_MOUNT))
		return idm_child_limit_userns(job);
	if (!idm_request_locks_mounts(job))
		return assemble_alone(job);
	r = idm_child_make_filesystems_apart(job);
	if (r == 0)
		r = idm_child_limit_userns(job);
	if (r == 0)
		r = idm_child_let_assemble(job);
	return r == 0 ? lock_mounts(job) : r;
}

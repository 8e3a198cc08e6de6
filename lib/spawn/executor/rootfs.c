// SPDX-License-Identifier: MIT
/*
 * Part of the executor: the root directory, assembled by this process or by the assembler.
 *
 * A child in another user namespace gets a copy with all mounts locked. All other children assemble
 * their root themselves.
 */
#include <linux/sched.h>

#include "executor.h"

/* The child assembles its root without help. */
static long assemble_alone(struct idm_request *request)
{
	long r = idm_child_separate_mounts(request);

	if (r == 0)
		r = idm_child_make_filesystems(request);
	return r == 0 ? idm_child_assemble(request) : r;
}

/*
 * Creates a copy of the mount namespace in the child's user namespace. The kernel locks every mount and
 * its flags in a copy for another owner: no process inside can unmount or remount any of them.
 */
static long lock_mounts(struct idm_request *request)
{
	long r;

	idm_request_begin(request, IDM_CHILD_STEP_LOCK_MOUNTS, 0, 0);
	r = raw(SYS_chdir, "/");
	if (r == 0)
		r = raw(SYS_unshare, CLONE_NEWNS);
	return r == 0 && request->flags & IDM_REQUEST_PIVOT ? idm_child_check_root(request) : r;
}

static long assemble_by_other(struct idm_request *request)
{
	long maker, r = idm_child_make_filesystems_apart(request, &maker);

	if (r == 0)
		r = idm_child_limit_userns(request);
	idm_child_await_release(request); /* the caller gets its pidfd at the same time */
	if (r == 0)
		r = idm_child_let_assemble(request);
	if (maker)
		idm_raw_reap(maker);
	return r == 0 ? lock_mounts(request) : r;
}

long idm_child_root(struct idm_request *request)
{
	if (idm_request_locks_mounts(request))
		return assemble_by_other(request);
	idm_child_await_release(request);
	return request->flags & IDM_REQUEST_NEW_MOUNT ? assemble_alone(request)
						      : idm_child_limit_userns(request);
}

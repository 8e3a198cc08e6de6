// SPDX-License-Identifier: MIT
/*
 * Of the executor: the root directory, assembled by this process or by the assembler.
 *
 * A child in another user namespace gets a copy in which every mount is locked. All other children
 * assemble their root themselves.
 */
#include <linux/sched.h>

#include "executor.h"

/* The child has all that it needs for that by itself. */
static long assemble_alone(struct idm_request *request)
{
	long r = idm_child_separate_mounts(request);

	if (r == 0)
		r = idm_child_make_filesystems(request);
	return r == 0 ? idm_child_assemble(request) : r;
}

/*
 * A copy of the mount namespace that belongs to the child's own user namespace. Copying to another owner
 * locks every mount and its flags: no process in there unmounts or remounts any of them.
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

long idm_child_root(struct idm_request *request)
{
	long r;

	if (!(request->flags & IDM_REQUEST_NEW_MOUNT))
		return idm_child_limit_userns(request);
	if (!idm_request_locks_mounts(request))
		return assemble_alone(request);
	r = idm_child_make_filesystems_apart(request);
	if (r == 0)
		r = idm_child_limit_userns(request);
	if (r == 0)
		r = idm_child_let_assemble(request);
	return r == 0 ? lock_mounts(request) : r;
}

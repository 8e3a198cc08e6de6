// SPDX-License-Identifier: MIT
#include "pidns.h"

#include "lib/base/macros.h"
#include "syscall.h"

int idm_pidns_is_for_children(void)
{
	/* unshare(CLONE_NEWPID) is for the children of one thread. */
	AUTO_CLOSE int thread = idm_sys_pidfd_open_thread(), own = -1, for_children = -1;

	if (thread < 0)
		return thread;
	own = idm_sys_ioctl(thread, IDM_PIDFD_GET_PID_NAMESPACE, NULL);
	if (own < 0)
		return own;
	for_children = idm_sys_ioctl(thread, IDM_PIDFD_GET_PID_FOR_CHILDREN_NAMESPACE, NULL);
	if (for_children < 0)
		return for_children;
	return idm_is_same_inode(own, for_children);
}

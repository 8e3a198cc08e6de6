// SPDX-License-Identifier: MIT
#include "pidns.h"

#include "lib/base/macros.h"
#include "syscall.h"

int idm_pidns_is_childrens(void)
{
	/* unshare(CLONE_NEWPID) is for the children of one thread. */
	AUTO_CLOSE int thread = idm_sys_pidfd_open_thread(), own = -1, childrens = -1;

	if (thread < 0)
		return thread;
	own = idm_sys_ioctl(thread, IDM_PIDFD_GET_PID_NAMESPACE, NULL);
	if (own < 0)
		return own;
	childrens = idm_sys_ioctl(thread, IDM_PIDFD_GET_PID_FOR_CHILDREN_NAMESPACE, NULL);
	if (childrens < 0)
		return childrens;
	return idm_is_same_inode(own, childrens);
}

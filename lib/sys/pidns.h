/* SPDX-License-Identifier: MIT */
#ifndef IDM_SYS_PIDNS_H
#define IDM_SYS_PIDNS_H

/*
 * Whether this thread's next child will be in its own PID namespace, found without a procfs: 1 or 0.
 * -errno: it is not known, for example before Linux 6.11.
 */
int idm_pidns_is_for_children(void);

#endif

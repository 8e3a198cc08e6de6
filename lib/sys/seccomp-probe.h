/* SPDX-License-Identifier: MIT */
/*
 * Whether a seccomp filter refuses a system call that the library cannot do without. The call is made
 * with arguments that the kernel itself rejects with another errno. For explanations.
 */
#ifndef IDM_SYS_SECCOMP_PROBE_H
#define IDM_SYS_SECCOMP_PROBE_H

/* Returns the name of the first refused call, or NULL. */
const char *idm_refused_call(void);

/* Returns 0, or the -errno with which the filter refuses waitid(2) on a pidfd. Makes one system call. */
int idm_refused_waitid(void);

#endif

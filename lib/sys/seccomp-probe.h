/* SPDX-License-Identifier: MIT */
/*
 * Whether a seccomp filter refuses a system call that the library cannot do without. The call is made
 * with arguments that the kernel itself rejects with another errno. For explanations, and before a child
 * that could not be reaped.
 */
#ifndef IDM_SYS_SECCOMP_PROBE_H
#define IDM_SYS_SECCOMP_PROBE_H

#include "idmount.h"

/* Returns the name of the first refused call, or NULL. */
const char *idm_refused_call(void);

/*
 * Returns 0, or -ENOSYS if a filter refuses waitid(2) on a pidfd. That is one errno for all filters: to a
 * caller EPERM means a missing privilege. Makes one system call.
 */
int idm_refused_waitid(void);

/* The same, with the error filled in. */
int idm_check_waitid(enum idm_error_step step, struct idm_error *err);

/* Fills in that a filter refuses `call`, the name of a system call. Returns `code`. */
int idm_fail_filtered(struct idm_error *err, int code, enum idm_error_step step, const char *subject,
		      const char *call);

#endif

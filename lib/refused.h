/* SPDX-License-Identifier: MIT */
/*
 * Whether a seccomp filter refuses a system call: the call is made with arguments that the kernel itself
 * refuses with another errno. For explanations, and before what cannot be undone without the call.
 */
#ifndef IDM_REFUSED_H
#define IDM_REFUSED_H

#include "idmount.h"

/* The name of the first refused call that the library cannot do without, or NULL. */
const char *idm_refused_call(void);

/* 0, or the -errno with which the filter refuses waitid(2) on a pidfd. One system call. */
int idm_refused_waitid(void);

/* Fills in that a file of the caller's own, or of its child, below /proc may not be opened. */
int idm_why_closed(int code, const char *step, const char *name, struct idm_error *err);

/*
 * Fills in why move_mount(2) or umount2(2) failed with EPERM: the caller may not mount, a seccomp filter
 * refuses the call, or a security module does. Returns -EPERM.
 */
int idm_why_move_refused(const char *step, const char *path, struct idm_error *err);
int idm_why_umount_refused(const char *step, const char *path, struct idm_error *err);

#endif

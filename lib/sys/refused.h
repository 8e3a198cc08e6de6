/* SPDX-License-Identifier: MIT */
/*
 * Whether a seccomp filter refuses a system call: the call is made with arguments that the kernel itself
 * refuses with another errno. For explanations, and before what cannot be undone without the call.
 */
#ifndef IDM_SYS_REFUSED_H
#define IDM_SYS_REFUSED_H

#include "idmount.h"

/* Fills in that a file of the caller's own, or of its child, below /proc may not be opened. */
int idm_diagnose_closed_file(int code, enum idm_error_step step, const char *name,
			     struct idm_error *err);

/* Calls that can be refused one by one, with what needs them. */
enum idm_call {
	IDM_CALL_MOUNT,
	IDM_CALL_UMOUNT,
	IDM_CALL_MOVE_MOUNT,
	IDM_CALL_PIVOT_ROOT,
	IDM_CALL_SETNS,
	IDM_CALL_UNSHARE,
	IDM_CALL_MEMFD_CREATE,
	IDM_CALL_PIDFD_OPEN,
};

/* 0, or the -errno with which a filter is known to refuse the call. */
int idm_filter_refuses(enum idm_call call);
int idm_diagnose_filtered(enum idm_call call, int code, enum idm_error_step step, const char *path,
			  struct idm_error *err);

/*
 * Fills in what refused the call with EPERM or ENOSYS to a process that had the privilege for it: a
 * seccomp filter, or a security module. Returns `code`.
 */
int idm_diagnose_refused(enum idm_call call, int code, enum idm_error_step step, const char *path,
			 struct idm_error *err);

/* The same for a caller that may have no privilege: then that is said. */
int idm_diagnose_mount_refused(int code, enum idm_error_step step, const char *path,
			       struct idm_error *err);
int idm_diagnose_move_refused(int code, enum idm_error_step step, const char *path,
			      struct idm_error *err);
int idm_diagnose_umount_refused(int code, enum idm_error_step step, const char *path,
				struct idm_error *err);

/* Whether a security module, as Landlock does, refuses every change of mounts. */
bool idm_module_refuses_mounts(void);

#endif

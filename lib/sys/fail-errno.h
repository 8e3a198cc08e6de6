/* SPDX-License-Identifier: MIT */
/* Failures of which only the errno is known. What is known about its cause is found out here. */
#ifndef IDM_SYS_FAIL_ERRNO_H
#define IDM_SYS_FAIL_ERRNO_H

#include "lib/base/error.h"

/*
 * As idm_fail(), with the errno's text for a reason. -EPERM and -ENOSYS name the system call that a
 * seccomp filter refuses, if one does. -EMFILE and -EFBIG get the limit in the hint.
 */
int idm_fail_errno(struct idm_error *err, int code, enum idm_error_step step, const char *subject);

/* The same for a path below `dirfd`. -EBADF names that descriptor. */
int idm_fail_at(struct idm_error *err, int code, enum idm_error_step step, const char *path, int dirfd);

/* The same, or with `reason`, which is no format, if that is not NULL. */
int idm_fail_because(struct idm_error *err, int code, enum idm_error_step step, const char *subject,
		     const char *reason);

#ifndef __cppcheck__ /* as for idm_fail() */
#define idm_fail_errno(err, code, ...)                   \
	({                                               \
		int code_ = (code);                      \
		idm_fail_errno(err, code_, __VA_ARGS__); \
		code_;                                   \
	})
#define idm_fail_because(err, code, ...)                   \
	({                                                 \
		int code_ = (code);                        \
		idm_fail_because(err, code_, __VA_ARGS__); \
		code_;                                     \
	})
#endif

#endif

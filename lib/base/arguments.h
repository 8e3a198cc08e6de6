/* SPDX-License-Identifier: MIT */
/* Checks of arguments that many functions have. Each returns 0, or fails in `step` and names the member.
 */
#ifndef IDM_BASE_ARGUMENTS_H
#define IDM_BASE_ARGUMENTS_H

#include <stddef.h>

#include "idmount.h"

/* A descriptor, or -1 for none. -EBADF for less: another call's -errno must not turn an option off. */
__attribute__((format(printf, 4, 5))) int
idm_check_fd_or_none(int fd, enum idm_error_step step, struct idm_error *err, const char *name, ...);

/* A descriptor where none is not allowed. -EBADF for -1 and less. Whether it is open shows later. */
__attribute__((format(printf, 4, 5))) int idm_check_fd(int fd, enum idm_error_step step,
						       struct idm_error *err, const char *name, ...);

/* -EINVAL for NULL with a number above 0. `name` is of the array, `things` of its elements. */
int idm_check_array(const void *array, size_t n, const char *name, const char *things,
		    enum idm_error_step step, struct idm_error *err);

#endif

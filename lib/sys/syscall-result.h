/* SPDX-License-Identifier: MIT */
/* For the syscall-*.c files alone: where negative errnos are born. */
#ifndef IDM_SYS_SYSCALL_RESULT_H
#define IDM_SYS_SYSCALL_RESULT_H

#include <errno.h>

/*
 * The call's result, or -errno; again while a signal handler interrupts it; errno stays as it was. It is
 * not even written where it need not be: in a program that has just forked, its page would have to be
 * copied.
 */
#define CALL(expression)                          \
	({                                        \
		int saved_ = errno;               \
		long r_;                          \
		do                                \
			r_ = (long)(expression);  \
		while (r_ < 0 && errno == EINTR); \
		if (r_ < 0)                       \
			r_ = -errno;              \
		if (errno != saved_)              \
			errno = saved_;           \
		r_;                               \
	})

#endif

/* SPDX-License-Identifier: MIT */
/*
 * On 32-bit machines several calls have two numbers. The old ones have IDs of 16 bits, offsets of 32 bits, or
 * times of 32 bits. The names here are of those that fit the types of this library and its C library.
 * Include it behind <sys/syscall.h>.
 */
#ifndef IDM_SYS_SYSCALL_NUMBERS_H
#define IDM_SYS_SYSCALL_NUMBERS_H

#include <stdint.h>
#include <sys/syscall.h>

#if defined(__i386__) || defined(__arm__)

#undef SYS_geteuid
#define SYS_geteuid __NR_geteuid32
#undef SYS_setfsuid
#define SYS_setfsuid __NR_setfsuid32
#undef SYS_setfsgid
#define SYS_setfsgid __NR_setfsgid32
#undef SYS_setgroups
#define SYS_setgroups __NR_setgroups32
#undef SYS_setresuid
#define SYS_setresuid __NR_setresuid32
#undef SYS_setresgid
#define SYS_setresgid __NR_setresgid32
#undef SYS_fcntl
#define SYS_fcntl __NR_fcntl64
#undef SYS_mmap
#define SYS_mmap __NR_mmap2 /* with a number of pages as offset */

/* In musl, and in glibc with _TIME_BITS=64, struct timespec has 64 bits. syscall-events.c compares that. */
#if defined(_REDIR_TIME64) || defined(__USE_TIME_BITS64)
#define IDM_TIME64 1
#endif
#ifdef IDM_TIME64
#undef SYS_clock_nanosleep
#define SYS_clock_nanosleep __NR_clock_nanosleep_time64
#undef SYS_futex
#define SYS_futex __NR_futex_time64
#undef SYS_ppoll
#define SYS_ppoll __NR_ppoll_time64
#undef SYS_rt_sigtimedwait
#define SYS_rt_sigtimedwait __NR_rt_sigtimedwait_time64
#endif

#endif

/*
 * An offset of 64 bits, as the last three arguments of a call. It needs two registers of 32 bits. On ARM
 * the first of them has an even number.
 */
#if defined(__arm__)
#define IDM_OFFSET_ARGS(at) 0L, (long)(uint32_t)(at), (long)((uint64_t)(at) >> 32)
#elif defined(__i386__)
#define IDM_OFFSET_ARGS(at) (long)(uint32_t)(at), (long)((uint64_t)(at) >> 32), 0L
#else
#define IDM_OFFSET_ARGS(at) (long)(at), 0L, 0L
#endif

#endif

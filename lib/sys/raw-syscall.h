/* SPDX-License-Identifier: MIT */
/*
 * System calls for code that has no libc, or must not touch it: a child that shares the caller's memory
 * shares the errno of the thread that made it, too. They return what the kernel returns: -errno.
 */
#ifndef IDM_SYS_RAW_SYSCALL_H
#define IDM_SYS_RAW_SYSCALL_H

#include <stdint.h>
#include <sys/syscall.h>

#include "syscall-numbers.h"

#define IDM_IS_LITTLE_ENDIAN (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)

/*
 * Whether code can run here without libc: in children that share memory, and in programs of the library.
 * Seccomp has other numbers for big-endian ARM and POWER, see audit-arch.h.
 */
#if (defined(__x86_64__) && defined(__LP64__)) || defined(__i386__) || defined(__aarch64__) || \
	(defined(__arm__) && defined(__ARM_EABI__) && IDM_IS_LITTLE_ENDIAN) ||                  \
	(defined(__riscv) && __riscv_xlen == 64) || defined(__s390x__) ||                      \
	(defined(__powerpc64__) && _CALL_ELF == 2 && IDM_IS_LITTLE_ENDIAN)
#define IDM_RAW_HAS_ASSEMBLY 1
#else
#define IDM_RAW_HAS_ASSEMBLY 0
#endif

#if defined(__x86_64__) && defined(__LP64__)
static inline __attribute__((always_inline)) long idm_raw6(long nr, long a, long b, long c, long d,
							   long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long r;

	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return r;
}
#elif defined(__aarch64__)
static inline __attribute__((always_inline)) long idm_raw6(long nr, long a, long b, long c, long d,
							   long e, long f)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc #0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return x0;
}
#elif defined(__riscv) && __riscv_xlen == 64
static inline __attribute__((always_inline)) long idm_raw6(long nr, long a, long b, long c, long d,
							   long e, long f)
{
	register long a7 __asm__("a7") = nr;
	register long a0 __asm__("a0") = a;
	register long a1 __asm__("a1") = b;
	register long a2 __asm__("a2") = c;
	register long a3 __asm__("a3") = d;
	register long a4 __asm__("a4") = e;
	register long a5 __asm__("a5") = f;

	__asm__ volatile("ecall"
			 : "+r"(a0)
			 : "r"(a7), "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5)
			 : "memory");
	return a0;
}
#elif defined(__i386__)
static inline __attribute__((always_inline)) long idm_raw6(long nr, long a, long b, long c, long d,
							   long e, long f)
{
	long r;

	/* The sixth argument is in the frame pointer, which cannot be an operand. */
	__asm__ volatile("pushl %[f]\n\t"
			 "push %%ebp\n\t"
			 "mov 4(%%esp), %%ebp\n\t"
			 "int $0x80\n\t"
			 "pop %%ebp\n\t"
			 "add $4, %%esp"
			 : "=a"(r)
			 : "a"(nr), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e), [f] "g"(f)
			 : "memory", "cc");
	return r;
}
#elif defined(__arm__) && defined(__ARM_EABI__)
static inline __attribute__((always_inline)) long idm_raw6(long nr, long a, long b, long c, long d,
							   long e, long f)
{
	register long r0 __asm__("r0") = a;
	register long r1 __asm__("r1") = b;
	register long r2 __asm__("r2") = c;
	register long r3 __asm__("r3") = d;
	register long r4 __asm__("r4") = e;
	register long r5 __asm__("r5") = f;
	long saved;

	/* In Thumb code r7, which has the number, can be the frame pointer. */
	__asm__ volatile("mov %[saved], r7\n\t"
			 "mov r7, %[nr]\n\t"
			 "svc #0\n\t"
			 "mov r7, %[saved]"
			 : "+r"(r0), [saved] "=&r"(saved)
			 : [nr] "r"(nr), "r"(r1), "r"(r2), "r"(r3), "r"(r4), "r"(r5)
			 : "memory");
	return r0;
}
#elif defined(__s390x__)
static inline __attribute__((always_inline)) long idm_raw6(long nr, long a, long b, long c, long d,
							   long e, long f)
{
	register long r1 __asm__("r1") = nr;
	register long r2 __asm__("r2") = a;
	register long r3 __asm__("r3") = b;
	register long r4 __asm__("r4") = c;
	register long r5 __asm__("r5") = d;
	register long r6 __asm__("r6") = e;
	register long r7 __asm__("r7") = f;

	__asm__ volatile("svc 0"
			 : "+d"(r2)
			 : "d"(r1), "d"(r3), "d"(r4), "d"(r5), "d"(r6), "d"(r7)
			 : "memory", "cc");
	return r2;
}
#elif defined(__powerpc64__) && _CALL_ELF == 2
static inline __attribute__((always_inline)) long idm_raw6(long nr, long a, long b, long c, long d,
							   long e, long f)
{
	register long r0 __asm__("r0") = nr;
	register long r3 __asm__("r3") = a;
	register long r4 __asm__("r4") = b;
	register long r5 __asm__("r5") = c;
	register long r6 __asm__("r6") = d;
	register long r7 __asm__("r7") = e;
	register long r8 __asm__("r8") = f;

	/* A failed call sets a bit, and returns the positive errno. */
	__asm__ volatile("sc\n\t"
			 "bns+ 1f\n\t"
			 "neg %1, %1\n"
			 "1:"
			 : "+r"(r0), "+r"(r3), "+r"(r4), "+r"(r5), "+r"(r6), "+r"(r7), "+r"(r8)
			 :
			 : "memory", "cr0", "ctr", "r9", "r10", "r11", "r12");
	return r3;
}
#else
#include <errno.h>
#include <unistd.h>
/* By libc, for a child that has a copy of the memory. Others are left out by meson.build there. */
static inline long idm_raw6(long nr, long a, long b, long c, long d, long e, long f)
{
	long r = syscall(nr, a, b, c, d, e, f);

	return r < 0 ? -errno : r;
}
#endif

#define idm_raw_n(nr, a, b, c, d, e, f, ...) \
	idm_raw6(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
/* raw(SYS_close, fd): the arguments that are not given are 0. */
#ifdef __clang_analyzer__
/* It does not look into assembly, and is to think that the kernel may write to whatever is given. */
long idm_raw_any(long nr, ...);
#define raw(nr, ...) idm_raw_any(nr, ##__VA_ARGS__, 0, 0, 0, 0, 0, 0)
#else
#define raw(nr, ...) idm_raw_n(nr, ##__VA_ARGS__, 0, 0, 0, 0, 0, 0)
#endif

__attribute__((noreturn)) static inline void idm_raw_exit(int status)
{
	for (;;)
		raw(SYS_exit_group, status);
}

/* Whether mmap(2) failed, which returns -errno instead of an address. */
static inline int idm_raw_map_failed(long r)
{
	return (unsigned long)r > -4096UL;
}

/* The sixth argument, an offset, is always 0. Returns an address, or -errno. */
static inline long idm_raw_mmap(unsigned long size, int protection, int flags, int fd)
{
#if defined(__s390x__)
	/* There the arguments are in memory. */
	const unsigned long args[6] = { 0, size, (unsigned long)protection, (unsigned long)flags,
					(unsigned long)fd, 0 };

	return raw(SYS_mmap, args);
#else
	return raw(SYS_mmap, 0, size, protection, flags, fd);
#endif
}

static inline long idm_raw_pwrite(int fd, const void *buf, unsigned long size, uint64_t at)
{
	return idm_raw6(SYS_pwrite64, fd, (long)buf, (long)size, IDM_OFFSET_ARGS(at));
}

/* Maps a whole file, shared and writable: its address, or -errno. */
static inline long idm_raw_map_file(int fd, uint64_t *size)
{
	long end = raw(SYS_lseek, fd, 0, 2 /* SEEK_END */);

	*size = (uint64_t)end;
	return end < 0 ? end : idm_raw_mmap((unsigned long)end, 3 /* read, write */, 1 /* MAP_SHARED */, fd);
}

/*
 * The arguments of clone(2), in the order of the architecture. The kernel writes the number of the child to
 * `number` and `inside`, as far as the flags say so.
 */
#if defined(__x86_64__)
#define IDM_CLONE_ARGS(flags, stack, number, inside)                                       \
	{                                                                                  \
		(long)(flags), (long)(stack), (long)(number), (long)(inside), 0            \
	}
#elif defined(__s390x__)
#define IDM_CLONE_ARGS(flags, stack, number, inside)                                       \
	{                                                                                  \
		(long)(stack), (long)(flags), (long)(number), (long)(inside), 0            \
	}
#else
#define IDM_CLONE_ARGS(flags, stack, number, inside)                                       \
	{                                                                                  \
		(long)(flags), (long)(stack), (long)(number), 0, (long)(inside)            \
	}
#endif

/* Forks: the child returns here, on a copy of the stack. */
#define idm_raw_fork(flags, number)                                                        \
	({                                                                                 \
		const long fork_[5] = IDM_CLONE_ARGS(flags, 0, number, 0);                 \
		raw(SYS_clone, fork_[0], fork_[1], fork_[2], fork_[3], fork_[4]);          \
	})

/*
 * Clones by clone(2) or clone3(2), `nr` with its arguments, into `child`, which gets `arg` and never
 * returns. It is on the new stack that is among the arguments. Without one it continues below the
 * caller's frames, as a child of vfork(2) does: in a copy of the memory, or with CLONE_VFORK. For the
 * caller: what the call returns.
 */
long idm_raw_clone(long nr, const long args[5], void (*child)(void *), void *arg);

/*
 * For a program without libc (raw-start.c): this is where it begins. On the stack are argc, the
 * arguments and NULL, the environment and NULL.
 */
__attribute__((noreturn, used)) void idm_raw_main(const uintptr_t *stack);

#endif

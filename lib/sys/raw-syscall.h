/* SPDX-License-Identifier: MIT */
/*
 * System calls for code that has no libc, or must not touch it: a child that shares the caller's memory
 * shares the errno of the thread that made it, too. They return what the kernel returns: -errno.
 */
#ifndef IDM_SYS_RAW_SYSCALL_H
#define IDM_SYS_RAW_SYSCALL_H

#include <stdint.h>
#include <sys/syscall.h>

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

/* Maps a whole file, shared and writable: its address, or -errno. */
static inline long idm_raw_map_file(int fd, uint64_t *size)
{
	long end = raw(SYS_lseek, fd, 0, 2 /* SEEK_END */);

	*size = (uint64_t)end;
	return end < 0 ? end : raw(SYS_mmap, 0, end, 3 /* read, write */, 1 /* MAP_SHARED */, fd);
}

/*
 * Clones by clone(2) or clone3(2), `nr` with its arguments, into `child`, which gets `arg` and never
 * returns. It is on the new stack that is among the arguments. Without one it continues below the
 * caller's frames, as a child of vfork(2) does: in a copy of the memory, or with CLONE_VFORK. For the
 * caller: what the call returns.
 */
#if (defined(__x86_64__) && defined(__LP64__)) || defined(__aarch64__) || \
	(defined(__riscv) && __riscv_xlen == 64)
#define IDM_HAS_RAW_CLONE 1
#else
#define IDM_HAS_RAW_CLONE 0
#endif
long idm_raw_clone(long nr, const long args[5], void (*child)(void *), void *arg);

/*
 * For a program without libc (raw-start.c): this is where it begins. On the stack are argc, the
 * arguments and NULL, the environment and NULL.
 */
__attribute__((noreturn, used)) void idm_raw_main(const uintptr_t *stack);

#endif

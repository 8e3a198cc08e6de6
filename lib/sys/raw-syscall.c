// SPDX-License-Identifier: MIT
#include "raw-syscall.h"

/*
 * The child comes back with all registers as they were, but perhaps another stack pointer. So what it
 * needs is in registers that the kernel leaves alone. Where it has the caller's stack pointer, nothing
 * above that is its own, and on x86-64 the 128 bytes below are not either (the red zone).
 */
#if defined(__x86_64__)
long idm_raw_clone(long nr, const long args[5], void (*child)(void *), void *arg)
{
	register long r10 __asm__("r10") = args[3]; /* analyzer: it has a use, in the assembly */
	register long r8 __asm__("r8") = args[4];   /* analyzer: the same */
	register void (*r12)(void *) __asm__("r12") = child;
	register void *r13 __asm__("r13") = arg;
	long r;

	__asm__ volatile("syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "lea -128(%%rsp), %%rsp\n\t"
			 "and $-16, %%rsp\n\t"
			 "xor %%ebp, %%ebp\n\t" /* the end of a backtrace */
			 "mov %%r13, %%rdi\n\t"
			 "call *%%r12\n\t"
			 "ud2\n"
			 "1:"
			 : "=a"(r)
			 : "a"(nr), "D"(args[0]), "S"(args[1]), "d"(args[2]), "r"(r10), "r"(r8),
			   "r"(r12), "r"(r13)
			 : "rcx", "r11", "memory", "cc");
	return r;
}
#elif defined(__aarch64__)
long idm_raw_clone(long nr, const long args[5], void (*child)(void *), void *arg)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = args[0];
	register long x1 __asm__("x1") = args[1];
	register long x2 __asm__("x2") = args[2];
	register long x3 __asm__("x3") = args[3];
	register long x4 __asm__("x4") = args[4];
	register void (*x10)(void *) __asm__("x10") = child;
	register void *x11 __asm__("x11") = arg;

	__asm__ volatile("svc #0\n\t"
			 "cbnz x0, 1f\n\t"
			 "mov x29, xzr\n\t" /* the end of a backtrace */
			 "mov x0, x11\n\t"
			 "blr x10\n\t"
			 "brk #1\n"
			 "1:"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x10), "r"(x11)
			 : "memory", "cc");
	return x0;
}
#elif defined(__riscv)
long idm_raw_clone(long nr, const long args[5], void (*child)(void *), void *arg)
{
	register long a7 __asm__("a7") = nr;
	register long a0 __asm__("a0") = args[0];
	register long a1 __asm__("a1") = args[1];
	register long a2 __asm__("a2") = args[2];
	register long a3 __asm__("a3") = args[3];
	register long a4 __asm__("a4") = args[4];
	register void (*t1)(void *) __asm__("t1") = child;
	register void *t2 __asm__("t2") = arg;

	__asm__ volatile("ecall\n\t"
			 "bnez a0, 1f\n\t"
			 "mv s0, zero\n\t" /* the end of a backtrace */
			 "mv a0, t2\n\t"
			 "jalr t1\n\t"
			 "ebreak\n"
			 "1:"
			 : "+r"(a0)
			 : "r"(a7), "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(t1), "r"(t2)
			 : "memory");
	return a0;
}
#endif

// SPDX-License-Identifier: MIT
#include "raw-syscall.h"

/*
 * The child comes back with all registers as they were, but perhaps another stack pointer. So what it
 * needs is in registers that the kernel leaves alone. Where it has the caller's stack pointer, nothing
 * above that is its own. Nor is the red zone below: 128 bytes on x86-64, and 288 on ppc64el.
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
#elif defined(__i386__)
/* The fourth argument of clone(2), for CLONE_SETTLS, is never in use. clone3(2) has two arguments. */
long idm_raw_clone(long nr, const long args[5], void (*child)(void *), void *arg)
{
	long r;

	__asm__ volatile("pushl %[child]\n\t"
			 "push %%ebp\n\t"
			 "mov 4(%%esp), %%ebp\n\t"
			 "int $0x80\n\t"
			 "test %%eax, %%eax\n\t"
			 "jnz 1f\n\t"
			 "mov %%ebp, %%eax\n\t"
			 "xor %%ebp, %%ebp\n\t" /* the end of a backtrace */
			 "and $-16, %%esp\n\t"
			 "sub $12, %%esp\n\t"
			 "push %%esi\n\t"
			 "call *%%eax\n\t"
			 "ud2\n"
			 "1:\n\t"
			 "pop %%ebp\n\t"
			 "add $4, %%esp"
			 : "=a"(r)
			 : "a"(nr), "b"(args[0]), "c"(args[1]), "d"(args[2]), "S"(arg), "D"(args[4]),
			   [child] "g"(child)
			 : "memory", "cc");
	return r;
}
#elif defined(__arm__)
long idm_raw_clone(long nr, const long args[5], void (*child)(void *), void *arg)
{
	register long r0 __asm__("r0") = args[0];
	register long r1 __asm__("r1") = args[1];
	register long r2 __asm__("r2") = args[2];
	register long r3 __asm__("r3") = args[3];
	register long r4 __asm__("r4") = args[4];
	register void (*r5)(void *) __asm__("r5") = child;
	register void *r6 __asm__("r6") = arg;
	long saved;

	__asm__ volatile("mov %[saved], r7\n\t"
			 "mov r7, %[nr]\n\t"
			 "svc #0\n\t"
			 "cmp r0, #0\n\t"
			 "bne 1f\n\t"
			 "mov fp, #0\n\t" /* the end of a backtrace */
			 "mov r7, sp\n\t" /* a function expects a multiple of 8 */
			 "bic r7, r7, #7\n\t"
			 "mov sp, r7\n\t"
			 "mov r0, r6\n\t"
			 "blx r5\n\t"
			 "udf #0\n"
			 "1:\n\t"
			 "mov r7, %[saved]"
			 : "+r"(r0), [saved] "=&r"(saved)
			 : [nr] "r"(nr), "r"(r1), "r"(r2), "r"(r3), "r"(r4), "r"(r5), "r"(r6)
			 : "memory", "cc");
	return r0;
}
#elif defined(__s390x__)
long idm_raw_clone(long nr, const long args[5], void (*child)(void *), void *arg)
{
	register long r1 __asm__("r1") = nr;
	register long r2 __asm__("r2") = args[0];
	register long r3 __asm__("r3") = args[1];
	register long r4 __asm__("r4") = args[2];
	register long r5 __asm__("r5") = args[3];
	register long r6 __asm__("r6") = args[4];
	register void (*r8)(void *) __asm__("r8") = child;
	register void *r9 __asm__("r9") = arg;

	__asm__ volatile("svc 0\n\t"
			 "ltgr %%r2, %%r2\n\t"
			 "jnz 1f\n\t"
			 "aghi %%r15, -160\n\t" /* where the function saves registers */
			 "xc 0(8,%%r15), 0(%%r15)\n\t" /* the end of a backtrace */
			 "lgr %%r2, %%r9\n\t"
			 "basr %%r14, %%r8\n\t"
			 ".short 0\n" /* no instruction */
			 "1:"
			 : "+d"(r2)
			 : "d"(r1), "d"(r3), "d"(r4), "d"(r5), "d"(r6), "a"(r8), "a"(r9)
			 : "memory", "cc");
	return r2;
}
#elif defined(__powerpc64__)
long idm_raw_clone(long nr, const long args[5], void (*child)(void *), void *arg)
{
	register long r0 __asm__("r0") = nr;
	register long r3 __asm__("r3") = args[0];
	register long r4 __asm__("r4") = args[1];
	register long r5 __asm__("r5") = args[2];
	register long r6 __asm__("r6") = args[3];
	register long r7 __asm__("r7") = args[4];
	register void (*r14)(void *) __asm__("r14") = child;
	register void *r15 __asm__("r15") = arg;

	__asm__ volatile("sc\n\t"
			 "bns+ 2f\n\t"
			 "neg %1, %1\n"
			 "2:\n\t"
			 "cmpdi %1, 0\n\t"
			 "bne 1f\n\t"
			 "clrrdi 1, 1, 4\n\t"
			 "li 0, 0\n\t"
			 "stdu 0, -320(1)\n\t" /* 288 and 32; the end of a backtrace */
			 "mr 3, 15\n\t"
			 "mr 12, 14\n\t"
			 "mtctr 12\n\t"
			 "bctrl\n\t"
			 "trap\n"
			 "1:"
			 : "+r"(r0), "+r"(r3), "+r"(r4), "+r"(r5), "+r"(r6), "+r"(r7)
			 : "r"(r14), "r"(r15)
			 : "memory", "cr0", "ctr", "r8", "r9", "r10", "r11", "r12");
	return r3;
}
#endif

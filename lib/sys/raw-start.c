// SPDX-License-Identifier: MIT
/* What libc does for other programs: the beginning, and the functions that the compiler calls. */
#include "raw-syscall.h"

/* The compiler may generate calls of both. */
void *memset(void *to, int byte, unsigned long n);
void *memcpy(void *to, const void *from, unsigned long n);

void *memset(void *to, int byte, unsigned long n)
{
	for (unsigned long i = 0; i < n; i++)
		((volatile char *)to)[i] = (char)byte;
	return to;
}

void *memcpy(void *to, const void *from, unsigned long n)
{
	for (unsigned long i = 0; i < n; i++)
		((volatile char *)to)[i] = ((const char *)from)[i];
	return to;
}

#if defined(__arm__)
/* ARM divides by a function of libgcc. That calls raise(3) for a division by 0, and no code here divides by 0. */
int raise(int signal);

int raise(int signal)
{
	(void)signal;
	idm_raw_exit(1);
}
#endif

/* The kernel leaves argc and argv on the stack, and no return address. */
#if defined(__x86_64__)
__asm__(".globl _start\n_start:\n\t"
	"xor %ebp, %ebp\n\t"
	"mov %rsp, %rdi\n\t"
	"and $-16, %rsp\n\t"
	"call idm_raw_main\n\t"
	"ud2\n");
#elif defined(__aarch64__)
__asm__(".globl _start\n_start:\n\t"
	"mov x29, xzr\n\t"
	"mov x30, xzr\n\t"
	"mov x0, sp\n\t"
	"b idm_raw_main\n");
#elif defined(__riscv)
__asm__(".globl _start\n_start:\n\t"
	".option push\n\t"
	".option norelax\n\t"
	"lla gp, __global_pointer$\n\t"
	".option pop\n\t"
	"mv s0, zero\n\t"
	"mv ra, zero\n\t"
	"mv a0, sp\n\t"
	"andi sp, sp, -16\n\t"
	"tail idm_raw_main\n");
#elif defined(__i386__)
__asm__(".globl _start\n_start:\n\t"
	"xor %ebp, %ebp\n\t"
	"mov %esp, %eax\n\t"
	"and $-16, %esp\n\t"
	"sub $12, %esp\n\t"
	"push %eax\n\t"
	"call idm_raw_main\n\t"
	"ud2\n");
#elif defined(__arm__)
/* The linker makes a call of Thumb code out of "bl". */
__asm__(".text\n\t"
	".arm\n\t"
	".align 2\n\t"
	".globl _start\n\t"
	".type _start, %function\n"
	"_start:\n\t"
	"mov fp, #0\n\t"
	"mov lr, #0\n\t"
	"mov r0, sp\n\t"
	"bic sp, sp, #7\n\t"
	"bl idm_raw_main\n\t"
	"udf #0\n\t"
	".size _start, .-_start\n"
#if defined(__thumb__)
	"\t.thumb\n"
#endif
);
#elif defined(__s390x__)
__asm__(".globl _start\n_start:\n\t"
	"lgr %r2, %r15\n\t"
	"aghi %r15, -160\n\t"
	"xc 0(8,%r15), 0(%r15)\n\t"
	"brasl %r14, idm_raw_main\n\t"
	".short 0\n");
#elif defined(__powerpc64__)
/* The kernel leaves the address of _start in r12. */
__asm__(".globl _start\n\t"
	".type _start, @function\n"
	"_start:\n\t"
	"addis 2, 12, .TOC.-_start@ha\n\t"
	"addi 2, 2, .TOC.-_start@l\n\t"
	"mr 3, 1\n\t"
	"clrrdi 1, 1, 4\n\t"
	"li 0, 0\n\t"
	"stdu 0, -32(1)\n\t"
	"mtlr 0\n\t"
	"bl idm_raw_main\n\t"
	"trap\n");
#endif

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
#endif

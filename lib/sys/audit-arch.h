/* SPDX-License-Identifier: MIT */
/* The architecture as a seccomp filter sees it. */
#ifndef IDM_SYS_AUDIT_ARCH_H
#define IDM_SYS_AUDIT_ARCH_H

#include <linux/audit.h>

#if defined(__x86_64__)
#define IDM_AUDIT_ARCH AUDIT_ARCH_X86_64
#elif defined(__i386__)
#define IDM_AUDIT_ARCH AUDIT_ARCH_I386
#elif defined(__aarch64__)
#define IDM_AUDIT_ARCH AUDIT_ARCH_AARCH64
#elif defined(__arm__)
#define IDM_AUDIT_ARCH AUDIT_ARCH_ARM
#elif defined(__s390x__)
#define IDM_AUDIT_ARCH AUDIT_ARCH_S390X
#elif defined(__powerpc64__)
#define IDM_AUDIT_ARCH AUDIT_ARCH_PPC64LE
#elif defined(__riscv)
#define IDM_AUDIT_ARCH AUDIT_ARCH_RISCV64
#else
#define IDM_AUDIT_ARCH 0 /* of no call: a filter with it allows nothing */
#endif

#endif

// SPDX-License-Identifier: MIT
/*
 * The child. What every flag is for:
 *
 *   CLONE_NEWUSER        why it exists. As a clone flag: an unshare() in a child that shares our memory
 *                        would take away *our* dumpable attribute.
 *   CLONE_VM             no page table is copied: the cost does not grow with the caller's memory.
 *   CLONE_FILES          no descriptor table is copied, so that nobody finds a mount or a pipe kept
 *                        busy by a second copy of the caller's descriptors.
 *   CLONE_PIDFD          what we signal and wait for is this process and no other, for ever.
 *   CLONE_CLEAR_SIGHAND  no handler of the caller's can run in the child (Linux 5.5).
 *   exit_signal 0        the parent gets no SIGCHLD; waitpid(-1) in any thread does not see the child;
 *                        SIGCHLD = SIG_IGN does not reap it behind our back. It takes __WALL or __WCLONE
 *                        to do so. (Never exec in such a child: that sets exit_signal to SIGCHLD.)
 *
 * If the caller dies at any point, a zombie is reparented and reaped by init, and a live child gets
 * SIGKILL from the kernel.
 */
#include "holder.h"

#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel.h"

#define HOLDER_FLAGS (CLONE_NEWUSER | CLONE_VM | CLONE_FILES | CLONE_PIDFD)

#define STACK_SIZE 16384

#ifndef CLONE_CLEAR_SIGHAND
#define CLONE_CLEAR_SIGHAND 0x100000000ULL
#endif

/*
 * clone3, with exit(0) as all that the child does. The child shares our stack pointer, so it must not
 * touch memory: the instructions below use registers only, and the compiler puts nothing between them.
 * Returns what clone3 returns to the parent.
 */
#if defined(__x86_64__)
static long clone_and_exit(struct clone_args *args)
{
	long r;

	__asm__ volatile("syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "xor %%edi, %%edi\n\t"
			 "mov %[exit], %%eax\n\t"
			 "syscall\n\t"
			 "ud2\n"
			 "1:"
			 : "=a"(r)
			 : "a"(SYS_clone3), "D"(args), "S"(sizeof(*args)), [exit] "i"(SYS_exit)
			 : "rcx", "r11", "memory", "cc");
	return r;
}
#elif defined(__aarch64__)
static long clone_and_exit(struct clone_args *args)
{
	register long x8 __asm__("x8") = SYS_clone3;
	register long x0 __asm__("x0") = (long)args;
	register long x1 __asm__("x1") = sizeof(*args);

	__asm__ volatile("svc #0\n\t"
			 "cbnz x0, 1f\n\t"
			 "mov x8, %[exit]\n\t" /* x0, the status, is 0 already */
			 "svc #0\n\t"
			 "brk #1\n"
			 "1:"
			 : "+r"(x0), "+r"(x8)
			 : "r"(x1), [exit] "i"(SYS_exit)
			 : "memory", "cc");
	return x0;
}
#elif defined(__riscv) && __riscv_xlen == 64
static long clone_and_exit(struct clone_args *args)
{
	register long a7 __asm__("a7") = SYS_clone3;
	register long a0 __asm__("a0") = (long)args;
	register long a1 __asm__("a1") = sizeof(*args);

	__asm__ volatile("ecall\n\t"
			 "bnez a0, 1f\n\t"
			 "li a7, %[exit]\n\t" /* a0, the status, is 0 already */
			 "ecall\n\t"
			 "ebreak\n"
			 "1:"
			 : "+r"(a0), "+r"(a7)
			 : "r"(a1), [exit] "i"(SYS_exit)
			 : "memory");
	return a0;
}
#else
static long clone_and_exit(struct clone_args *args)
{
	(void)args;
	return -ENOSYS;
}
#endif

static int start_zombie(struct idm_holder *holder)
{
	struct clone_args args = {
		.flags = HOLDER_FLAGS | CLONE_CLEAR_SIGHAND,
		.pidfd = (uint64_t)(uintptr_t)&holder->pidfd,
		.exit_signal = 0,
	};

	return (int)clone_and_exit(&args);
}

/*
 * The slow way's child. It runs on a stack of its own, but shares our memory and with it this thread's
 * errno: so it makes only calls that do not fail. It shares what ThreadSanitizer knows of this thread,
 * too.
 */
__attribute__((no_sanitize("thread"))) static int child_main(void *arg)
{
	const struct idm_holder *holder = arg;

	if (holder->live) {
		/*
		 * "Parent" means the thread that made us, not its process. That thread is inside
		 * idm_userns_open() until we are dead, so it can only end together with the process.
		 */
		syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		/* Had it ended before that call, we would have been given another parent. */
		while (syscall(SYS_getppid) == holder->parent &&
		       !__atomic_load_n(&holder->over, __ATOMIC_ACQUIRE)) {
			struct timespec t = { 0, 10000000 };

			syscall(SYS_ppoll, NULL, 0, &t, NULL, 0); /* no signal but SIGKILL gets here */
		}
	}
	syscall(SYS_exit, 0);
	__builtin_unreachable();
}

/*
 * glibc's clone: for the live child, for architectures without assembly above, and where a seccomp
 * filter refuses clone3 because it cannot look into its arguments.
 */
static int start_on_stack(struct idm_holder *holder)
{
	int vfork = holder->live ? 0 : CLONE_VFORK; /* the stack is free again when this returns */
	int saved = errno;
	void *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);

	errno = saved;
	if (stack == MAP_FAILED)
		return -ENOMEM;
	holder->stack = stack;
	return idm_sys_clone(child_main, (char *)stack + STACK_SIZE,
			     HOLDER_FLAGS | vfork /* exit_signal 0 */, holder, &holder->pidfd);
}

static void free_stack(struct idm_holder *holder)
{
	if (holder->stack)
		munmap(holder->stack, STACK_SIZE);
	holder->stack = NULL;
}

int idm_holder_start(struct idm_holder *holder, bool live)
{
	uint64_t mask;
	int r = -ENOSYS;

	*holder = (struct idm_holder){ .pidfd = -1, .live = live };
	if (live)
		holder->parent = getpid();
	idm_sys_block_signals(&mask);
	if (!live)
		r = start_zombie(holder);
	/* Filters from before clone3 was known say EPERM instead of ENOSYS. */
	if (live || r == -ENOSYS || r == -EPERM)
		r = start_on_stack(holder);
	idm_sys_restore_signals(&mask);
	if (r < 0) {
		free_stack(holder);
		return r;
	}
	holder->number = r;
	return 0;
}

void idm_holder_await_exit(struct idm_holder *holder)
{
	siginfo_t info;

	idm_sys_waitid_pidfd(holder->pidfd, &info, WEXITED | WNOWAIT | __WALL);
}

void idm_holder_end(struct idm_holder *holder)
{
	siginfo_t info;

	if (holder->pidfd < 0)
		return;
	/* Where a filter or a security module refuses that, it looks for itself now and then. */
	if (holder->live && idm_sys_pidfd_send_signal(holder->pidfd, SIGKILL) < 0)
		__atomic_store_n(&holder->over, true, __ATOMIC_RELEASE);
	/* ECHILD: somebody waited with __WALL and took it. Then it is dead just as well. */
	idm_sys_waitid_pidfd(holder->pidfd, &info, WEXITED | __WALL);
	close(holder->pidfd);
	holder->pidfd = -1;
	free_stack(holder);
}

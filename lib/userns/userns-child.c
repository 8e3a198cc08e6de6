// SPDX-License-Identifier: MIT
/*
 * The child, in three ways: a zombie, a live one that shares the caller's memory, and one with a memory
 * of its own (userns-child-main.c). What every flag is for:
 *
 *   CLONE_NEWUSER        why it exists. As a clone flag: an unshare() in a child that shares memory
 *                        would clear the *caller's* dumpable attribute.
 *   CLONE_VM             no page table is copied: the cost does not grow with the caller's memory. Not
 *                        for the third way.
 *   CLONE_FILES          no descriptor table is copied, so that no mount or pipe is kept busy
 *                        by a second copy of the caller's descriptors.
 *   CLONE_PIDFD          the library signals and waits for this process and no other, for ever.
 *   CLONE_CLEAR_SIGHAND  no handler of the caller's can run in the child (Linux 5.5).
 *   exit_signal 0        the parent gets no SIGCHLD; waitpid(-1) in any thread does not see the child;
 *                        SIGCHLD = SIG_IGN does not reap it. Only __WALL or __WCLONE do.
 *                        (Never exec in such a child: that sets exit_signal to SIGCHLD.)
 *
 * If the caller dies at any point, a zombie is reparented and reaped by init, and a live child gets
 * SIGKILL from the kernel.
 */
#include "userns-child.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/macros.h"
#include "lib/sys/procfs.h"
#include "lib/sys/raw-syscall.h"
#include "lib/sys/syscall.h"

#define OWN_FLAGS (CLONE_NEWUSER | CLONE_FILES | CLONE_PIDFD)
#define SHARING_FLAGS (OWN_FLAGS | CLONE_VM)

#define SHARED_SIZE 65536 /* at least a page, on every machine */

#ifndef CLONE_CLEAR_SIGHAND
#define CLONE_CLEAR_SIGHAND 0x100000000ULL
#endif

/*
 * clone3, with exit(0) as all that the child does. The child shares the caller's stack pointer, so it
 * must not touch memory: the instructions below use registers only, and the compiler puts nothing
 * between them. Returns what clone3 returns to the parent.
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
#elif defined(__i386__)
static long clone_and_exit(struct clone_args *args)
{
	long r;

	__asm__ volatile("int $0x80\n\t"
			 "test %%eax, %%eax\n\t"
			 "jnz 1f\n\t"
			 "xor %%ebx, %%ebx\n\t"
			 "mov %[exit], %%eax\n\t"
			 "int $0x80\n\t"
			 "ud2\n"
			 "1:"
			 : "=a"(r)
			 : "a"(SYS_clone3), "b"(args), "c"(sizeof(*args)), [exit] "i"(SYS_exit)
			 : "memory", "cc");
	return r;
}
#elif defined(__arm__) && defined(__ARM_EABI__)
static long clone_and_exit(struct clone_args *args)
{
	register long r0 __asm__("r0") = (long)args;
	register long r1 __asm__("r1") = sizeof(*args);
	long saved;

	/* In Thumb code r7, which has the number, can be the frame pointer. */
	__asm__ volatile("mov %[saved], r7\n\t"
			 "mov r7, %[clone3]\n\t"
			 "svc #0\n\t"
			 "cmp r0, #0\n\t"
			 "bne 1f\n\t"
			 "mov r7, %[exit]\n\t" /* r0, the status, is 0 already */
			 "svc #0\n\t"
			 "udf #0\n"
			 "1:\n\t"
			 "mov r7, %[saved]"
			 : "+r"(r0), [saved] "=&r"(saved)
			 : [clone3] "r"(SYS_clone3), "r"(r1), [exit] "i"(SYS_exit)
			 : "memory", "cc");
	return r0;
}
#elif defined(__s390x__)
static long clone_and_exit(struct clone_args *args)
{
	register long r1 __asm__("r1") = SYS_clone3;
	register long r2 __asm__("r2") = (long)args;
	register long r3 __asm__("r3") = sizeof(*args);

	__asm__ volatile("svc 0\n\t"
			 "ltgr %%r2, %%r2\n\t"
			 "jnz 1f\n\t"
			 "lghi %%r1, %[exit]\n\t" /* r2, the status, is 0 already */
			 "svc 0\n\t"
			 ".short 0\n" /* no instruction */
			 "1:"
			 : "+d"(r1), "+d"(r2)
			 : "d"(r3), [exit] "i"(SYS_exit)
			 : "memory", "cc");
	return r2;
}
#elif defined(__powerpc64__) && _CALL_ELF == 2
static long clone_and_exit(struct clone_args *args)
{
	register long r0 __asm__("r0") = SYS_clone3;
	register long r3 __asm__("r3") = (long)args;
	register long r4 __asm__("r4") = sizeof(*args);

	/* A failed call sets a bit, and returns the positive errno. */
	__asm__ volatile("sc\n\t"
			 "bns+ 2f\n\t"
			 "neg %1, %1\n"
			 "2:\n\t"
			 "cmpdi %1, 0\n\t"
			 "bne 1f\n\t"
			 "li 0, %[exit]\n\t" /* r3, the status, is 0 already */
			 "sc\n\t"
			 "trap\n"
			 "1:"
			 : "+r"(r0), "+r"(r3), "+r"(r4)
			 : [exit] "i"(SYS_exit)
			 : "memory", "cr0", "ctr", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12");
	return r3;
}
#else
static long clone_and_exit(struct clone_args *args)
{
	(void)args;
	return -ENOSYS;
}
#endif

static int start_zombie(struct idm_userns_child *child)
{
	struct clone_args args = {
		.flags = SHARING_FLAGS | CLONE_CLEAR_SIGHAND,
		.pidfd = (uint64_t)(uintptr_t)&child->pidfd,
		.exit_signal = 0,
	};

	return (int)clone_and_exit(&args);
}

/* As in userns-child-main.c. */
__attribute__((no_sanitize("thread"))) static bool is_caller_gone(struct idm_userns_child_shared *shared)
{
	long parent = syscall(SYS_getppid);

	return parent ? parent != shared->parent
		      : syscall(SYS_ppoll, &shared->caller, 1, &shared->at_once, NULL, 0) > 0;
}

/*
 * The child of the second way. It runs on a stack of its own, but shares the caller's memory and with it
 * this thread's errno: so it makes only calls that do not fail. It shares what ThreadSanitizer knows of
 * this thread, too. Without shared memory it is a zombie at once.
 */
__attribute__((no_sanitize("thread"))) static int run_userns_child(void *arg)
{
	struct idm_userns_child_shared *shared = arg;

	if (shared) {
		/*
		 * "Parent" means the thread that made this child, not its process. That thread is inside
		 * idm_userns_open() until the child is dead, so it only exits with the process.
		 */
		syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		/* From then on the kernel kills the child, unless the caller has exited before. */
		while (!is_caller_gone(shared) && !__atomic_load_n(&shared->over, __ATOMIC_ACQUIRE)) {
			struct timespec t = { 0, 10000000 };

			syscall(SYS_ppoll, NULL, 0, &t, NULL, 0); /* no signal but SIGKILL gets here */
		}
	}
	syscall(SYS_exit, 0);
	__builtin_unreachable();
}

static void note_caller(struct idm_userns_child *child)
{
	child->shared->parent = getpid();
	child->own_fd = idm_sys_pidfd_open(getpid());
	child->shared->caller = (struct pollfd){ .fd = child->own_fd, .events = POLLIN };
}

/*
 * glibc's clone: for the live child, for architectures without assembly above, and where a seccomp
 * filter refuses clone3 because it cannot look into its arguments.
 */
static int start_on_stack(struct idm_userns_child *child)
{
	bool live = child->way == IDM_USERNS_CHILD_LIVE;
	int vfork = live ? 0 : CLONE_VFORK; /* the stack is free again when this returns */

	child->shared = idm_sys_map(SHARED_SIZE, MAP_PRIVATE);
	if (!child->shared)
		return -ENOMEM;
	if (live)
		note_caller(child);
	return idm_sys_clone(run_userns_child, (char *)child->shared + SHARED_SIZE,
			     SHARING_FLAGS | vfork /* exit_signal 0 */, live ? child->shared : NULL,
			     &child->pidfd);
}

/* ---- the third way ---- */

#if IDM_RAW_HAS_ASSEMBLY

/* Of glibc from 2.35 on: where the kernel notes which processor a thread runs on. */
extern const ptrdiff_t __rseq_offset __attribute__((weak));

static unsigned long get_thread_pointer(void)
{
	unsigned long at;

#if defined(__x86_64__)
	__asm__("mov %%fs:0, %0" : "=r"(at));
#elif defined(__aarch64__)
	__asm__("mrs %0, tpidr_el0" : "=r"(at));
#elif defined(__i386__)
	__asm__("mov %%gs:0, %0" : "=r"(at));
#elif defined(__arm__)
	__asm__("mrc p15, 0, %0, c13, c0, 3" : "=r"(at));
#elif defined(__s390x__)
	__asm__("ear %0, %%a0\n\t"
		"sllg %0, %0, 32\n\t"
		"ear %0, %%a1"
		: "=d"(at));
#elif defined(__powerpc64__)
	__asm__("mr %0, 13" : "=r"(at));
#else
	__asm__("mv %0, tp" : "=r"(at));
#endif
	return at;
}

/* Whole pages, sorted by their places. */
static void keep_pages(struct idm_userns_child_shared *shared, unsigned long from, unsigned long to)
{
	struct idm_userns_child_range range = { from & -shared->page,
						(to + shared->page - 1) & -shared->page };
	int i = shared->n_kept++;

	for (; i > 0 && shared->kept[i - 1].from > range.from; i--)
		shared->kept[i] = shared->kept[i - 1];
	shared->kept[i] = range;
}

static void keep_needed_pages(struct idm_userns_child_shared *shared)
{
	shared->root[0] = '/';
	shared->page = (unsigned long)sysconf(_SC_PAGESIZE);
	shared->vdso = getauxval(AT_SYSINFO_EHDR);
	keep_pages(shared, (unsigned long)__start_idm_userns_child,
		   (unsigned long)__stop_idm_userns_child);
	keep_pages(shared, (unsigned long)shared, (unsigned long)shared + SHARED_SIZE);
	if (&__rseq_offset) {
		shared->noted = get_thread_pointer() + (unsigned long)__rseq_offset;
		keep_pages(shared, shared->noted, shared->noted + 32);
	}
}

/* The child opens no file, since it shares the descriptor table. */
static void note_mappings(struct idm_userns_child *child)
{
	child->maps_fd = idm_procfs_open_self("maps", IDM_STEP_MAKE_USERNS, NULL);
	child->shared->maps = child->maps_fd;
	child->shared->mapping.size = sizeof(child->shared->mapping);
}

/* Until the child is dumpable, or has ended. */
static void await_ready(struct idm_userns_child *child)
{
	while (!__atomic_load_n(&child->shared->ready, __ATOMIC_ACQUIRE) &&
	       idm_sys_poll(child->pidfd, POLLIN) == 0)
		idm_sys_futex_wait_ms(&child->shared->ready, 0, 10);
}

static int clone_on_shared_stack(struct idm_userns_child *child)
{
	const long call[5] = IDM_CLONE_ARGS(OWN_FLAGS, (char *)child->shared + SHARED_SIZE,
					    &child->pidfd, 0);

	return (int)idm_raw_clone(SYS_clone, call, idm_userns_child_main, child->shared);
}

static int start_own_memory(struct idm_userns_child *child)
{
	struct idm_userns_child_shared *shared = idm_sys_map(SHARED_SIZE, MAP_SHARED);

	if (!shared)
		return -ENOMEM;
	child->shared = shared;
	note_caller(child);
	note_mappings(child);
	keep_needed_pages(shared);
	return clone_on_shared_stack(child);
}

#else

static void await_ready(struct idm_userns_child *child)
{
	(void)child;
}

static int start_own_memory(struct idm_userns_child *child)
{
	(void)child;
	return -EOPNOTSUPP;
}

#endif

/* ---- beginning and end ---- */

static void free_child_shared(struct idm_userns_child *child)
{
	if (child->shared)
		idm_sys_unmap(child->shared, SHARED_SIZE);
	child->shared = NULL;
}

static int start_child_by_way(struct idm_userns_child *child)
{
	int r;

	if (child->way == IDM_USERNS_CHILD_OWN)
		return start_own_memory(child);
	r = child->way == IDM_USERNS_CHILD_ZOMBIE ? start_zombie(child) : -ENOSYS;
	/* Filters from before clone3 was known say EPERM instead of ENOSYS. */
	return r == -ENOSYS || r == -EPERM ? start_on_stack(child) : r;
}

int idm_userns_child_start(struct idm_userns_child *child, enum idm_userns_child_way way)
{
	uint64_t mask;
	int r;

	*child = (struct idm_userns_child){ .pidfd = -1, .way = way, .own_fd = -1, .maps_fd = -1 };
	idm_sys_block_signals(&mask);
	r = start_child_by_way(child);
	idm_sys_restore_signals(&mask);
	if (r < 0) {
		free_child_shared(child);
		idm_close_fd(&child->own_fd);
		idm_close_fd(&child->maps_fd);
		return r;
	}
	child->number = r;
	if (way == IDM_USERNS_CHILD_OWN)
		await_ready(child);
	return 0;
}

/* ECHILD: another thread waited with __WALL and took it. Then it is dead just as well. */
static int await_child_end(const struct idm_userns_child *child, int options)
{
	siginfo_t info;
	int r = idm_sys_waitid_pidfd(child->pidfd, &info, WEXITED | __WALL | options);

	return r == -ECHILD ? 0 : r;
}

void idm_userns_child_await_exit(struct idm_userns_child *child)
{
	await_child_end(child, WNOWAIT);
}

void idm_userns_child_kill(struct idm_userns_child *child)
{
	/* Where a filter or a security module refuses that, it looks for itself now and then. */
	if (child->way != IDM_USERNS_CHILD_ZOMBIE &&
	    idm_sys_pidfd_send_signal(child->pidfd, SIGKILL) < 0)
		__atomic_store_n(&child->shared->over, true, __ATOMIC_RELEASE);
}

/*
 * What is not known to be over is not given back: should waitid(2) be refused, a pidfd is readable when
 * its process has left its memory; and should that be refused, the memory stays mapped.
 */
int idm_userns_child_end(struct idm_userns_child *child)
{
	bool is_over;
	int r;

	if (child->pidfd < 0)
		return 0;
	idm_userns_child_kill(child);
	r = await_child_end(child, 0);
	is_over = r == 0 || idm_sys_poll_until(child->pidfd, POLLIN, NULL) > 0;
	idm_close_fd(&child->pidfd);
	idm_close_fd(&child->own_fd);
	idm_close_fd(&child->maps_fd);
	if (is_over)
		free_child_shared(child);
	return r;
}

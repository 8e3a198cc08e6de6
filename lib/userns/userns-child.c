// SPDX-License-Identifier: MIT
/*
 * The child, in three ways: a zombie, a live one that shares our memory, and one with a memory of its
 * own (userns-child-main.c). What every flag is for:
 *
 *   CLONE_NEWUSER        why it exists. As a clone flag: an unshare() in a child that shares our memory
 *                        would take away *our* dumpable attribute.
 *   CLONE_VM             no page table is copied: the cost does not grow with the caller's memory. Not
 *                        for the third way.
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
#include "userns-child.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/sys/syscall.h"

#if IDM_USERNS_CHILD_HAS_OWN
#include "lib/sys/raw-syscall.h"
#endif

#define OWN_FLAGS (CLONE_NEWUSER | CLONE_FILES | CLONE_PIDFD)
#define HOLDER_FLAGS (OWN_FLAGS | CLONE_VM)

#define ROOM_SIZE 65536 /* at least a page, on every machine */

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

static int start_zombie(struct idm_userns_child *holder)
{
	struct clone_args args = {
		.flags = HOLDER_FLAGS | CLONE_CLEAR_SIGHAND,
		.pidfd = (uint64_t)(uintptr_t)&holder->pidfd,
		.exit_signal = 0,
	};

	return (int)clone_and_exit(&args);
}

/*
 * The child of the second way. It runs on a stack of its own, but shares our memory and with it this
 * thread's errno: so it makes only calls that do not fail. It shares what ThreadSanitizer knows of this
 * thread, too. Without a room it is a zombie at once.
 */
__attribute__((no_sanitize("thread"))) static int child_main(void *arg)
{
	const struct idm_userns_child_room *room = arg;

	if (room) {
		/*
		 * "Parent" means the thread that made us, not its process. That thread is inside
		 * idm_userns_open() until we are dead, so it can only end together with the process.
		 */
		syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		/* Had it ended before that call, we would have been given another parent. */
		while (syscall(SYS_getppid) == room->parent &&
		       !__atomic_load_n(&room->over, __ATOMIC_ACQUIRE)) {
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
static int start_on_stack(struct idm_userns_child *holder)
{
	bool live = holder->way == IDM_USERNS_CHILD_LIVE;
	int vfork = live ? 0 : CLONE_VFORK; /* the stack is free again when this returns */

	holder->room = idm_sys_map(ROOM_SIZE, MAP_PRIVATE);
	if (!holder->room)
		return -ENOMEM;
	holder->room->parent = getpid();
	return idm_sys_clone(child_main, (char *)holder->room + ROOM_SIZE,
			     HOLDER_FLAGS | vfork /* exit_signal 0 */, live ? holder->room : NULL,
			     &holder->pidfd);
}

/* ---- the third way ---- */

#if IDM_USERNS_CHILD_HAS_OWN

/* Of glibc from 2.35 on: where the kernel notes which processor a thread runs on. */
extern const ptrdiff_t __rseq_offset __attribute__((weak));

static unsigned long thread_pointer(void)
{
	unsigned long at;

#if defined(__x86_64__)
	__asm__("mov %%fs:0, %0" : "=r"(at));
#elif defined(__aarch64__)
	__asm__("mrs %0, tpidr_el0" : "=r"(at));
#else
	__asm__("mv %0, tp" : "=r"(at));
#endif
	return at;
}

/* Whole pages, sorted by their places. */
static void keep(struct idm_userns_child_room *room, unsigned long from, unsigned long to)
{
	struct idm_userns_child_range range = { from & -room->page,
						(to + room->page - 1) & -room->page };
	int i = room->n_kept++;

	for (; i > 0 && room->kept[i - 1].from > range.from; i--)
		room->kept[i] = room->kept[i - 1];
	room->kept[i] = range;
}

static void keep_what_is_needed(struct idm_userns_child_room *room)
{
	room->page = (unsigned long)sysconf(_SC_PAGESIZE);
	keep(room, (unsigned long)__start_idm_userns_child, (unsigned long)__stop_idm_userns_child);
	keep(room, (unsigned long)room, (unsigned long)room + ROOM_SIZE);
	if (&__rseq_offset) {
		room->noted = thread_pointer() + (unsigned long)__rseq_offset;
		keep(room, room->noted, room->noted + 32);
	}
}

/* Until the child is dumpable, or has ended. */
static void await_ready(struct idm_userns_child *holder)
{
	while (!__atomic_load_n(&holder->room->ready, __ATOMIC_ACQUIRE) &&
	       idm_sys_poll(holder->pidfd, POLLIN) == 0)
		idm_sys_futex_wait_ms(&holder->room->ready, 0, 10);
}

static int start_own(struct idm_userns_child *holder)
{
	struct idm_userns_child_room *room = idm_sys_map(ROOM_SIZE, MAP_SHARED);
	const long call[5] = { OWN_FLAGS, (long)room + ROOM_SIZE, (long)&holder->pidfd };

	if (!room)
		return -ENOMEM;
	holder->room = room;
	room->parent = getpid();
	keep_what_is_needed(room);
	return (int)idm_raw_clone(SYS_clone, call, idm_userns_child_main, room);
}

#else

static void await_ready(struct idm_userns_child *holder)
{
	(void)holder;
}

static int start_own(struct idm_userns_child *holder)
{
	(void)holder;
	return -EOPNOTSUPP;
}

#endif

/* ---- beginning and end ---- */

static void free_room(struct idm_userns_child *holder)
{
	if (holder->room)
		munmap(holder->room, ROOM_SIZE);
	holder->room = NULL;
}

static int start(struct idm_userns_child *holder)
{
	int r;

	if (holder->way == IDM_USERNS_CHILD_OWN)
		return start_own(holder);
	r = holder->way == IDM_USERNS_CHILD_ZOMBIE ? start_zombie(holder) : -ENOSYS;
	/* Filters from before clone3 was known say EPERM instead of ENOSYS. */
	return r == -ENOSYS || r == -EPERM ? start_on_stack(holder) : r;
}

int idm_userns_child_start(struct idm_userns_child *holder, enum idm_userns_child_way way)
{
	uint64_t mask;
	int r;

	*holder = (struct idm_userns_child){ .pidfd = -1, .way = way };
	idm_sys_block_signals(&mask);
	r = start(holder);
	idm_sys_restore_signals(&mask);
	if (r < 0) {
		free_room(holder);
		return r;
	}
	holder->number = r;
	if (way == IDM_USERNS_CHILD_OWN)
		await_ready(holder);
	return 0;
}

/* ECHILD: another thread waited with __WALL and took it. Then it is dead just as well. */
static int await_end(const struct idm_userns_child *holder, int options)
{
	siginfo_t info;
	int r = idm_sys_waitid_pidfd(holder->pidfd, &info, WEXITED | __WALL | options);

	return r == -ECHILD ? 0 : r;
}

void idm_userns_child_await_exit(struct idm_userns_child *holder)
{
	await_end(holder, WNOWAIT);
}

void idm_userns_child_kill(struct idm_userns_child *holder)
{
	/* Where a filter or a security module refuses that, it looks for itself now and then. */
	if (holder->way != IDM_USERNS_CHILD_ZOMBIE &&
	    idm_sys_pidfd_send_signal(holder->pidfd, SIGKILL) < 0)
		__atomic_store_n(&holder->room->over, true, __ATOMIC_RELEASE);
}

/*
 * What is not known to be over is not given back: should waitid(2) be refused, a pidfd is readable when
 * its process has left its memory; and should that be refused, the room stays where it is.
 */
int idm_userns_child_end(struct idm_userns_child *holder)
{
	bool is_over;
	int r;

	if (holder->pidfd < 0)
		return 0;
	idm_userns_child_kill(holder);
	r = await_end(holder, 0);
	is_over = r == 0 || idm_sys_poll_until(holder->pidfd, POLLIN, NULL) > 0;
	close(holder->pidfd);
	holder->pidfd = -1;
	if (is_over)
		free_room(holder);
	return r;
}

// SPDX-License-Identifier: MIT
/*
 * The clone. What every flag is for:
 *
 *   CLONE_VM             no page table is copied: the cost does not grow with the caller's memory.
 *   CLONE_PIDFD          the caller signals and waits for this process and no other, for ever.
 *   CLONE_CHILD_CLEARTID says when the child has left the caller's memory. CLONE_VFORK says that, too,
 *                        but it suspends the caller and gets in the way of a debugger.
 *   CLONE_CLEAR_SIGHAND  no handler of the caller's can run in the child (Linux 5.5).
 *   CLONE_INTO_CGROUP    it is born there: not one page is charged to the caller's cgroup (Linux
 *                        5.7).
 *   exit_signal 0        until the child executes something, no other wait of the caller's can see or
 *                        reap it. A fork server waits for any child, and learns of this one by SIGCHLD.
 *
 * Not CLONE_FILES and not CLONE_FS: the child arranges its descriptors and changes its root.
 */
#include <errno.h>
#include <sched.h>
#include <sys/syscall.h>

#include "internal.h"
#include "lib/spawn/executor/executor.h"
#include "lib/sys/child-stack.h"
#include "lib/sys/syscall.h"

#ifndef CLONE_CLEAR_SIGHAND
#define CLONE_CLEAR_SIGHAND 0x100000000ULL
#endif
#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL /* Linux 5.7 */
#endif

int idm_child_make_stack(struct idm_child *child)
{
	child->stack = idm_child_stack_new();
	return child->stack ? 0 : -ENOMEM;
}

void idm_child_free_stack(struct idm_child *child)
{
	idm_child_stack_free(child->stack);
	child->stack = NULL;
}

static long clone_by_clone3(struct idm_child *child, uint64_t flags, int cgroup)
{
	struct clone_args args = {
		.flags = flags | CLONE_CLEAR_SIGHAND | (cgroup >= 0 ? CLONE_INTO_CGROUP : 0),
		.pidfd = (uint64_t)(uintptr_t)&child->pidfd,
		.child_tid = (uint64_t)(uintptr_t)&child->inside,
		.stack = (uint64_t)(uintptr_t)child->stack,
		.stack_size = IDM_CHILD_STACK_SIZE,
		.exit_signal = (uint64_t)child->exit_signal,
		.cgroup = (uint64_t)cgroup,
	};
	const long call[5] = { (long)&args, sizeof(args) };

	return idm_raw_clone(SYS_clone3, call, idm_vfork_child, child->request);
}

/* Where a seccomp filter refuses clone3 because it cannot look into its arguments. */
static long clone_legacy(struct idm_child *child, uint64_t flags)
{
	const long stack = (long)(child->stack + IDM_CHILD_STACK_SIZE);
	const long legacy = (long)(flags | (uint64_t)child->exit_signal);
#if defined(__x86_64__)
	const long call[5] = { legacy, stack, (long)&child->pidfd, (long)&child->inside, 0 };
#else
	const long call[5] = { legacy, stack, (long)&child->pidfd, 0, (long)&child->inside };
#endif

	child->request->flags |= IDM_REQUEST_RESET_HANDLED;
	return idm_raw_clone(SYS_clone, call, idm_vfork_child, child->request);
}

void idm_child_await_leaving(struct idm_child *child)
{
	while (__atomic_load_n(&child->inside, __ATOMIC_ACQUIRE))
		idm_sys_futex_wait(&child->inside, 1);
}

int idm_child_clone(struct idm_child *child, uint64_t flags, int cgroup)
{
	uint64_t mask;
	long r;

	if (child->request->flags & IDM_REQUEST_EXECUTOR)
		idm_child_put_own_capabilities(child->request);
	flags |= CLONE_VM | CLONE_PIDFD | CLONE_CHILD_CLEARTID;
	child->inside = 1;
	/* All, until the program is executed: the handlers are the caller's, and so is the memory. */
	idm_sys_block_signals(&mask);
	r = clone_by_clone3(child, flags, cgroup);
	/* Filters from before clone3 was known say EPERM instead of ENOSYS. */
	if ((r == -ENOSYS || r == -EPERM) && cgroup < 0)
		r = clone_legacy(child, flags);
	idm_sys_restore_signals(&mask);
	if (r < 0)
		return (int)r;
	child->pid = (pid_t)r;
	return 0;
}

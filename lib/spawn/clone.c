// SPDX-License-Identifier: MIT
/*
 * Clones the first process. The flags:
 *
 *   CLONE_VM             The kernel copies no page table: the cost does not grow with memory.
 *   CLONE_PIDFD          The caller signals and reaps this process, and can never hit another one.
 *   CLONE_CHILD_CLEARTID The kernel reports when the child has left the caller's memory. CLONE_VFORK
 *                        does so, too, but it suspends the caller and disturbs debuggers.
 *   CLONE_CLEAR_SIGHAND  No handler of the caller can run in the child (Linux 5.5).
 *   CLONE_INTO_CGROUP    The child starts in the cgroup: the caller's pays for no page (Linux 5.7).
 *   exit_signal 0        Until the child executes something, no other wait in the caller sees or reaps
 *                        it. A fork server waits for any child, so it gets SIGCHLD.
 *
 * CLONE_FILES and CLONE_FS are not set: the child arranges its descriptors and changes its root.
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

/* For seccomp filters that refuse clone3 because they cannot inspect its arguments. */
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
		idm_child_store_capabilities(child->request);
	flags |= CLONE_VM | CLONE_PIDFD | CLONE_CHILD_CLEARTID;
	child->inside = 1;
	/* All signals stay blocked until exec: the handlers and the memory are the caller's. */
	idm_sys_block_signals(&mask);
	r = clone_by_clone3(child, flags, cgroup);
	/* Filters older than clone3 answer EPERM instead of ENOSYS. */
	if ((r == -ENOSYS || r == -EPERM) && cgroup < 0)
		r = clone_legacy(child, flags);
	idm_sys_restore_signals(&mask);
	if (r < 0)
		return (int)r;
	child->pid = (pid_t)r;
	return 0;
}

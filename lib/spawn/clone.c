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
 *
 * Compiled twice: for the library, and for the fork server, which has no libc.
 */
#include <errno.h>
#include <linux/capability.h>
#include <linux/futex.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/securebits.h>

#include "internal.h"
#include "lib/spawn/executor/executor.h"
#include "lib/sys/child-stack.h"

#ifndef CLONE_CLEAR_SIGHAND
#define CLONE_CLEAR_SIGHAND 0x100000000ULL
#endif
#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL /* Linux 5.7 */
#endif

static long clone_by_clone3(struct idm_child *child, uint64_t flags, int cgroup)
{
	struct clone_args args = {
		.flags = flags | CLONE_CLEAR_SIGHAND | CLONE_PARENT_SETTID |
			 (cgroup >= 0 ? CLONE_INTO_CGROUP : 0),
		.pidfd = (uint64_t)(uintptr_t)&child->pidfd,
		.parent_tid = (uint64_t)(uintptr_t)&child->inside, /* before the child runs */
		.child_tid = (uint64_t)(uintptr_t)&child->inside,
		.stack = (uint64_t)(uintptr_t)child->stack,
		.stack_size = IDM_CHILD_STACK_SIZE,
		.exit_signal = (uint64_t)child->exit_signal,
		.cgroup = (uint64_t)cgroup,
	};
	const long call[5] = { (long)&args, sizeof(args) };

	return idm_raw_clone(SYS_clone3, call, idm_vfork_child, child->request);
}

/*
 * For seccomp filters that refuse clone3 because they cannot inspect its arguments. This call uses the
 * place of the number for the pidfd. So the child itself writes the number, before all else.
 */
static long clone_legacy(struct idm_child *child, uint64_t flags)
{
	const long call[5] =
		IDM_CLONE_ARGS(flags | CLONE_CHILD_SETTID | (uint64_t)child->exit_signal,
			       child->stack + IDM_CHILD_STACK_SIZE, &child->pidfd, &child->inside);

	child->request->flags |= IDM_REQUEST_RESET_HANDLED;
	return idm_raw_clone(SYS_clone, call, idm_vfork_child, child->request);
}

void idm_child_await_leaving(struct idm_child *child)
{
	uint32_t number;

	while ((number = __atomic_load_n(&child->inside, __ATOMIC_ACQUIRE)) != 0)
		raw(SYS_futex, &child->inside, FUTEX_WAIT, number);
}

long idm_child_store_capabilities(struct idm_request *request)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	struct idm_request_caps *own = &request->own;
	int root = raw(SYS_geteuid) == 0 && !(raw(SYS_prctl, PR_GET_SECUREBITS) & SECBIT_NOROOT);
	long r = raw(SYS_capget, &header, data);

	if (r < 0)
		return r;
	own->effective = (uint64_t)data[1].effective << 32 | data[0].effective;
	own->permitted = (uint64_t)data[1].permitted << 32 | data[0].permitted;
	own->inheritable = (uint64_t)data[1].inheritable << 32 | data[0].inheritable;
	for (int i = 0; i < 64; i++)
		if (raw(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, i) > 0)
			own->ambient |= 1ULL << i;
	if (!root && own->permitted)
		request->flags |= IDM_REQUEST_RAISE_AMBIENT;
	return 0;
}

int idm_child_clone(struct idm_child *child, uint64_t flags, int cgroup)
{
	long r;

	if (child->request->flags & IDM_REQUEST_EXECUTOR)
		idm_child_store_capabilities(child->request);
	flags |= CLONE_VM | CLONE_PIDFD | CLONE_CHILD_CLEARTID;
	child->inside = IDM_CHILD_NOT_CLONED;
	r = clone_by_clone3(child, flags, cgroup);
	/* Filters older than clone3 answer EPERM instead of ENOSYS. */
	if ((r == -ENOSYS || r == -EPERM) && cgroup < 0)
		r = clone_legacy(child, flags);
	if (r < 0)
		return (int)r;
	child->pid = (pid_t)r;
	return 0;
}

// SPDX-License-Identifier: MIT
/*
 * The child has no stack of its own. It continues on that of the calling thread, below the functions
 * that the thread is in, as a child of vfork(2) does. The thread is suspended until the child exits, or
 * the child has a copy. A stack of its own would cost three calls, and a page fault.
 */
#include "clone-deaf.h"

#include <sched.h>

#include "lib/base/macros.h"
#include "raw-syscall.h"
#include "syscall.h"

/*
 * The kernel writes the number of the pidfd before it asks the cgroup for a further process. If the
 * cgroup refuses that (pids.max), the number is free again, and another thread may get it.
 */
static void forget_number(int result, int *pidfd)
{
	if (result < 0)
		*pidfd = -1;
}

#if IDM_RAW_HAS_ASSEMBLY

#if IDM_ASAN
#include <sanitizer/asan_interface.h>
#endif

struct deaf_child {
	int (*run)(void *);
	void *arg;
};

/* It never returns, so ThreadSanitizer would find the thread in it for ever. */
__attribute__((no_sanitize("thread"))) static void run_deaf_child(void *data)
{
	const struct deaf_child *child = data;

	child->run(child->arg);
	for (;;)
		raw(SYS_exit, 0);
}

/*
 * A child may have been killed inside of a function. AddressSanitizer then still has notes on the
 * variables of that function, which would be wrong for the next one in that place.
 */
static void forget_killed_child(void)
{
#if IDM_ASAN
	enum { MOST = 1 << 16 };

	__asan_unpoison_memory_region((char *)__builtin_frame_address(0) - MOST, MOST);
#endif
}

static int clone_deaf(const struct deaf_child *child, int flags, int *pidfd)
{
	const long call[5] = IDM_CLONE_ARGS(flags, 0 /* no other stack */, pidfd, 0);
	int r = (int)idm_raw_clone(SYS_clone, call, run_deaf_child, (void *)child);

	forget_killed_child();
	return r;
}

int idm_clone_deaf(int (*run)(void *), int flags, void *arg, int *pidfd)
{
	const struct deaf_child child = { run, arg };
	uint64_t mask;
	int r;

	idm_sys_block_signals(&mask);
	r = clone_deaf(&child, CLONE_PIDFD | flags /* exit_signal 0 */, pidfd);
	idm_sys_restore_signals(&mask);
	forget_number(r, pidfd);
	return r;
}

#else

#include <errno.h>

#include "child-stack.h"

/* Only libc can clone here, and it insists on another stack. */
int idm_clone_deaf(int (*run)(void *), int flags, void *arg, int *pidfd)
{
	char *stack = idm_child_stack_new();
	uint64_t mask;
	int r;

	if (!stack)
		return -ENOMEM;
	idm_sys_block_signals(&mask);
	r = idm_sys_clone(run, stack + IDM_CHILD_STACK_SIZE, CLONE_PIDFD | flags /* exit_signal 0 */,
			  arg, pidfd);
	idm_sys_restore_signals(&mask);
	/* The child has its own copy, or (CLONE_VFORK) has left it. */
	idm_child_stack_free(stack);
	forget_number(r, pidfd);
	return r;
}

#endif

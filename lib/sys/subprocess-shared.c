// SPDX-License-Identifier: MIT
/*
 * The subprocess that shares the caller's memory. What every flag is for:
 *
 *   CLONE_VM      no page table is copied: the cost does not grow with the caller's memory.
 *   CLONE_VFORK   the caller's thread is suspended until the child has left the memory. So the two never
 *                 use the thread's own memory (errno, the sanitizers' notes) at the same time, and the
 *                 child's stack is free when clone(2) returns. Other threads run on.
 *   CLONE_FILES   descriptors that the child opens are the caller's.
 *   CLONE_PIDFD   the library waits for this process and no other.
 *   no CLONE_FS   the child may change its working directory, its root and its mount namespace.
 *   exit signal 0 no SIGCHLD, and no waitpid(-1) sees the child.
 *
 * docs/design.md has the proof. Its parts that this file carries out:
 *
 * The child runs on the suspended thread's errno and cancellation type. It can be killed at any point,
 * also between the lines in which libc changes these and restores them. So the caller restores both.
 *
 * The child of the library must not change credentials. The kernel would clear the dumpable attribute of
 * the shared memory, which is the caller's, or let another process trace it. The service's child does.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "subprocess-work.h"
#include "syscall.h"

/* The thread's own memory, as far as system calls by libc change it. */
struct thread_state {
	int error, cancel_type;
};

static struct thread_state save_thread(void)
{
	struct thread_state state = { .error = errno };

	pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &state.cancel_type);
	return state;
}

static void restore_thread(const struct thread_state *state)
{
	int ignored;

	pthread_setcanceltype(state->cancel_type, &ignored);
	errno = state->error;
}

static int run_sharing(struct idm_subprocess *process, struct idm_work *work)
{
	const struct thread_state state = save_thread();
	int r = idm_work_start(work, CLONE_VM | CLONE_VFORK, process);

	restore_thread(&state);
	return r;
}

/* The same with a copy of the caller's memory. */
static int run_copying(int (*run)(void *data), void *data, size_t size)
{
	void *shared = idm_subprocess_memory(size);
	int r;

	if (!shared)
		return -ENOMEM;
	memcpy(shared, data, size);
	r = idm_subprocess(run, shared);
	memcpy(data, shared, size);
	idm_subprocess_memory_free(shared, size);
	return r;
}

static int do_sharing(struct idm_subprocess *process, struct idm_work *work, size_t size)
{
	int r = run_sharing(process, work);

	/* Linux 5.6 to 6.1 refuse that to a thread that has unshared a time namespace. */
	if (r == -EINVAL)
		return run_copying(work->run, work->data, size);
	if (r < 0)
		return r;
	return work->done ? work->result : -ESRCH;
}

int idm_subprocess_run_shared(struct idm_subprocess *process, int (*run)(void *data), void *data,
			      size_t size)
{
	struct idm_work work = { .run = run, .data = data };

	return do_sharing(process, &work, size);
}

static int do_and_reap(struct idm_work *work, size_t size)
{
	struct idm_subprocess process;
	int r = do_sharing(&process, work, size);

	idm_subprocess_end(&process);
	return r;
}

int idm_subprocess_shared(int (*run)(void *data), void *data, size_t size)
{
	struct idm_work work = { .run = run, .data = data };

	return do_and_reap(&work, size);
}

int idm_subprocess_shared_again(int (*run)(void *data), void *data, size_t size)
{
	struct idm_work work = { .run = run, .data = data, .had_child = true };

	return do_and_reap(&work, size);
}

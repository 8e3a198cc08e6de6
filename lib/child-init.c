// SPDX-License-Identifier: MIT
/*
 * Of the stage: the init of a PID namespace. It is what the stage becomes: a process with one program,
 * one stack and no descriptor.
 */
#include <errno.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/wait.h>
#include <signal.h>

#include "child-steps.h"

static char program_stack[16384] __attribute__((aligned(16)));

/* Reaps all that have ended. When it is the program, all others go with us. */
static void reap(long program)
{
	int status;
	long pid;

	while ((pid = raw(SYS_wait4, -1, &status, WNOHANG | __WALL, 0)) > 0 || pid == -EINTR) {
		if (pid != program)
			continue;
		idm_raw_exit((status & 0x7f) ? 128 + (status & 0x7f) : status >> 8 & 0xff);
	}
}

/*
 * A terminal sends its signals to all of a process group, so that the program has got them by itself,
 * unless it is in another group than we.
 */
__attribute__((noreturn)) static void serve(long program, int same_group)
{
	static const uint64_t all = ~0ULL;
	siginfo_t info;

	for (;;) {
		long signal = raw(SYS_rt_sigtimedwait, &all, &info, 0, sizeof(all));

		if (signal == SIGCHLD)
			reap(program);
		else if (signal > 0 && !(same_group && info.si_code == SI_KERNEL))
			raw(SYS_kill, program, signal);
	}
}

/*
 * The program is process 2, whatever was started before it to make the root (set_tid, Linux 5.5). Where
 * a filter refuses clone3(2), it gets the next number.
 */
static long clone_program(struct idm_job *job, void (*start)(void *job))
{
	const uint64_t flags = CLONE_VM | CLONE_VFORK;
	static const int32_t number = 2;
	struct clone_args numbered = { .flags = flags,
				       .exit_signal = SIGCHLD,
				       .stack = (uintptr_t)program_stack,
				       .stack_size = sizeof(program_stack),
				       .set_tid = (uintptr_t)&number,
				       .set_tid_size = 1 };
	const long args3[5] = { (long)&numbered, sizeof(numbered) };
	const long args[5] = { (long)(flags | SIGCHLD), (long)(program_stack + sizeof(program_stack)) };
	long r = idm_raw_clone(SYS_clone3, args3, start, job);

	return r < 0 ? idm_raw_clone(SYS_clone, args, start, job) : r;
}

void idm_child_init(struct idm_job *job, void (*start)(void *job))
{
	int same_group = !(job->flags & IDM_JOB_SESSION) && job->process_group == 0;
	uint32_t size = job->size;
	long r;

	raw(SYS_prctl, PR_SET_NAME, "idm-init");
	idm_child_die_with_caller(job);
	idm_job_begin(job, IDM_CHILD_STEP_INIT, 0, 0);
	r = clone_program(job, start);
	if (r < 0)
		idm_job_fail(job, r);
	if (job->report.error)
		idm_raw_exit(1);
	raw(SYS_munmap, job, size);
	raw(SYS_chdir, "/");
	/* Also the lock on the job: the caller sees that it is done. */
	raw(SYS_close_range, 0, ~0U, 0);
	serve(r, same_group);
}

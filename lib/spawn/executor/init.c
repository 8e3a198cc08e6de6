// SPDX-License-Identifier: MIT
/*
 * Part of the executor: the init of a PID namespace. The executor becomes a process with one program,
 * one stack and no descriptors.
 */
#include <errno.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/wait.h>
#include <signal.h>

#include "executor.h"

static char program_stack[16384] __attribute__((aligned(16)));

/* Reaps all zombies. Exits when the program has exited: the kernel then kills all other processes. */
static void reap_zombies(long program)
{
	int status;
	long pid;

	while ((pid = raw(SYS_wait4, -1, &status, WNOHANG | __WALL, 0)) > 0 || pid == -EINTR) {
		if (pid != program)
			continue;
		idm_raw_exit((status & 0x7f) ? 128 + (status & 0x7f) : status >> 8 & 0xff);
	}
}

/* The signals that a terminal sends to a process group. */
static int is_sent_by_terminals(long signal)
{
	static const uint64_t set = 1ULL << (SIGHUP - 1) | 1ULL << (SIGINT - 1) | 1ULL << (SIGQUIT - 1) |
				    1ULL << (SIGTSTP - 1) | 1ULL << (SIGTTIN - 1) |
				    1ULL << (SIGTTOU - 1) | 1ULL << (SIGCONT - 1) |
				    1ULL << (SIGWINCH - 1);

	return set >> (signal - 1) & 1;
}

enum group {
	CALLERS_GROUP, /* the program is in the init's own: the terminal signals both */
	OWN_GROUP,     /* the program leads one, in the session of the init */
	OWN_SESSION    /* the program leads its own session */
};

/*
 * The kernel ignores SIGTSTP in a process group whose leader's parent is in another session, because no
 * shell could continue that group. The caller sent the stop and can continue it, so this sends SIGSTOP.
 */
static void forward_to_group(long program, enum group group, long signal)
{
	if (group == OWN_SESSION && signal == SIGTSTP)
		signal = SIGSTOP;
	if (raw(SYS_kill, -program, signal) < 0)
		raw(SYS_kill, program, signal); /* it has left its group */
}

/*
 * Forwards every signal of another process. Of the kernel's signals it forwards those of a terminal; all
 * others concern the init itself.
 */
static void forward_signal(long program, enum group group, long signal, const siginfo_t *info)
{
	int by_kernel = info->si_code > 0;
	int to_group = info->si_code == SI_QUEUE && info->si_value.sival_int == IDM_SIGNAL_GROUP;

	if (by_kernel && (group == CALLERS_GROUP || !is_sent_by_terminals(signal)))
		return;
	if (group != CALLERS_GROUP && (by_kernel || to_group))
		forward_to_group(program, group, signal);
	else
		raw(SYS_kill, program, signal);
}

__attribute__((noreturn)) static void serve_as_init(long program, enum group group)
{
	static const uint64_t all = ~0ULL;
	siginfo_t info;

	for (;;) {
		long signal = raw(SYS_rt_sigtimedwait, &all, &info, 0, sizeof(all));

		if (signal == SIGCHLD)
			reap_zombies(program);
		else if (signal > 0)
			forward_signal(program, group, signal, &info);
	}
}

/*
 * Makes the program process 2, even if earlier processes made the root (set_tid, Linux 5.5). If a filter
 * refuses clone3(2), the program gets the next number.
 */
static long clone_program(struct idm_request *request, void (*start)(void *request))
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
	const long args[5] = IDM_CLONE_ARGS(flags | SIGCHLD, program_stack + sizeof(program_stack), 0, 0);
	long r = idm_raw_clone(SYS_clone3, args3, start, request);

	return r < 0 ? idm_raw_clone(SYS_clone, args, start, request) : r;
}

/*
 * Moves the init out of the caller's session, too. A program without a terminal gets a process group in
 * the init's session, so SIGTSTP can stop it. A program with a terminal must lead the session.
 */
static enum group leave_caller_session(struct idm_request *request)
{
	long r;

	if (!(request->flags & IDM_REQUEST_SESSION))
		return request->process_group < 0 ? OWN_GROUP : CALLERS_GROUP;
	idm_request_begin(request, IDM_CHILD_STEP_SESSION, 0, 0);
	r = raw(SYS_setsid);
	if (r < 0)
		idm_request_fail(request, r);
	if (request->terminal_fd >= 0)
		return OWN_SESSION;
	request->flags &= ~IDM_REQUEST_SESSION;
	request->process_group = -1;
	return OWN_GROUP;
}

void idm_child_init(struct idm_request *request, void (*start)(void *request))
{
	enum group group = leave_caller_session(request);
	uint32_t size = request->size;
	long r;

	raw(SYS_prctl, PR_SET_NAME, "idm-init");
	idm_child_die_with_caller(request);
	idm_request_begin(request, IDM_CHILD_STEP_INIT, 0, 0);
	r = clone_program(request, start);
	if (r < 0)
		idm_request_fail(request, r);
	if (request->report.error)
		idm_raw_exit(1);
	raw(SYS_munmap, request, size);
	raw(SYS_chdir, "/");
	/* This also releases the lock on the request: the caller sees that the start is done. */
	raw(SYS_close_range, 0, ~0U, 0);
	serve_as_init(r, group);
}

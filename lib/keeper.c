// SPDX-License-Identifier: MIT
/*
 * The program's side of the keeper.
 *
 * The keeper has a copy of the program's memory and nothing else of it. Not its descriptor table,
 * although that would save passing descriptors: the end of the program is known by the socket's hanging
 * up, which it would not do if the keeper had both ends. It never execs and has no exit signal, so
 * nobody in the program takes it by mistake; not that it would matter much, since what happened to it is
 * read off its sockets.
 */
#include "keeper.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>

#include "error.h"
#include "exit.h"
#include "keeper-main.h"
#include "kernel.h"
#include "procfs.h"
#include "seccomp-probe.h"
#include "util.h"

static const enum idm_error_step step_keep = IDM_STEP_START_KEEPER;
static const enum idm_error_step step_start = IDM_STEP_START_PROGRAM;

#define STACK_SIZE 65536

/* ---- beginning and end ---- */

/*
 * All signals are blocked, for good: a ^C at the terminal is not meant for it. Its stack is not a part
 * of the caller's, which may be a small one.
 */
static int start_process(struct idm_keeper *keeper, struct idm_keeper_ends *ends)
{
	char *stack = idm_sys_map(STACK_SIZE, MAP_PRIVATE);
	uint64_t mask;
	int r;

	if (!stack)
		return -ENOMEM;
	idm_sys_block_signals(&mask);
	r = idm_sys_clone(idm_keeper_main, stack + STACK_SIZE, CLONE_PIDFD /* exit_signal 0 */, ends,
			  &keeper->pidfd);
	idm_sys_restore_signals(&mask);
	munmap(stack, STACK_SIZE); /* the keeper has its own copy */
	return r;
}

/* It says so when it has let go of the program's descriptors. */
static int await_answer(int control, int fds[IDM_SEND_FDS], size_t *n_fds)
{
	struct idm_keeper_answer answer;
	ssize_t n = idm_keeper_receive(control, &answer, sizeof(answer), fds, n_fds);

	if (n < 0)
		return n == -ECONNRESET ? -ESRCH : (int)n;
	return n == sizeof(answer) ? answer.r : -ESRCH;
}

static int begin(struct idm_keeper *keeper, struct idm_keeper_ends *ends)
{
	int fds[IDM_SEND_FDS], r;
	size_t n_fds;

	ends->keep[0] = ends->orphans < ends->control ? ends->orphans : ends->control;
	ends->keep[1] = ends->orphans < ends->control ? ends->control : ends->orphans;
	r = start_process(keeper, ends);
	if (r < 0)
		return r;
	close(idm_take_fd(&ends->control));
	return await_answer(keeper->control, fds, &n_fds);
}

int idm_keeper_begin(struct idm_keeper *keeper, bool orphans, struct idm_error *err)
{
	struct idm_keeper_ends ends = { -1, -1, { -1, -1 } };
	int control[2] = { -1, -1 }, reports[2] = { -1, -1 }, r;

	r = idm_refused_waitid();
	if (r < 0) /* a child that could not be reaped is not started */
		return idm_fail(err, r, step_keep, NULL, "a seccomp filter refuses waitid(2)");
	if (idm_procfs_child_would_be_init())
		return idm_fail(err, -EBUSY, step_keep, NULL,
				"this thread has unshared a PID namespace that has no init yet");
	r = idm_sys_socketpair(control);
	if (r == 0 && orphans)
		r = idm_sys_pipe(reports);
	keeper->control = control[0];
	keeper->orphans = reports[0];
	ends.control = control[1];
	ends.orphans = reports[1];
	if (r == 0)
		r = begin(keeper, &ends);
	idm_close_fd(&ends.control);
	idm_close_fd(&ends.orphans);
	if (r < 0) {
		idm_keeper_end(keeper);
		return idm_fail(err, r, step_keep, NULL, NULL);
	}
	return 0;
}

/* It ends by itself; not here if a forked child of ours has the socket too. So it is killed. */
void idm_keeper_end(struct idm_keeper *keeper)
{
	struct idm_process process;
	siginfo_t info;

	idm_close_fd(&keeper->control);
	idm_close_fd(&keeper->orphans);
	if (keeper->pidfd >= 0 && idm_exit_expect(keeper->pidfd, &process) == 0) {
		idm_sys_pidfd_send_signal(keeper->pidfd, SIGKILL);
		idm_sys_waitid_pidfd(keeper->pidfd, &info, WEXITED | __WALL);
	}
	idm_close_fd(&keeper->pidfd);
	*keeper = (struct idm_keeper){ -1, -1, -1 };
}

/* ---- a request ---- */

/* How many there are, and the bytes that they need. */
static uint32_t count(char *const *strings, size_t *bytes)
{
	uint32_t n = 0;

	for (; strings && strings[n]; n++)
		*bytes += strlen(strings[n]) + 1;
	return n;
}

static char *put_strings(char *at, char *const *strings, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		at = stpcpy(at, strings[i]) + 1;
	return at;
}

/* The descriptors that there are go out in their order, and each finds out its place in the packet. */
static size_t put_fds(int *places, const struct idm_program *program, int *fds)
{
	size_t n = REQUEST_FDS;

	for (size_t i = 0; i < program->n_fds; i++) {
		places[i] = program->fds[i] < 0 ? -1 : (int)n;
		if (program->fds[i] >= 0)
			fds[n++] = program->fds[i];
	}
	return n;
}

static uint64_t signal_mask(void)
{
	uint64_t mask;

	idm_sys_block_signals(&mask);
	idm_sys_restore_signals(&mask);
	return mask;
}

/* A file with the request, and the descriptors that it speaks of from `fds[REQUEST_FDS]` on. */
static int write_request(const struct idm_program *program, int *fds, size_t *n_fds)
{
	struct idm_keeper_request head = { .n_fds = (uint32_t)program->n_fds, .signals = signal_mask() };
	AUTO_CLOSE int file = -1;
	AUTO_FREE char *text = NULL;
	size_t bytes = 0;
	int r;

	head.argc = count(program->argv, &bytes);
	head.envc = count(program->envp, &bytes);
	if (bytes > INT32_MAX)
		return -E2BIG; /* as execve would say; then the pointers are not too many either */
	head.pointers = (uint32_t)((sizeof(head) + head.n_fds * sizeof(int) + 7) / 8 * 8);
	head.strings = head.pointers + (uint32_t)((head.argc + head.envc + 2) * sizeof(char *));
	text = calloc(1, head.strings + bytes);
	if (!text)
		return -ENOMEM;
	memcpy(text, &head, sizeof(head));
	*n_fds = put_fds((int *)(void *)(text + sizeof(head)), program, fds);
	put_strings(put_strings(text + head.strings, program->argv, head.argc), program->envp,
		    head.envc);

	file = idm_sys_memfd("idm-start", false);
	r = file < 0 ? file : idm_sys_write_all(file, text, head.strings + bytes);
	return r < 0 ? r : idm_take_fd(&file);
}

/* The pidfd. -EMFILE also: there was no room for it, and the child is dead. */
static int send_request(struct idm_keeper *keeper, const struct idm_program *program, int report,
			pid_t *pid)
{
	AUTO_CLOSE int file = -1, directory = -1;
	int fds[IDM_SEND_FDS], got[IDM_SEND_FDS], r;
	size_t n_fds = 0, n_got = 0;
	char start = 0, taken;
	ssize_t n;

	file = write_request(program, fds, &n_fds);
	if (file < 0)
		return file;
	directory = idm_sys_openat(AT_FDCWD, ".", O_PATH | O_DIRECTORY, 0);
	if (directory < 0)
		return directory;
	fds[REQUEST_FILE] = file;
	fds[REQUEST_DIRECTORY] = directory;
	fds[REQUEST_REPORT] = report;
	n = idm_keeper_send(keeper->control, &start, sizeof(start), fds, n_fds);
	if (n < 0)
		return n == -EPIPE || n == -ECONNRESET ? -ESRCH : (int)n;
	/* Room for the pidfd. */
	idm_close_fd(&file);
	idm_close_fd(&directory);
	file = directory = -1;
	r = await_answer(keeper->control, got, &n_got);
	*pid = r;
	if (r < 0)
		return r;
	taken = n_got > 0;
	idm_keeper_send(keeper->control, &taken, sizeof(taken), NULL, 0);
	return taken ? got[0] : -EMFILE;
}

int idm_keeper_start(struct idm_keeper *keeper, const struct idm_program *program, int *report,
		     pid_t *pid, struct idm_error *err)
{
	int ends[2] = { -1, -1 }, r = idm_sys_pipe(ends), pidfd;
	const char *name = program->argv[0];

	if (r < 0)
		return idm_fail(err, r, step_start, name, NULL);
	pidfd = send_request(keeper, program, ends[1], pid);
	close(ends[1]);
	if (pidfd < 0) {
		close(ends[0]);
		return idm_fail(err, pidfd, step_start, name,
				pidfd == -ESRCH ? "the keeper is not there any more" : NULL);
	}
	r = idm_exit_pid(pidfd); /* the keeper may count in another PID namespace */
	if (r > 0)
		*pid = r;
	*report = ends[0];
	return pidfd;
}

int idm_keeper_take(int report, pid_t pid, struct idm_exit *exit)
{
	ssize_t n = idm_sys_read(report, exit, sizeof(*exit));

	if (n == -EAGAIN)
		return 0;
	if (n < 0)
		return (int)n;
	if (n != sizeof(*exit))
		*exit = (struct idm_exit){ .code = IDM_EXIT_LOST, .status = -1 };
	if (pid)
		exit->pid = pid;
	return 1;
}

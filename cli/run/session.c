// SPDX-License-Identifier: MIT
/* Serves the program until its exit: its signals and its terminal. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "cli/common/report.h"
#include "pty.h"
#include "run.h"

/* More than a terminal can hold. */
#define LAST_OUTPUT 131072
/* How long standard output may accept nothing after a signal has asked to end. */
#define PATIENCE_MS 1000

enum { SIGNALS, PROCESS, TERMINAL, SOURCES = TERMINAL + TERMINAL_SOURCES };

/* Until the program has exited. False: standard output is gone, as for a program that gets SIGPIPE. */
static bool serve_until_exit(struct run_session *s)
{
	struct pollfd fds[SOURCES] = {
		[SIGNALS] = { .fd = s->signals, .events = POLLIN },
		[PROCESS] = { .fd = s->pidfd, .events = POLLIN },
	};

	for (;;) {
		terminal_expect(&s->terminal, fds + TERMINAL);
		if (poll(fds, SOURCES, -1) < 0) {
			if (errno == EINTR)
				continue;
			return true;
		}
		if (fds[SIGNALS].revents)
			run_signals_pass_on(s);
		terminal_serve(&s->terminal, fds + TERMINAL);
		if (s->terminal.error == EPIPE)
			return false;
		if (fds[PROCESS].revents)
			return true;
	}
}

/*
 * Passes on the last output of the program. Standard output may be slow, until a signal asks this
 * process to end. Returns false if such a signal has come by now.
 */
static bool drain(struct run_session *s)
{
	struct pollfd fds[] = { { .fd = s->signals, .events = POLLIN },
				{ .fd = STDOUT_FILENO, .events = POLLOUT } };
	struct pollfd terminal[TERMINAL_SOURCES] = { 0 };
	int patience = s->told ? PATIENCE_MS : -1, r;
	size_t left = LAST_OUTPUT;

	s->told = 0;
	while (terminal_has_output(&s->terminal, &left)) {
		r = poll(fds, 2, patience);
		if (r == 0 || (r < 0 && errno != EINTR))
			return true;
		if (r > 0 && fds[0].revents)
			run_signals_pass_on(s);
		if (s->told)
			return false;
		terminal[TERMINAL_SOURCES - 1].revents = r > 0 ? fds[1].revents : 0;
		terminal_serve(&s->terminal, terminal);
	}
	return true;
}

int run_session_begin(struct run_session *session, int terminal_master)
{
	int status = run_signals_begin(session);

	if (status == DONE)
		terminal_begin(&session->terminal, terminal_master);
	return status;
}

static int wait_for_program(struct run_session *s)
{
	struct idm_exit_info exit;
	struct idm_error err;

	if (idm_child_wait(s->pidfd, -1, &exit, &err) < 0) {
		report_error(&err);
		return RUN_FAILED;
	}
	return exit.code == CLD_EXITED ? exit.status : 128 + exit.status;
}

int run_session_serve(struct run_session *s, int pidfd)
{
	bool drained = true;
	int status, error;

	s->pidfd = pidfd;
	if (serve_until_exit(s))
		drained = drain(s);
	else
		idm_child_signal(pidfd, SIGKILL, NULL);
	error = s->terminal.error;
	run_session_end(s);
	status = wait_for_program(s);
	if (error == EPIPE)
		return 128 + SIGPIPE;
	if (error) {
		report_failure("write to standard output: %s", strerror(error));
		return RUN_FAILED;
	}
	if (!drained)
		return 128 + s->told;
	s->died_of_it = s->interrupted && status == 128 + SIGINT;
	return status;
}

void run_session_end(struct run_session *session)
{
	terminal_end(&session->terminal);
	if (session->signals >= 0)
		close(session->signals);
	session->signals = -1;
}

// SPDX-License-Identifier: MIT
/* Staying with the program: its signals, its terminal, its end. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "report.h"
#include "run.h"
#include "terminal.h"

/* Those that somebody sends on purpose, and that can be waited for. */
static const int forwarded[] = { SIGHUP,  SIGINT,  SIGQUIT, SIGTERM, SIGUSR1,
				 SIGUSR2, SIGCONT, SIGALRM, SIGWINCH };

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(forwarded) / sizeof(forwarded[0]); i++)
		sigaddset(&set, forwarded[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void forward(int signals, int pidfd, const struct terminal *t)
{
	struct signalfd_siginfo info;

	while (read(signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGWINCH) {
			terminal_resize(t);
			if (t->master >= 0)
				continue; /* the kernel tells the program */
		}
		/* The terminal has sent it to the program too, which is in our process group. */
		if (t->master < 0 && info.ssi_code == SI_KERNEL)
			continue;
		idm_child_signal(pidfd, (int)info.ssi_signo, NULL);
	}
}

enum { SIGNALS, PROCESS, OUTPUT, INPUT, SOURCES };

/* Until the program has ended. */
static void serve(int signals, int pidfd, struct terminal *t)
{
	struct pollfd fds[SOURCES] = {
		[SIGNALS] = { .fd = signals, .events = POLLIN },
		[PROCESS] = { .fd = pidfd, .events = POLLIN },
		[OUTPUT] = { .fd = t->master, .events = POLLIN },
		[INPUT] = { .fd = t->input ? STDIN_FILENO : -1, .events = POLLIN },
	};

	for (;;) {
		if (poll(fds, SOURCES, -1) < 0) {
			if (errno == EINTR)
				continue;
			return;
		}
		if (fds[SIGNALS].revents)
			forward(signals, pidfd, t);
		if (fds[OUTPUT].revents && !terminal_copy_out(t))
			fds[OUTPUT].fd = -1;
		if (fds[INPUT].revents && !terminal_copy_in(t))
			fds[INPUT].fd = -1;
		if (fds[PROCESS].revents)
			return;
	}
}

/* What the program has written last. Nobody else holds its terminal by now, so that it comes to an end.
 */
static void drain(struct terminal *t)
{
	struct pollfd fd = { .fd = t->master, .events = POLLIN };

	while (t->master >= 0 && poll(&fd, 1, 0) > 0 && fd.revents & POLLIN && terminal_copy_out(t))
		;
}

int run_session_begin(struct run_session *session, int terminal_master)
{
	session->signals = open_signals();
	if (session->signals < 0)
		return report_failure("signalfd: %s", strerror(errno));
	terminal_begin(&session->terminal, terminal_master);
	return DONE;
}

int run_session_serve(struct run_session *session, int pidfd)
{
	struct idm_exit exit;
	struct idm_error err;

	serve(session->signals, pidfd, &session->terminal);
	drain(&session->terminal);
	run_session_end(session);
	if (idm_child_wait(pidfd, -1, &exit, &err) < 0) {
		report_error(&err);
		return RUN_FAILED;
	}
	return exit.code == CLD_EXITED ? exit.status : 128 + exit.status;
}

void run_session_end(struct run_session *session)
{
	terminal_end(&session->terminal);
	if (session->signals >= 0)
		close(session->signals);
	session->signals = -1;
}

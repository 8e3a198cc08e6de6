// SPDX-License-Identifier: MIT
/*
 * The program is in another session or process group than that of the caller's terminal. So this process
 * gets all signals, also those of the keyboard, and passes them on.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli/common/report.h"
#include "run.h"

#define BIT(signal) (1ULL << ((signal)-1))

/*
 * Signals that are not passed on. By SIGTTIN and SIGTTOU the caller's terminal stops this process when
 * it reads in the background. The program never reads that terminal. SIGCHLD reports that the program
 * has exited.
 */
#define LEFT (BIT(SIGKILL) | BIT(SIGSTOP) | BIT(SIGCHLD) | BIT(SIGTTIN) | BIT(SIGTTOU))

/* Signals that a terminal sends. All other signals of the kernel concern this process. */
#define OF_TERMINALS \
	(BIT(SIGHUP) | BIT(SIGINT) | BIT(SIGQUIT) | BIT(SIGTSTP) | BIT(SIGCONT) | BIT(SIGWINCH))

/* Signals that do not ask the program to end. */
#define HARMLESS (BIT(SIGCONT) | BIT(SIGTSTP) | BIT(SIGURG) | BIT(SIGWINCH))

static uint64_t find_ignored(void)
{
	struct sigaction now;
	uint64_t ignored = 0;

	for (int s = 1; s <= 64; s++)
		if (sigaction(s, NULL, &now) == 0 && now.sa_handler == SIG_IGN)
			ignored |= BIT(s);
	return ignored;
}

/* Not sigprocmask(3) and signalfd(3): those leave out 32 and 33, which libc reserves for threads. */
int run_signals_begin(struct run_session *s)
{
	uint64_t set = ~LEFT;

	s->ignored = find_ignored();
	set &= ~(s->ignored & BIT(SIGHUP)); /* nohup(1) */
	syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, sizeof(set));
	s->signals = (int)syscall(SYS_signalfd4, -1, &set, sizeof(set), SFD_CLOEXEC | SFD_NONBLOCK);
	return s->signals < 0 ? report_failure("signalfd: %s", strerror(errno)) : DONE;
}

/*
 * A typed signal is sent to all of a process group. Without an init the program leads its own group. Its
 * number cannot become another process's before this process has waited for it.
 */
static void send_to_group(const struct run_session *s, int signal)
{
	if (s->init)
		idm_child_signal_group(s->pidfd, signal, NULL);
	else /* no other process could continue it after SIGTSTP */
		kill(-s->pid, signal == SIGTSTP ? SIGSTOP : signal);
}

/* ---- being stopped ---- */

static bool was_continued(void)
{
	static const struct timespec now = { 0 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCONT);
	return sigtimedwait(&set, NULL, &now) == SIGCONT;
}

/*
 * Stops this process, as the caller's shell expects. The kernel does not stop it if no shell could
 * continue it.
 */
static void stop_self(void)
{
	struct sigaction stop = { .sa_handler = SIG_DFL }, before;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTSTP);
	sigaction(SIGTSTP, &stop, &before);
	raise(SIGTSTP);
	sigprocmask(SIG_UNBLOCK, &set, NULL); /* here it comes */
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigaction(SIGTSTP, &before, NULL);
}

static void stop(struct run_session *s)
{
	send_to_group(s, SIGTSTP);
	terminal_leave(&s->terminal);
	if (!was_continued())
		stop_self();
	was_continued(); /* that is done below */
	terminal_return(&s->terminal);
	send_to_group(s, SIGCONT);
}

/* ---- passing on ---- */

/*
 * A caller that ignores typed signals, as a shell's background job does, requests the same for the
 * program.
 */
static bool is_for_the_program(const struct run_session *s, const struct signalfd_siginfo *info)
{
	uint64_t bit = BIT(info->ssi_signo);

	/* An alarm that the caller has set outlives its exec of this program. */
	if (info->ssi_code > 0)
		return bit & (OF_TERMINALS | BIT(SIGALRM)) && !(bit & s->ignored);
	/* SIGPIPE and SIGXFSZ are caused by writes of this process. */
	return info->ssi_pid != (uint32_t)getpid();
}

static void pass_signal_on(struct run_session *s, const struct signalfd_siginfo *info)
{
	int signal = (int)info->ssi_signo;
	bool typed = info->ssi_code > 0 && BIT(signal) & OF_TERMINALS;

	if (!is_for_the_program(s, info))
		return;
	if (!(BIT(signal) & HARMLESS))
		s->told = signal;
	if (signal == SIGINT && typed)
		s->interrupted = true;
	if (signal == SIGTSTP)
		stop(s);
	else if (signal == SIGWINCH && s->terminal.master >= 0)
		terminal_resize(&s->terminal); /* the kernel tells the program */
	else if (typed)
		send_to_group(s, signal);
	else
		idm_child_signal(s->pidfd, signal, NULL);
	if (signal == SIGCONT)
		terminal_return(&s->terminal);
}

void run_signals_pass_on(struct run_session *s)
{
	struct signalfd_siginfo info;

	while (read(s->signals, &info, sizeof(info)) == sizeof(info))
		pass_signal_on(s, &info);
}

/* ---- the end ---- */

/* A shell stops its script only if the program has died of Ctrl-C. */
void run_signals_die_of(int signal)
{
	struct sigaction die = { .sa_handler = SIG_DFL };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signal);
	sigaction(signal, &die, NULL);
	raise(signal);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

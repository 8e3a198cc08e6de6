// SPDX-License-Identifier: MIT
/* Waits for a child and signals it, by its pidfd alone. */
#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "internal.h"
#include "lib/base/cancel.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/pidfd.h"
#include "lib/sys/syscall.h"

static const enum idm_error_step step_wait = IDM_STEP_WAIT_FOR_CHILD,
				 step_signal = IDM_STEP_SIGNAL_CHILD;

static int diagnose_pidfd(int code, int pidfd, enum idm_error_step step, struct idm_error *err)
{
	if (code == -EBADF)
		return idm_fail(err, code, step, NULL, "descriptor %d is not %s", pidfd,
				idm_sys_fd_flags(pidfd) < 0 ? "open" : "a pidfd");
	if (code == -EINVAL)
		return idm_fail(err, code, step, NULL,
				"the process is outside the caller's PID namespace");
	return idm_fail_errno(err, code, step, NULL);
}

/*
 * Returns 0 if the status is unknown: before Linux 6.13 without the call, before 6.15 without the
 * status.
 */
static int read_exit_status(int pidfd, struct idm_exit_info *exit)
{
	struct idm_pidfd_info info;

	if (idm_pidfd_get_info(pidfd, IDM_PIDFD_INFO_EXIT, &info) < 0 ||
	    !(info.mask & IDM_PIDFD_INFO_EXIT))
		return 0;
	exit->pid = 0; /* a reaped process has no number */
	idm_exit_from_status(exit, info.exit_code);
	return 1;
}

static bool has_exit_info(int pidfd)
{
	struct idm_pidfd_info info;
	int r = idm_pidfd_get_info(pidfd, IDM_PIDFD_INFO_EXIT, &info);

	return r == 0 || r == -ESRCH;
}

static int report_timeout(struct idm_error *err)
{
	return idm_fail(err, -ETIMEDOUT, step_wait, NULL, "the child has not exited");
}

/*
 * The process has exited, but waitid(2) reports that it is not the caller's child. Another thread reaped
 * it or is about to, or it never was a child of this process. A pidfd keeps the exit status of a reaped
 * process. POLLHUP says that it was reaped (Linux 6.9).
 */
static int await_other_reaper(int pidfd, const struct timespec *deadline, struct idm_exit_info *exit,
			      struct idm_error *err)
{
	int r = has_exit_info(pidfd) ? idm_sys_poll_until(pidfd, 0, deadline) : 1;

	if (r == 0)
		return report_timeout(err);
	if (r > 0 && read_exit_status(pidfd, exit))
		return 0;
	idm_fail(err, -ECHILD, step_wait, NULL, "another wait consumed its status");
	idm_hint(err, "another part of this process waits for any child, or ignores SIGCHLD; from Linux "
		      "6.15 on the pidfd keeps the status");
	return -ECHILD;
}

/*
 * Another process traces the child, and receives its exit first. The pidfd is readable all that time. It
 * comes up anew in an edge-triggered epoll when the tracer is done.
 */
static int await_tracer(int pidfd, const struct timespec *deadline, siginfo_t *info)
{
	AUTO_CLOSE int epoll = idm_sys_epoll_create();
	int r = epoll < 0 ? epoll : idm_sys_epoll_add(epoll, pidfd, EPOLLIN | EPOLLET, NULL);
	void *unused;

	while (r == 0 && !info->si_pid) {
		r = idm_sys_poll_until(epoll, POLLIN, deadline);
		if (r <= 0)
			return r < 0 ? r : -ETIMEDOUT;
		idm_sys_epoll_take(epoll, &unused);
		r = idm_sys_waitid_pidfd(pidfd, info, WEXITED | WNOHANG | __WALL);
	}
	return r;
}

/* Reaps a process that has exited. Without a deadline the kernel waits for the tracer. */
static int reap_exited(int pidfd, const struct timespec *deadline, siginfo_t *info)
{
	int flags = WEXITED | __WALL | (deadline ? WNOHANG : 0);
	int r = idm_sys_waitid_pidfd(pidfd, info, flags);

	return r == 0 && !info->si_pid ? await_tracer(pidfd, deadline, info) : r;
}

int idm_child_wait(int pidfd, int timeout_ms, struct idm_exit_info *exit, struct idm_error *err)
{
	HOLD_CANCEL;
	/* analyzer: that is its address, for idm_sys_deadline() to fill it in */
	struct timespec deadline, *until = timeout_ms < 0 ? NULL : &deadline;
	struct idm_exit_info unused;
	siginfo_t info = { 0 };
	int r;

	if (timeout_ms < -1)
		return idm_fail(err, -EINVAL, step_wait, NULL,
				"expected a timeout of -1 or more, got %d", timeout_ms);
	if (until)
		idm_sys_deadline(until, timeout_ms);
	/* The one call that rejects other descriptors, before any of them is polled. */
	r = idm_sys_pidfd_send_signal(pidfd, 0);
	if (r == -EBADF || r == -EINVAL)
		return diagnose_pidfd(r, pidfd, step_wait, err);
	r = idm_sys_poll_until(pidfd, POLLIN, until);
	if (r == 0)
		return report_timeout(err);
	if (r < 0)
		return idm_fail_errno(err, r, step_wait, NULL);
	r = reap_exited(pidfd, until, &info);
	if (r == -ETIMEDOUT)
		return report_timeout(err);
	if (r == -ECHILD)
		return await_other_reaper(pidfd, until, exit ? exit : &unused, err);
	if (r < 0)
		return diagnose_pidfd(r, pidfd, step_wait, err);
	if (exit)
		*exit = (struct idm_exit_info){ info.si_pid, info.si_code, info.si_status };
	return 0;
}

static int diagnose_signal(int code, int pidfd, int signal, struct idm_error *err)
{
	if (code == -ESRCH)
		return idm_fail(err, code, step_signal, NULL, "the child has exited and was reaped");
	if (code == -EINVAL && (signal < 0 || signal > 64))
		return idm_fail(err, code, step_signal, NULL, "expected a signal from 0 to 64, got %d",
				signal);
	return diagnose_pidfd(code, pidfd, step_signal, err);
}

int idm_child_signal(int pidfd, int signal, struct idm_error *err)
{
	HOLD_CANCEL;
	int r = idm_sys_pidfd_send_signal(pidfd, signal);

	return r < 0 ? diagnose_signal(r, pidfd, signal, err) : 0;
}

/*
 * An init is alone in its process group, or in the caller's. The value of the signal tells it to signal
 * the program's group. Other programs ignore the value.
 */
int idm_child_signal_group(int pidfd, int signal, struct idm_error *err)
{
	HOLD_CANCEL;
	siginfo_t info = { .si_signo = signal, .si_code = SI_QUEUE };
	int r;

	info.si_pid = getpid();
	info.si_uid = getuid();
	info.si_value.sival_int = IDM_SIGNAL_GROUP;
	r = idm_sys_pidfd_send_siginfo(pidfd, &info, IDM_PIDFD_SIGNAL_PROCESS_GROUP);
	if (r == -EINVAL || r == -ESRCH) /* an older kernel; or the process leads no group */
		r = idm_sys_pidfd_send_siginfo(pidfd, &info, 0);
	return r < 0 ? diagnose_signal(r, pidfd, signal, err) : 0;
}

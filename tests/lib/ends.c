// SPDX-License-Identifier: MIT
#include "ends.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct child child_start_with(uint64_t flags, int exit_signal, void (*body)(void *), void *arg)
{
	struct child c = { .pidfd = -1 };
	struct clone_args args = {
		.flags = CLONE_PIDFD | flags,
		.pidfd = (uint64_t)(uintptr_t)&c.pidfd,
		.exit_signal = (uint64_t)exit_signal,
	};

	c.pid = (pid_t)must(syscall(SYS_clone3, &args, sizeof(args)));
	if (c.pid == 0) {
		body(arg);
		_exit(0);
	}
	return c;
}

struct child child_start(void (*body)(void *), void *arg)
{
	return child_start_with(0, SIGCHLD, body, arg);
}

static void exit_with(void *status)
{
	_exit(*(int *)status);
}

struct child child_exiting(int status)
{
	return child_start(exit_with, &status);
}

static void stay(void *unused)
{
	(void)unused;
	for (;;)
		pause();
}

struct child child_staying(void)
{
	return child_start(stay, NULL);
}

static void be_traced(void *status)
{
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
	_exit(*(int *)status);
}

struct child child_traced(int status)
{
	return child_start(be_traced, &status);
}

/* Until its SIGCHLD has been sent, too: that comes after the pidfd is readable, but before one may wait.
 */
void child_await_zombie(const struct child *c)
{
	struct pollfd end = { .fd = c->pidfd, .events = POLLIN };
	siginfo_t info;

	assert_int_equal(must(TEMP_FAILURE_RETRY(poll(&end, 1, -1))), 1);
	waitid((idtype_t)P_PIDFD, (id_t)c->pidfd, &info, WEXITED | WNOHANG | WNOWAIT | __WALL);
}

void child_kill(const struct child *c)
{
	must(syscall(SYS_pidfd_send_signal, c->pidfd, SIGKILL, NULL, 0));
	child_await_zombie(c);
}

void child_close(struct child *c)
{
	close(c->pidfd);
	c->pidfd = -1;
}

bool is_readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return must(TEMP_FAILURE_RETRY(poll(&p, 1, 0))) == 1;
}

struct idm_reaper *reaper_new(void)
{
	struct idm_reaper *reaper;
	struct idm_error err;

	assert_ok(idm_reaper_new(&reaper, &err), &err);
	return reaper;
}

pid_t forkserver_of(struct idm_reaper *reaper)
{
	const char *const argv[] = { "sh", "-c", "echo $PPID >&9", NULL };
	struct idm_child_options o = IDM_CHILD_OPTIONS_INIT;
	struct idm_exit_info exit;
	struct idm_error err;
	char text[32] = "";
	int out[2];

	must(pipe2(out, O_CLOEXEC));
	o.path = "/bin/sh";
	o.argv = argv;
	o.fds = &(struct idm_child_fd){ out[1], 9 };
	o.n_fds = 1;
	close((int)assert_ok(idm_reaper_start(reaper, &o, IDM_REAPER_ADD_HOLD, out, &err), &err));
	assert_ok(idm_reaper_wait(reaper, out, -1, &exit, &err), &err);
	assert_exit(&exit, 0, CLD_EXITED, 0);
	must(read(out[0], text, sizeof(text) - 1));
	close(out[0]);
	close(out[1]);
	return atoi(text);
}

void assert_exit_at(const char *file, int line, const struct idm_exit_info *exit, pid_t pid, int code,
		    int status)
{
	if ((pid && exit->pid != pid) || exit->code != code || exit->status != status)
		fail_at(file, line, "the end is of %d, code %d, status %d; expected %d, %d, %d",
			(int)exit->pid, exit->code, exit->status, (int)pid, code, status);
}

void assert_next_at(const char *file, int line, struct idm_reaper *reaper, const void *data, pid_t pid,
		    int code, int status)
{
	struct idm_exit_info exit;
	struct idm_error err;
	void *whose = &exit;

	assert_ok_at(file, line, "idm_reaper_next", idm_reaper_next(reaper, -1, &exit, &whose, &err),
		     &err);
	assert_exit_at(file, line, &exit, pid, code, status);
	if (whose != data)
		fail_at(file, line, "the end of %d is another's", (int)exit.pid);
}

void assert_nothing_at(const char *file, int line, struct idm_reaper *reaper)
{
	struct idm_exit_info exit = { 0 };
	struct idm_error err;
	int r = idm_reaper_next(reaper, 0, &exit, NULL, &err);

	if (r != -ETIMEDOUT)
		assert_ok_at(file, line, "idm_reaper_next", r, &err);
	if (r == 0)
		fail_at(file, line, "there is the end of %d, code %d, status %d", (int)exit.pid,
			exit.code, exit.status);
	if (is_readable(idm_reaper_fd(reaper)))
		fail_at(file, line, "the reaper is readable, and has nothing");
}

void want_descriptors(unsigned int n)
{
	struct rlimit limit;

	must(getrlimit(RLIMIT_NOFILE, &limit));
	n += 100;
	if (limit.rlim_cur >= n)
		return;
	limit.rlim_cur = n;
	if (limit.rlim_max < n)
		limit.rlim_max = n;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		skip_test("%u descriptors are not to be had: %s", n, strerror(errno));
}

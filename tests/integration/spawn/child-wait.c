// SPDX-License-Identifier: MIT
/* Children are waited for and signalled by their pidfd, and every end is told to who asks for it. */
#include "children.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/macros.h"
#include "tests/lib/scratch.h"

TEST(a_timeout_is_no_end)
{
	struct idm_child_options o = SCRIPT("read x; exit 4");
	struct idm_exit_info exit = { -1, -1, -1 };
	struct idm_error err;
	int pipe[2], pidfd;

	must(pipe2(pipe, O_CLOEXEC));
	o.fds = &(struct idm_child_fd){ pipe[0], 0 };
	o.n_fds = 1;
	pidfd = child_of(&o);
	close(pipe[0]);
	assert_error(idm_child_wait(pidfd, 0, &exit, &err), -ETIMEDOUT, &err, "", "wait for child",
		     "has not exited");
	assert_error(idm_child_wait(pidfd, -2, &exit, &err), -EINVAL, &err, "", "wait for child", "-2");
	assert_error(idm_child_wait(pidfd, 20, &exit, &err), -ETIMEDOUT, &err, "", "wait for child",
		     NULL);
	assert_int_equal(exit.pid, -1);
	close(pipe[1]);
	assert_ok(idm_child_wait(pidfd, 50000, NULL, &err), &err);
	close(pidfd);
}

TEST(signals_reach_the_child)
{
	struct idm_child_options o = SCRIPT("trap 'exit 9' USR1; echo ready; while :; do sleep 1; done");
	struct idm_error err;
	int pipe[2], pidfd;
	char text[8];

	must(pipe2(pipe, O_CLOEXEC));
	o.fds = &(struct idm_child_fd){ pipe[1], 1 };
	o.n_fds = 1;
	o.process_group = -1;
	pidfd = child_of(&o);
	close(pipe[1]);
	must(read(pipe[0], text, sizeof(text)));
	assert_ok(idm_child_signal(pidfd, 0, &err), &err);
	assert_ok(idm_child_signal(pidfd, SIGUSR1, &err), &err);
	assert_ends(pidfd, CLD_EXITED, 9);
	close(pipe[0]);

	o = SCRIPT("kill -SEGV $$");
	pidfd = child_of(&o);
	{
		struct idm_exit_info exit = end_of(pidfd);

		assert_true(exit.code == CLD_KILLED || exit.code == CLD_DUMPED);
		assert_int_equal(exit.status, SIGSEGV);
	}
}

TEST(what_cannot_be_signalled_is_told)
{
	struct idm_child_options o = SCRIPT("true");
	int pidfd = child_of(&o), file = (int)must(open("/dev/null", O_RDONLY | O_CLOEXEC));
	struct idm_error err;

	assert_error(idm_child_signal(pidfd, 65, &err), -EINVAL, &err, "", "signal child",
		     "expected a signal from 0 to 64, got 65");
	assert_error(idm_child_signal(pidfd, -1, &err), -EINVAL, &err, "", "signal child", "got -1");
	assert_error(idm_child_signal_group(pidfd, 65, &err), -EINVAL, &err, "", "signal child",
		     "expected a signal from 0 to 64, got 65");
	assert_ok(idm_child_wait(pidfd, -1, NULL, &err), &err);
	assert_error(idm_child_signal_group(pidfd, SIGTERM, &err), -ESRCH, &err, "", "signal child",
		     "reaped");
	assert_error(idm_child_signal_group(file, 0, &err), -EBADF, &err, "", "signal child",
		     "not a pidfd");
	assert_error(idm_child_signal(pidfd, SIGTERM, &err), -ESRCH, &err, "", "signal child", "reaped");
	close(pidfd);
	assert_error(idm_child_signal(77, 0, &err), -EBADF, &err, "", "signal child",
		     "descriptor 77 is not open");
	assert_error(idm_child_signal(-1, 0, &err), -EBADF, &err, "", "signal child",
		     "descriptor -1 is not open");
	assert_error(idm_child_signal(file, 0, &err), -EBADF, &err, "", "signal child", "not a pidfd");
	assert_error(idm_child_wait(file, -1, NULL, &err), -EBADF, &err, "", "wait for child",
		     "not a pidfd");
	assert_error(idm_child_wait(77, 0, NULL, &err), -EBADF, &err, "", "wait for child",
		     "descriptor 77 is not open");
	close(file);
}

/* In a new PID namespace. The process behind the pidfd has no number there. */
static void ask_from_inside(void *data)
{
	int pidfd = *(int *)data;
	struct idm_error err;
	pid_t pid;

	must(unshare(CLONE_NEWPID));
	pid = (pid_t)must(fork());
	if (pid == 0) {
		assert_error(idm_child_signal(pidfd, 0, &err), -EINVAL, &err, "", "signal child",
			     "PID namespace");
		assert_error(idm_child_signal_group(pidfd, 0, &err), -EINVAL, &err, "", "signal child",
			     "PID namespace");
		assert_error(idm_child_wait(pidfd, 0, NULL, &err), -EINVAL, &err, "", "wait for child",
			     "PID namespace");
		_exit(0);
	}
	await_child(pid);
}

TEST(a_process_outside_the_pid_namespace_is_named_as_that)
{
	int pidfd;

	need_root();
	pidfd = (int)must(syscall(SYS_pidfd_open, getpid(), 0));
	in_child(ask_from_inside, &pidfd);
	close(pidfd);
}

static void alarm_handler(int signal)
{
	(void)signal;
}

TEST(an_interrupted_wait_goes_on)
{
	struct itimerval often = { { 0, 2000 }, { 0, 2000 } };
	struct idm_child_options o = SCRIPT("sleep 0.2; exit 6");
	struct idm_error err;
	int pidfd;

	signal(SIGALRM, alarm_handler);
	must(setitimer(ITIMER_REAL, &often, NULL));
	pidfd = child_of(&o);
	assert_error(idm_child_wait(pidfd, 30, NULL, &err), -ETIMEDOUT, &err, "", "wait for child",
		     NULL);
	assert_ends(pidfd, CLD_EXITED, 6);
}

static void not_told_before_it_can_be(void)
{
	struct idm_child_options o = SCRIPT("exit 3");
	struct idm_error err;
	pid_t pid;
	int pidfd;

	o.pid = &pid;
	pidfd = child_of(&o);
	assert_int_equal(must(waitpid(pid, NULL, 0)), pid);
	assert_error(idm_child_wait(pidfd, -1, NULL, &err), -ECHILD, &err, "", "wait for child",
		     "another wait consumed its status");
	assert_contains(err.hint, "Linux 6.15");
	close(pidfd);
}

TEST_SINCE(6, 15, not_told_before_it_can_be, a_status_that_was_taken_is_told_all_the_same)
{
	static const struct {
		const char *script;
		int code, status;
	} ends[] = { { "exit 3", CLD_EXITED, 3 }, { "kill -KILL $$", CLD_KILLED, SIGKILL } };

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		struct idm_child_options o = SCRIPT(ends[i].script);
		struct idm_exit_info exit;
		pid_t pid;
		int pidfd;

		o.pid = &pid;
		pidfd = child_of(&o);
		assert_int_equal(must(waitpid(pid, NULL, 0)), pid);
		for (int again = 0; again < 2; again++) {
			assert_ok(idm_child_wait(pidfd, 0, &exit, NULL), NULL);
			assert_int_equal(exit.pid, 0);
			assert_int_equal(exit.code, ends[i].code);
			assert_int_equal(exit.status, ends[i].status);
		}
		close(pidfd);
	}
}

static void nothing_about_others(void)
{
	struct idm_error err;
	pid_t pid = (pid_t)must(fork());
	int pidfd;

	if (pid == 0)
		_exit(0);
	pidfd = (int)must(syscall(SYS_pidfd_open, pid, 0));
	await_child(pid);
	assert_error(idm_child_wait(pidfd, -1, NULL, &err), -ECHILD, &err, "", "wait for child", NULL);
	close(pidfd);
}

/* It is a zombie of another process for a while: that is not the end yet. */
TEST_SINCE(6, 15, nothing_about_others, a_foreign_exit_is_reported_when_it_is_reaped)
{
	int number[2], go[2], pidfd;
	pid_t parent, child;
	struct idm_exit_info exit;
	struct idm_error err;
	char byte;

	must(pipe2(number, O_CLOEXEC));
	must(pipe2(go, O_CLOEXEC));
	parent = (pid_t)must(fork());
	if (parent == 0) {
		siginfo_t info;

		child = (pid_t)must(fork());
		if (child == 0) {
			must(read(go[0], &byte, 1));
			_exit(12);
		}
		must(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT | WNOHANG));
		must(write(number[1], &child, sizeof(child)));
		must(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT));
		must(write(number[1], "", 1));
		must(read(go[0], &byte, 1));
		must(waitpid(child, NULL, 0));
		_exit(0);
	}
	must(read(number[0], &child, sizeof(child)));
	pidfd = (int)must(syscall(SYS_pidfd_open, child, 0));
	assert_error(idm_child_wait(pidfd, 0, &exit, &err), -ETIMEDOUT, &err, "", "wait for child",
		     NULL);
	must(write(go[1], "", 1));
	must(read(number[0], &byte, 1));
	assert_error(idm_child_wait(pidfd, 20, &exit, &err), -ETIMEDOUT, &err, "", "wait for child",
		     NULL);
	must(write(go[1], "", 1));
	assert_ok(idm_child_wait(pidfd, -1, &exit, &err), &err);
	assert_int_equal(exit.code, CLD_EXITED);
	assert_int_equal(exit.status, 12);
	must(waitpid(parent, NULL, 0));
	close(pidfd);
	close(number[0]);
	close(number[1]);
	close(go[0]);
	close(go[1]);
}

/* Traces the process, and receives its exit when it is told to. */
static void be_tracer(pid_t child, int ready, int go)
{
	char byte;

	must(ptrace(PTRACE_SEIZE, child, NULL, NULL));
	must(write(ready, "", 1));
	must(read(go, &byte, 1));
	must(waitpid(child, NULL, __WALL));
	_exit(0);
}

/* The tracer receives the exit first. Until then the pidfd is readable, but the process cannot be
 * reaped. */
TEST(a_timeout_holds_for_a_child_that_another_process_traces)
{
	struct idm_child_options o = SCRIPT("read x; exit 11");
	struct idm_exit_info exit;
	struct idm_error err;
	int input[2], ready[2], go[2], pidfd;
	pid_t child, tracer;
	char byte;

	must(pipe2(input, O_CLOEXEC));
	must(pipe2(ready, O_CLOEXEC));
	must(pipe2(go, O_CLOEXEC));
	o.fds = &(struct idm_child_fd){ input[0], 0 };
	o.n_fds = 1;
	o.pid = &child;
	pidfd = child_of(&o);
	tracer = (pid_t)must(fork());
	if (tracer == 0)
		be_tracer(child, ready[1], go[0]);
	must(read(ready[0], &byte, 1));
	must(write(input[1], "\n", 1));
	must(poll(&(struct pollfd){ .fd = pidfd, .events = POLLIN }, 1, -1));
	assert_error(idm_child_wait(pidfd, 0, &exit, &err), -ETIMEDOUT, &err, "", "wait for child",
		     NULL);
	assert_error(idm_child_wait(pidfd, 20, &exit, &err), -ETIMEDOUT, &err, "", "wait for child",
		     NULL);
	must(write(go[1], "", 1));
	assert_ok(idm_child_wait(pidfd, 50000, &exit, &err), &err);
	assert_int_equal(exit.code, CLD_EXITED);
	assert_int_equal(exit.status, 11);
	must(waitpid(tracer, NULL, 0));
	close(pidfd);
	for (int i = 0; i < 2; i++) {
		close(input[i]);
		close(ready[i]);
		close(go[i]);
	}
}

static void *wait_too(void *pidfd)
{
	struct idm_exit_info exit = { 0 };
	int r = idm_child_wait(*(int *)pidfd, -1, &exit, NULL);

	return (void *)(long)(r < 0 ? r : exit.status);
}

TEST(several_threads_may_wait_for_one_child)
{
	for (int round = 0; round < 50; round++) {
		struct idm_child_options o = SCRIPT("exit 8");
		int pidfd = child_of(&o), right = 0;
		pthread_t threads[4];

		for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
			assert_int_equal(pthread_create(&threads[i], NULL, wait_too, &pidfd), 0);
		for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
			void *status;

			pthread_join(threads[i], &status);
			right += (long)status == 8;
			if ((long)status != 8)
				assert_int_equal((long)status, -ECHILD);
		}
		assert_int_equal(right, kernel_is_before(6, 15) ? 1 : (int)ARRAY_SIZE(threads));
		close(pidfd);
	}
}

// SPDX-License-Identifier: MIT
/* Every exit is delivered once, to its owner, for all kinds of children and beside other waits. */
#include <fcntl.h>
#include <linux/sched.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/macros.h"
#include "tests/lib/ends.h"
#include "tests/lib/scratch.h"
#include "tests/lib/snapshot.h"

static void add(struct idm_reaper *reaper, const struct child *c, void *data)
{
	struct idm_error err;

	assert_ok(idm_reaper_add(reaper, c->pidfd, 0, data, &err), &err);
}

/* ---- all kinds of ends ---- */

TEST(each_end_is_delivered_once_with_its_data)
{
	AUTO_REAPER struct idm_reaper *reaper = reaper_new();
	struct child c[5];

	assert_nothing(reaper);
	for (int i = 0; i < 5; i++) {
		c[i] = child_staying();
		add(reaper, &c[i], &c[i]);
	}
	assert_nothing(reaper);
	for (int i = 4; i >= 0; i--) {
		child_kill(&c[i]);
		assert_true(is_readable(idm_reaper_fd(reaper)));
		assert_next(reaper, &c[i], c[i].pid, CLD_KILLED, SIGKILL);
		assert_nothing(reaper);
		assert_int_equal(waitpid(c[i].pid, NULL, __WALL), -1);
		child_close(&c[i]);
	}
}

TEST(the_descriptor_is_readable_until_the_last_is_delivered)
{
	AUTO_REAPER struct idm_reaper *reaper = reaper_new();
	AUTO_CLOSE int loop = (int)must(epoll_create1(EPOLL_CLOEXEC));
	struct epoll_event event = { .events = EPOLLIN };
	struct child c[3];

	must(epoll_ctl(loop, EPOLL_CTL_ADD, idm_reaper_fd(reaper), &event));
	for (int i = 0; i < 3; i++) {
		c[i] = child_exiting(i);
		add(reaper, &c[i], NULL);
		child_await_zombie(&c[i]);
	}
	for (int i = 0; i < 3; i++) { /* one a turn of the loop */
		struct idm_exit_info exit;

		assert_int_equal(must(epoll_wait(loop, &event, 1, -1)), 1);
		assert_int_equal(idm_reaper_next(reaper, 0, &exit, NULL, NULL), 0);
		assert_exit(&exit, c[exit.status].pid, CLD_EXITED, exit.status);
		c[exit.status].pid = -1;
	}
	assert_int_equal(must(epoll_wait(loop, &event, 1, 0)), 0);
	for (int i = 0; i < 3; i++)
		child_close(&c[i]);
}

TEST(a_child_may_end_before_it_is_added)
{
	AUTO_REAPER struct idm_reaper *reaper = reaper_new();
	struct child c = child_exiting(42);

	child_await_zombie(&c);
	add(reaper, &c, &c);
	child_close(&c); /* the reaper has a duplicate */
	assert_next(reaper, &c, c.pid, CLD_EXITED, 42);
	assert_nothing(reaper);
}

static void dump_core(void *unused)
{
	struct rlimit limit = { 1, 1 }; /* too little for a file */

	(void)unused;
	setrlimit(RLIMIT_CORE, &limit);
	prctl(PR_SET_DUMPABLE, 1);
	signal(SIGQUIT, SIG_DFL);
	raise(SIGQUIT);
}

TEST(a_core_dump_is_told_as_wait_tells_it)
{
	AUTO_REAPER struct idm_reaper *reaper = reaper_new();
	struct child first = child_start(dump_core, NULL), second = child_start(dump_core, NULL);
	int status;

	must(waitpid(first.pid, &status, 0));
	assert_int_equal(WTERMSIG(status), SIGQUIT);
	add(reaper, &second, NULL);
	assert_next(reaper, NULL, second.pid, WCOREDUMP(status) ? CLD_DUMPED : CLD_KILLED, SIGQUIT);
	child_close(&first);
	child_close(&second);
}

static void exit_3(void *unused)
{
	(void)unused;
	_exit(3);
}

TEST(a_child_need_not_send_sigchld)
{
	static const int signals[] = { 0, SIGWINCH };
	AUTO_REAPER struct idm_reaper *reaper = reaper_new();

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		struct child c = child_start_with(0, signals[i], exit_3, NULL);

		add(reaper, &c, &c);
		assert_next(reaper, &c, c.pid, CLD_EXITED, 3);
		assert_nothing(reaper);
		child_close(&c);
	}
}

static void *exit_group_5(void *tell)
{
	char go;

	if (read(*(int *)tell, &go, 1) < 0)
		_exit(1);
	syscall(SYS_exit_group, 5);
	return NULL;
}

static void end_first_thread(void *pipe)
{
	pthread_t thread;

	pthread_create(&thread, NULL, exit_group_5, pipe);
	syscall(SYS_exit, 0);
}

static char state_of(pid_t pid)
{
	char path[64], text[512] = "", *end;
	AUTO_CLOSE int fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = (int)must(open(path, O_RDONLY | O_CLOEXEC));
	must(read(fd, text, sizeof(text) - 1));
	end = strrchr(text, ')');
	return end ? end[2] : '?';
}

TEST(the_end_is_that_of_the_last_thread)
{
	AUTO_REAPER struct idm_reaper *reaper = reaper_new();
	struct child c;
	int go[2];

	if (IDM_TSAN)
		skip_test("ThreadSanitizer's threads do not end like this");
	must(pipe2(go, O_CLOEXEC));
	c = child_start(end_first_thread, go);
	add(reaper, &c, &c);
	while (state_of(c.pid) != 'Z')
		usleep(1000);
	assert_nothing(reaper);
	must(write(go[1], "x", 1));
	assert_next(reaper, &c, c.pid, CLD_EXITED, 5);
	assert_nothing(reaper);
	close(go[0]);
	close(go[1]);
	child_close(&c);
}

static void *exec_elsewhere(void *unused)
{
	execl("/bin/sh", "sh", "-c", "read x; exit 6", NULL);
	_exit(1);
	return unused;
}

static void exec_in_thread(void *in)
{
	pthread_t thread;

	dup2(*(int *)in, 0);
	pthread_create(&thread, NULL, exec_elsewhere, NULL);
	for (;;)
		pause();
}

static bool is_shell(pid_t pid)
{
	char name[COMM_SIZE];

	read_comm(pid, name);
	return strcmp(name, "sh\n") == 0;
}

/* The first thread's place is taken by the one that calls exec: the process has not exited. */
TEST(exec_in_another_thread_is_no_end)
{
	AUTO_REAPER struct idm_reaper *reaper = reaper_new();
	struct child c;
	int go[2];

	must(pipe2(go, O_CLOEXEC));
	c = child_start(exec_in_thread, go);
	add(reaper, &c, &c);
	while (!is_shell(c.pid)) {
		usleep(1000);
		assert_nothing(reaper);
	}
	must(write(go[1], "\n", 1));
	assert_next(reaper, &c, c.pid, CLD_EXITED, 6);
	close(go[0]);
	close(go[1]);
	child_close(&c);
}

/* ---- stops, and tracers ---- */

static void await_stop(const struct child *c)
{
	siginfo_t info;

	must(waitid(P_PID, (id_t)c->pid, &info, WSTOPPED | WNOWAIT));
}

TEST(a_stop_is_no_end)
{
	AUTO_REAPER struct idm_reaper *reaper = reaper_new();
	struct child c = child_staying();
	siginfo_t info;
	int status;

	add(reaper, &c, &c);
	must(kill(c.pid, SIGSTOP));
	await_stop(&c);
	assert_nothing(reaper);
	must(waitpid(c.pid, &status, WUNTRACED)); /* it is there for others */
	assert_true(WIFSTOPPED(status));
	must(kill(c.pid, SIGCONT));
	must(waitid(P_PID, (id_t)c.pid, &info, WCONTINUED));
	assert_nothing(reaper);
	child_kill(&c);
	assert_next(reaper, &c, c.pid, CLD_KILLED, SIGKILL);
	child_close(&c);
}

TEST(a_stopped_child_can_be_added)
{
	AUTO_REAPER struct idm_reaper *reaper = reaper_new();
	struct child c = child_staying();

	must(kill(c.pid, SIGSTOP));
	await_stop(&c);
	add(reaper, &c, &c);
	assert_nothing(reaper);
	child_kill(&c);
	assert_next(reaper, &c, c.pid, CLD_KILLED, SIGKILL);
	child_close(&c);
}

/* The tracer waits for the stops. The reaper neither consumes nor reports them. */
TEST(a_child_that_this_process_traces)
{
	AUTO_REAPER struct idm_reaper *reaper = reaper_new();
	struct child c = child_traced(9);
	int status;

	add(reaper, &c, &c);
	await_stop(&c);
	assert_nothing(reaper);
	assert_int_equal(idm_reaper_add(reaper, c.pidfd, 0, NULL, NULL), -EEXIST); /* looks at it too */
	must(waitpid(c.pid, &status, 0));
	assert_true(WIFSTOPPED(status));
	assert_nothing(reaper);
	must(ptrace(PTRACE_CONT, c.pid, NULL, NULL));
	assert_next(reaper, &c, c.pid, CLD_EXITED, 9);
	assert_nothing(reaper);
	child_close(&c);
}

struct tracer {
	pid_t pid;
	int said[2], go[2];
};

static void be_tracer(void *arg)
{
	struct tracer *t = arg;
	char c;

	must(ptrace(PTRACE_SEIZE, t->pid, NULL, NULL));
	must(write(t->said[1], "x", 1));
	must(read(t->go[0], &c, 1));
	must(waitpid(t->pid, NULL, __WALL));
}

static void with_tracer(void (*then)(struct idm_reaper *reaper, const struct child *c, struct tracer *t))
{
	AUTO_REAPER struct idm_reaper *reaper = reaper_new();
	struct child c = child_staying();
	struct tracer t = { .pid = c.pid };
	pid_t tracer;
	char x;

	must(pipe2(t.said, O_CLOEXEC));
	must(pipe2(t.go, O_CLOEXEC));
	tracer = (pid_t)must(fork());
	if (tracer == 0) {
		be_tracer(&t);
		_exit(0);
	}
	must(read(t.said[0], &x, 1));
	then(reaper, &c, &t);
	await_child(tracer);
	for (int i = 0; i < 2; i++) {
		close(t.said[i]);
		close(t.go[i]);
	}
	child_close(&c);
}

/* It has ended for its pidfd, but not for us. Then the reaper must not be readable all the time. */
static void next_beside_tracer(struct idm_reaper *reaper, const struct child *c, struct tracer *t)
{
	add(reaper, c, t);
	child_kill(c);
	assert_nothing(reaper);
	assert_nothing(reaper);
	must(write(t->go[1], "x", 1));
	assert_next(reaper, t, c->pid, CLD_KILLED, SIGKILL);
	assert_nothing(reaper);
}

TEST(the_tracer_in_another_process_hears_first)
{
	with_tracer(next_beside_tracer);
}

static void wait_beside_tracer(struct idm_reaper *reaper, const struct child *c, struct tracer *t)
{
	struct idm_exit_info exit;
	struct idm_error err;

	assert_ok(idm_reaper_add(reaper, c->pidfd, IDM_REAPER_ADD_HOLD, t, &err), &err);
	child_kill(c);
	assert_int_equal(idm_reaper_wait(reaper, t, 10, &exit, &err), -ETIMEDOUT);
	must(write(t->go[1], "x", 1));
	assert_ok(idm_reaper_wait(reaper, t, -1, &exit, &err), &err);
	assert_exit(&exit, c->pid, CLD_KILLED, SIGKILL);
}

TEST(also_before_one_who_waits_for_that_child)
{
	with_tracer(wait_beside_tracer);
}

/* ---- others who wait ---- */

TEST(others_children_are_left_alone)
{
	AUTO_REAPER struct idm_reaper *reaper = reaper_new();
	struct child others = child_exiting(1), ours = child_exiting(2);
	int status;

	child_await_zombie(&others);
	add(reaper, &ours, &ours);
	assert_next(reaper, &ours, ours.pid, CLD_EXITED, 2);
	assert_nothing(reaper);
	assert_int_equal(must(waitpid(others.pid, &status, WNOHANG)), others.pid);
	assert_int_equal(WEXITSTATUS(status), 1);
	child_close(&others);
	child_close(&ours);
}

/* Taken after it was added, and before. */
static void take_two(struct idm_reaper *reaper, struct child *first, struct child *second)
{
	*first = child_exiting(7);
	add(reaper, first, first);
	must(waitpid(first->pid, NULL, 0));
	*second = child_staying();
	child_kill(second);
	must(waitpid(second->pid, NULL, 0));
}

static void taken_and_lost(void)
{
	AUTO_REAPER struct idm_reaper *reaper = reaper_new();
	struct child first, second;
	struct idm_error err;

	take_two(reaper, &first, &second);
	assert_next(reaper, &first, first.pid, IDM_EXIT_LOST, -1);
	assert_nothing(reaper);
	assert_error(idm_reaper_add(reaper, second.pidfd, 0, NULL, &err), -ESRCH, &err, "",
		     "watch child", "another wait in this process consumed its status");
	assert_contains(err.hint, "idm_reaper_start");
	child_close(&first);
	child_close(&second);
}

TEST_SINCE(6, 15, taken_and_lost, an_exit_that_another_wait_consumed_is_known_all_the_same)
{
	AUTO_REAPER struct idm_reaper *reaper = reaper_new();
	struct child first, second;
	struct idm_error err;

	take_two(reaper, &first, &second);
	assert_next(reaper, &first, first.pid, CLD_EXITED, 7);
	assert_nothing(reaper);
	add(reaper, &second, &second);
	assert_error(idm_reaper_add(reaper, second.pidfd, 0, NULL, &err), -EEXIST, &err, "",
		     "watch child", "watches it already");
	assert_next(reaper, &second, 0, CLD_KILLED, SIGKILL);
	assert_nothing(reaper);
	child_close(&first);
	child_close(&second);
}

static void ignored_and_lost(void)
{
	AUTO_REAPER struct idm_reaper *reaper = reaper_new();
	struct child c;

	must(signal(SIGCHLD, SIG_IGN) == SIG_ERR ? -1 : 0);
	c = child_staying();
	add(reaper, &c, &c);
	child_kill(&c);
	assert_next(reaper, &c, c.pid, IDM_EXIT_LOST, -1);
	signal(SIGCHLD, SIG_DFL);
	child_close(&c);
}

TEST_SINCE(6, 15, ignored_and_lost, sigchld_may_be_ignored)
{
	AUTO_REAPER struct idm_reaper *reaper = reaper_new();

	must(signal(SIGCHLD, SIG_IGN) == SIG_ERR ? -1 : 0);
	for (int i = 0; i < 200; i++) {
		struct child c = child_exiting(i);

		add(reaper, &c, &c);
		assert_next(reaper, &c, 0, CLD_EXITED, i);
		assert_nothing(reaper);
		child_close(&c);
	}
	signal(SIGCHLD, SIG_DFL);
}

static struct child child_with_number(pid_t number, int status)
{
	struct child c = { .pid = number, .pidfd = -1 };
	struct clone_args args = {
		.flags = CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)&c.pidfd,
		.exit_signal = SIGCHLD,
		.set_tid = (uint64_t)(uintptr_t)&number,
		.set_tid_size = 1,
	};
	long pid = syscall(SYS_clone3, &args, sizeof(args));

	if (pid == 0)
		_exit(status);
	if (pid < 0 && errno == EEXIST)
		skip_test("number %d belongs to another process now", (int)number);
	assert_int_equal(pid, number);
	return c;
}

/* Another thread reaps the first, so that its number can be given to another before it is delivered. */
TEST(two_with_the_same_number_are_not_confused)
{
	bool told = !kernel_is_before(6, 15);
	AUTO_REAPER struct idm_reaper *reaper = reaper_new();
	struct child first, second;

	need_root();
	first = child_exiting(1);
	add(reaper, &first, &first);
	must(waitpid(first.pid, NULL, 0));
	second = child_with_number(first.pid, 2);
	child_await_zombie(&second);
	add(reaper, &second, &second);
	for (int i = 0; i < 2; i++) {
		struct idm_exit_info exit;
		void *data;

		assert_int_equal(idm_reaper_next(reaper, 0, &exit, &data, NULL), 0);
		if (data == &first)
			assert_exit(&exit, first.pid, told ? CLD_EXITED : IDM_EXIT_LOST, told ? 1 : -1);
		else
			assert_exit(&exit, second.pid, CLD_EXITED, 2);
	}
	assert_nothing(reaper);
	child_close(&first);
	child_close(&second);
}

/* ---- one child, and several who want it ---- */

TEST(a_held_child_is_for_who_waits_for_it)
{
	AUTO_REAPER struct idm_reaper *reaper = reaper_new();
	struct child held = child_exiting(8), other = child_exiting(9);
	struct idm_exit_info exit;
	struct idm_error err;

	child_await_zombie(&held);
	assert_ok(idm_reaper_add(reaper, held.pidfd, IDM_REAPER_ADD_HOLD, &held, &err), &err);
	assert_error(idm_reaper_add(reaper, held.pidfd, 0, &other, &err), -EEXIST, &err, "",
		     "watch child", "already");
	assert_error(idm_reaper_add(reaper, other.pidfd, IDM_REAPER_ADD_HOLD, &held, &err), -EEXIST,
		     &err, "", "watch child", "same data");
	assert_nothing(reaper);
	add(reaper, &other, &other);
	assert_next(reaper, &other, other.pid, CLD_EXITED, 9);
	assert_nothing(reaper);
	assert_error(idm_reaper_wait(reaper, &other, 0, &exit, &err), -ESRCH, &err, "",
		     "wait for children", "holds no child by this data");
	assert_int_equal(idm_reaper_wait(reaper, &held, 0, &exit, &err), 0);
	assert_exit(&exit, held.pid, CLD_EXITED, 8);
	assert_error(idm_reaper_wait(reaper, &held, 0, &exit, &err), -ESRCH, &err, "",
		     "wait for children", "has delivered its exit");
	child_close(&held);
	child_close(&other);
}

TEST(a_wait_that_ran_out_can_be_repeated)
{
	AUTO_REAPER struct idm_reaper *reaper = reaper_new();
	struct child c = child_staying();
	struct idm_exit_info exit;
	struct idm_error err;

	assert_ok(idm_reaper_add(reaper, c.pidfd, IDM_REAPER_ADD_HOLD, NULL, &err), &err);
	for (int timeout = 0; timeout <= 20; timeout += 20) {
		assert_error(idm_reaper_wait(reaper, NULL, timeout, &exit, &err), -ETIMEDOUT, &err, "",
			     "wait for children", "no child has exited");
		assert_error(idm_reaper_next(reaper, timeout, &exit, NULL, &err), -ETIMEDOUT, &err, "",
			     "wait for children", "no child has exited");
	}
	child_kill(&c);
	assert_int_equal(idm_reaper_wait(reaper, NULL, 20, &exit, &err), 0);
	assert_exit(&exit, c.pid, CLD_KILLED, SIGKILL);
	child_close(&c);
}

static struct crowd {
	struct idm_reaper *reaper;
	struct child child;
	unsigned int got, busy, late;
} crowd;

static void *want_it(void *unused)
{
	struct idm_exit_info exit;
	int r = idm_reaper_wait(crowd.reaper, &crowd, -1, &exit, NULL);

	if (r == 0)
		assert_exit(&exit, crowd.child.pid, CLD_EXITED, 0);
	else if (r != -EBUSY && r != -ESRCH)
		fail_msg("idm_reaper_wait returns %d", r);
	__atomic_add_fetch(r == 0	 ? &crowd.got
			   : r == -EBUSY ? &crowd.busy
					 : &crowd.late,
			   1, __ATOMIC_RELAXED);
	return unused;
}

static void end_after_reading(void *in)
{
	char x;

	must(read(*(int *)in, &x, 1));
}

#define THREADS 8

TEST(of_several_who_wait_for_one_child_one_gets_it)
{
	pthread_t threads[THREADS];
	int go[2];

	crowd.reaper = reaper_new();
	must(pipe2(go, O_CLOEXEC));
	crowd.child = child_start(end_after_reading, go);
	assert_ok(idm_reaper_add(crowd.reaper, crowd.child.pidfd, IDM_REAPER_ADD_HOLD, &crowd, NULL),
		  NULL);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, want_it, NULL), 0);
	while (__atomic_load_n(&crowd.busy, __ATOMIC_RELAXED) < THREADS - 1)
		usleep(100);
	must(write(go[1], "x", 1));
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(crowd.got, 1);
	want_it(NULL);
	assert_int_equal(crowd.late, 1);
	idm_reaper_free(crowd.reaper);
	child_close(&crowd.child);
	close(go[0]);
	close(go[1]);
}

/* ---- what is refused ---- */

static void look_from_a_fork(void *arg)
{
	struct idm_reaper *reaper = arg;
	struct child c = child_exiting(0);
	struct idm_exit_info exit;
	struct idm_error err;
	struct idm_child_options o = IDM_CHILD_OPTIONS_INIT;

	assert_error(idm_reaper_add(reaper, c.pidfd, 0, NULL, &err), -ECHILD, &err, "", "watch child",
		     "belongs to process");
	assert_error(idm_reaper_next(reaper, 0, &exit, NULL, &err), -ECHILD, &err, "", "wait",
		     "belongs to process");
	assert_int_equal(idm_reaper_wait(reaper, NULL, 0, &exit, &err), -ECHILD);
	assert_int_equal(idm_reaper_adopt(reaper, 0, NULL, &err), -ECHILD);
	assert_int_equal(idm_reaper_start_forkserver(reaper, 0, NULL, &err), -ECHILD);
	assert_int_equal(idm_reaper_start(reaper, &o, 0, NULL, &err), -ECHILD);
	idm_reaper_free(reaper);
	must(waitpid(c.pid, NULL, 0));
}

TEST(a_forked_child_has_no_part_in_it)
{
	AUTO_REAPER struct idm_reaper *reaper = reaper_new();
	struct child c = child_staying();

	add(reaper, &c, &c);
	in_child(look_from_a_fork, reaper);
	child_kill(&c);
	assert_next(reaper, &c, c.pid, CLD_KILLED, SIGKILL);
	child_close(&c);
}

/* It has duplicates of all that the reaper has, so that nothing vanishes by being closed. */
TEST(a_forked_child_that_stays_does_no_harm)
{
	AUTO_REAPER struct idm_reaper *reaper = reaper_new();
	struct child first = child_staying(), copy;

	add(reaper, &first, &first);
	copy = child_staying();
	child_kill(&first);
	assert_next(reaper, &first, first.pid, CLD_KILLED, SIGKILL);
	child_close(&first);
	assert_nothing(reaper);
	add(reaper, &copy, &copy);
	child_kill(&copy);
	assert_next(reaper, &copy, copy.pid, CLD_KILLED, SIGKILL);
	assert_nothing(reaper);
	child_close(&copy);
}

#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL
#endif

struct threads {
	pid_t other; /* of the child, in shared memory */
	bool over;   /* it may end */
	int end;     /* the child stays until this pipe does */
};

static void *run_other_thread(void *data)
{
	struct threads *t = data;

	__atomic_store_n(&t->other, (pid_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
	while (!__atomic_load_n(&t->over, __ATOMIC_ACQUIRE))
		usleep(1000);
	return NULL;
}

static void stay_with_threads(void *data)
{
	struct threads *t = data;
	pthread_t thread;
	char byte;

	assert_int_equal(pthread_create(&thread, NULL, run_other_thread, t), 0);
	must(read(t->end, &byte, 1));
}

static void no_pidfd_of_a_thread(void)
{
	assert_int_equal(syscall(SYS_pidfd_open, getpid(), PIDFD_THREAD), -1);
}

/* The end of a thread is no end of its process. */
TEST_SINCE(6, 9, no_pidfd_of_a_thread, a_thread_of_a_child_is_refused)
{
	AUTO_REAPER struct idm_reaper *reaper = reaper_new();
	struct threads *t = mmap(NULL, sizeof(*t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
				 -1, 0);
	AUTO_CLOSE int pidfd = -1;
	struct idm_error err;
	struct child c;
	int ends[2];

	must(pipe2(ends, O_CLOEXEC));
	t->end = ends[0];
	c = child_start(stay_with_threads, t);
	while (!__atomic_load_n(&t->other, __ATOMIC_ACQUIRE))
		usleep(1000);
	pidfd = (int)must(syscall(SYS_pidfd_open, t->other, PIDFD_THREAD));
	assert_error(idm_reaper_add(reaper, pidfd, 0, NULL, &err), -EINVAL, &err, "", "watch child",
		     "is not a pidfd of a process");
	__atomic_store_n(&t->over, true, __ATOMIC_RELEASE);
	while (!is_readable(pidfd))
		usleep(1000);
	assert_error(idm_reaper_add(reaper, pidfd, 0, NULL, &err), -EINVAL, &err, "", "watch child",
		     "is not a pidfd of a process");
	add(reaper, &c, &c);
	assert_nothing(reaper);
	must(write(ends[1], "", 1));
	assert_next(reaper, &c, c.pid, CLD_EXITED, 0);
	assert_nothing(reaper);
	child_close(&c);
	close(ends[0]);
	close(ends[1]);
	munmap(t, sizeof(*t));
}

TEST(what_cannot_be_watched_is_refused)
{
	AUTO_REAPER struct idm_reaper *reaper = reaper_new();
	AUTO_CLOSE int parent = (int)must(syscall(SYS_pidfd_open, getppid(), 0)),
		       file = (int)must(open("/dev/null", O_RDONLY | O_CLOEXEC));
	struct child c = child_staying();
	struct idm_exit_info exit;
	struct idm_error err;

	assert_error(idm_reaper_add(reaper, parent, 0, NULL, &err), -ECHILD, &err, "", "watch child",
		     "not a child of this process");
	assert_error(idm_reaper_add(reaper, -1, 0, NULL, &err), -EBADF, &err, "", "watch child",
		     "descriptor -1 is not open");
	assert_error(idm_reaper_add(reaper, 4000, 0, NULL, &err), -EBADF, &err, "", "watch child",
		     "descriptor 4000 is not open");
	assert_error(idm_reaper_add(reaper, file, 0, NULL, &err), -EINVAL, &err, "", "watch child",
		     "is not a pidfd");
	assert_error(idm_reaper_add(reaper, c.pidfd, 4, NULL, &err), -EINVAL, &err, "", "watch child",
		     "unknown flags 0x4");
	assert_error(
		idm_reaper_add(reaper, c.pidfd, IDM_REAPER_ADD_HOLD | IDM_REAPER_ADD_SPARE, NULL, &err),
		-EINVAL, &err, "", "watch child", "exclude each other");
	assert_error(idm_reaper_next(reaper, -2, &exit, NULL, &err), -EINVAL, &err, "",
		     "wait for children", "-2");
	assert_error(idm_reaper_wait(reaper, NULL, -2, &exit, &err), -EINVAL, &err, "",
		     "wait for children", "-2");
	add(reaper, &c, NULL);
	assert_error(idm_reaper_add(reaper, c.pidfd, 0, NULL, &err), -EEXIST, &err, "", "watch child",
		     "already");
	child_kill(&c);
	assert_next(reaper, NULL, c.pid, CLD_KILLED, SIGKILL);
	assert_nothing(reaper);
	child_close(&c);
}

/* With a pending cancellation, which takes effect at the first call that the library would let it. */
struct pending {
	struct idm_reaper *reaper;
	int child, parent, results[4];
};

static void *add_while_pending(void *data)
{
	struct pending *p = data;

	pthread_cancel(pthread_self());
	p->results[0] = idm_reaper_add(p->reaper, p->child, 0, NULL, NULL);
	p->results[1] = idm_reaper_add(p->reaper, p->child, 0, NULL, NULL);
	p->results[2] = idm_reaper_add(p->reaper, p->parent, 0, NULL, NULL);
	p->results[3] = idm_reaper_add(p->reaper, -1, 0, NULL, NULL);
	pthread_testcancel();
	return NULL;
}

TEST(a_thread_is_cancelled_after_it_has_added_a_child)
{
	AUTO_REAPER struct idm_reaper *reaper = reaper_new();
	AUTO_CLOSE int parent = (int)must(syscall(SYS_pidfd_open, getppid(), 0));
	struct child c = child_staying();
	struct pending p = { reaper, c.pidfd, parent, { 1, 1, 1, 1 } };
	pthread_t thread;
	void *result;

	assert_int_equal(pthread_create(&thread, NULL, add_while_pending, &p), 0);
	assert_int_equal(pthread_join(thread, &result), 0);
	assert_true(result == PTHREAD_CANCELED);
	assert_int_equal(p.results[0], 0);
	assert_int_equal(p.results[1], -EEXIST);
	assert_int_equal(p.results[2], -ECHILD);
	assert_int_equal(p.results[3], -EBADF);
	child_kill(&c);
	assert_next(reaper, NULL, c.pid, CLD_KILLED, SIGKILL);
	child_close(&c);
}

TEST(without_descriptors_nothing_changes)
{
	AUTO_REAPER struct idm_reaper *reaper = reaper_new();
	struct rlimit limit, tight;
	struct idm_reaper *other = reaper;
	struct child c = child_staying();
	struct snapshot *before = snapshot_take(SNAPSHOT_FDS);
	struct idm_error err;

	must(getrlimit(RLIMIT_NOFILE, &limit));
	tight = limit;
	tight.rlim_cur = (rlim_t)c.pidfd; /* all below are in use */
	for (int fd = 3; fd < c.pidfd; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			tight.rlim_cur = (rlim_t)fd;
	must(setrlimit(RLIMIT_NOFILE, &tight));
	assert_error(idm_reaper_add(reaper, c.pidfd, 0, NULL, &err), -EMFILE, &err, "", "watch child",
		     NULL);
	assert_error(idm_reaper_new(&other, &err), -EMFILE, &err, "", "make reaper", NULL);
	assert_null(other);
	must(setrlimit(RLIMIT_NOFILE, &limit));
	snapshot_assert_same(before);
	add(reaper, &c, &c);
	child_kill(&c);
	assert_next(reaper, &c, c.pid, CLD_KILLED, SIGKILL);
	child_close(&c);
}

TEST(a_reaper_may_go_before_the_children)
{
	struct snapshot *before = snapshot_take(SNAPSHOT_FDS);
	struct idm_reaper *reaper = reaper_new();
	struct child c[3] = { child_staying(), child_exiting(0), child_exiting(1) };
	int status;

	child_await_zombie(&c[1]);
	child_await_zombie(&c[2]);
	add(reaper, &c[0], NULL);
	add(reaper, &c[1], NULL);
	assert_ok(idm_reaper_add(reaper, c[2].pidfd, IDM_REAPER_ADD_HOLD, NULL, NULL), NULL);
	idm_reaper_free(reaper);
	idm_reaper_free(NULL);
	assert_int_equal(must(waitpid(c[0].pid, NULL, WNOHANG)), 0); /* it continues */
	child_kill(&c[0]);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(must(waitpid(c[i].pid, &status, WNOHANG)), c[i].pid);
		child_close(&c[i]);
	}
	snapshot_assert_same(before);
}

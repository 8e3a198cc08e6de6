// SPDX-License-Identifier: MIT
/* Orphans are adopted only on request, and no children of other processes with them. */
#include <fcntl.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
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

static int orphans; /* its address is their data */

static void be_subreaper(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	must(sigprocmask(SIG_BLOCK, &set, NULL));
	must(prctl(PR_SET_CHILD_SUBREAPER, 1));
}

static struct idm_reaper *adopting(unsigned int flags)
{
	struct idm_reaper *reaper = reaper_new();
	struct idm_error err;

	assert_ok(idm_reaper_adopt(reaper, flags, &orphans, &err), &err);
	return reaper;
}

/* ---- orphans ---- */

/*
 * The double fork: a daemon that is a child of this process on return. It exits with `status` at once
 * or, if `go` is not NULL, when that is written to. The process between is waited for by its number, as
 * other code does it.
 */
static void start_orphan(int status, const int *go)
{
	pid_t middle = (pid_t)must(fork());
	char c;

	if (middle > 0) {
		must(TEMP_FAILURE_RETRY(waitpid(middle, NULL, 0)));
		return;
	}
	if (must(fork()) > 0)
		_exit(0);
	if (go)
		must(read(go[0], &c, 1));
	_exit(status);
}

/* Any exited child of this process, which stays as it is. */
static pid_t await_any_zombie(void)
{
	siginfo_t info = { 0 };

	must(TEMP_FAILURE_RETRY(waitid(P_ALL, 0, &info, WEXITED | WNOWAIT)));
	return info.si_pid;
}

TEST(never_without_being_asked)
{
	AUTO_REAPER struct idm_reaper *reaper = NULL;
	int status;

	be_subreaper();
	reaper = reaper_new();
	start_orphan(3, NULL);
	await_any_zombie();
	assert_nothing(reaper);
	must(wait(&status));
	assert_int_equal(WEXITSTATUS(status), 3);
}

TEST(when_asked_each_once)
{
	AUTO_REAPER struct idm_reaper *reaper = NULL;

	be_subreaper();
	reaper = adopting(0);
	assert_nothing(reaper);
	for (int i = 0; i < 20; i++) {
		start_orphan(i, NULL);
		assert_next(reaper, &orphans, 0, CLD_EXITED, i);
		assert_nothing(reaper);
	}
}

TEST(beside_the_children_that_were_added)
{
	AUTO_REAPER struct idm_reaper *reaper = NULL;
	struct child c, held;
	struct idm_exit_info exit;
	int go[2];

	be_subreaper();
	must(pipe2(go, O_CLOEXEC));
	reaper = adopting(0);
	c = child_staying();
	assert_ok(idm_reaper_add(reaper, c.pidfd, 0, &c, NULL), NULL);
	held = child_exiting(6);
	assert_ok(idm_reaper_add(reaper, held.pidfd, IDM_REAPER_ADD_HOLD, &held, NULL), NULL);
	child_await_zombie(&held);
	start_orphan(4, go);
	assert_nothing(reaper);
	must(write(go[1], "x", 1));
	assert_next(reaper, &orphans, 0, CLD_EXITED, 4);
	child_kill(&c);
	assert_next(reaper, &c, c.pid, CLD_KILLED, SIGKILL);
	assert_nothing(reaper);
	assert_int_equal(idm_reaper_wait(reaper, &held, 0, &exit, NULL), 0);
	assert_exit(&exit, held.pid, CLD_EXITED, 6);
	child_close(&c);
	child_close(&held);
	close(go[0]);
	close(go[1]);
}

/* More than a batch of the library's, with hardly a descriptor left; half of them behind another's
 * zombie. */
TEST(many_at_once)
{
	enum { N = 300 };
	AUTO_REAPER struct idm_reaper *reaper = NULL;
	struct rlimit limit, tight;
	struct child others;
	struct idm_exit_info exit;
	struct idm_error err;
	bool seen[N] = { false };
	int go[2], r;

	be_subreaper();
	must(pipe2(go, O_CLOEXEC));
	reaper = adopting(0);
	others = child_exiting(1);
	assert_ok(idm_reaper_add(reaper, others.pidfd, IDM_REAPER_ADD_SPARE, NULL, &err), &err);
	for (int i = 0; i < N; i++)
		start_orphan(i % 200, go);
	for (int i = 0; i < N; i++)
		must(write(go[1], "x", 1));
	must(getrlimit(RLIMIT_NOFILE, &limit));
	tight = (struct rlimit){ 0, limit.rlim_max };
	for (int room = 4; room > 0; tight.rlim_cur++)
		room -= fcntl((int)tight.rlim_cur, F_GETFD) < 0;
	must(setrlimit(RLIMIT_NOFILE, &tight));
	for (int i = 0; i < N; i++) {
		int n;

		assert_ok(r = idm_reaper_next(reaper, -1, &exit, NULL, &err), &err);
		assert_int_equal(exit.code, CLD_EXITED);
		for (n = exit.status; n < N && seen[n]; n += 200)
			;
		assert_true(n < N);
		seen[n] = true;
	}
	assert_nothing(reaper);
	must(setrlimit(RLIMIT_NOFILE, &limit));
	assert_int_equal(await_any_zombie(), others.pid);
	must(waitpid(others.pid, NULL, 0));
	child_close(&others);
	close(go[0]);
	close(go[1]);
}

/* With no descriptor at all it is an error, and the orphan is reported when descriptors are available
 * again. */
TEST(without_descriptors_none_is_lost)
{
	AUTO_REAPER struct idm_reaper *reaper = NULL;
	struct rlimit limit, tight;
	struct idm_exit_info exit;
	struct idm_error err;

	be_subreaper();
	reaper = adopting(0);
	assert_nothing(reaper);
	start_orphan(5, NULL);
	await_any_zombie();
	must(getrlimit(RLIMIT_NOFILE, &limit));
	tight = (struct rlimit){ 3, limit.rlim_max };
	must(setrlimit(RLIMIT_NOFILE, &tight));
	for (int i = 0; i < 2; i++) {
		int r = idm_reaper_next(reaper, 0, &exit, NULL, &err);

		assert_true(r == -EMFILE || r == -ENOENT || r == -EPERM);
		assert_true(is_readable(idm_reaper_fd(reaper)));
	}
	must(setrlimit(RLIMIT_NOFILE, &limit));
	assert_next(reaper, &orphans, 0, CLD_EXITED, 5);
	assert_nothing(reaper);
}

/* ---- whose children are not touched ---- */

static struct other {
	pthread_t thread;
	int ready[2], go[2];
	pid_t pid;
	int status;
} other;

/* Other code with a thread of its own and a child that it waits for by its number, late. */
static void *wait_late(void *unused)
{
	char c;

	other.pid = (pid_t)must(fork());
	if (other.pid == 0)
		_exit(77);
	must(waitid(P_PID, (id_t)other.pid, &(siginfo_t){ 0 }, WEXITED | WNOWAIT));
	must(write(other.ready[1], "x", 1));
	must(read(other.go[0], &c, 1));
	must(waitpid(other.pid, &other.status, 0));
	return unused;
}

static void other_begin(void)
{
	char c;

	must(pipe2(other.ready, O_CLOEXEC));
	must(pipe2(other.go, O_CLOEXEC));
	assert_int_equal(pthread_create(&other.thread, NULL, wait_late, NULL), 0);
	must(read(other.ready[0], &c, 1));
}

static void other_end(void)
{
	must(write(other.go[1], "x", 1));
	pthread_join(other.thread, NULL);
	assert_int_equal(WEXITSTATUS(other.status), 77);
	for (int i = 0; i < 2; i++) {
		close(other.ready[i]);
		close(other.go[i]);
	}
}

TEST(children_of_other_threads)
{
	AUTO_REAPER struct idm_reaper *reaper = NULL;

	be_subreaper();
	reaper = adopting(0);
	other_begin();
	assert_nothing(reaper); /* the first zombie is not for us, and stays */
	for (int i = 1; i < 10; i++) {
		start_orphan(i, NULL);
		assert_next(reaper, &orphans, 0, CLD_EXITED, i);
		assert_nothing(reaper);
	}
	other_end();
}

TEST(children_that_were_there_before)
{
	AUTO_REAPER struct idm_reaper *reaper = NULL;
	struct child c, ended;

	be_subreaper();
	c = child_staying();
	ended = child_exiting(2);
	child_await_zombie(&ended);
	reaper = adopting(0);
	child_kill(&c);
	assert_nothing(reaper);
	start_orphan(3, NULL);
	assert_next(reaper, &orphans, 0, CLD_EXITED, 3);
	assert_nothing(reaper);
	assert_int_equal(must(waitpid(c.pid, NULL, WNOHANG)), c.pid);
	assert_int_equal(must(waitpid(ended.pid, NULL, WNOHANG)), ended.pid);
	child_close(&c);
	child_close(&ended);
}

TEST(unless_they_are_inherited)
{
	AUTO_REAPER struct idm_reaper *reaper = NULL;
	struct child c, ended;

	be_subreaper();
	c = child_staying();
	ended = child_exiting(2);
	child_await_zombie(&ended);
	reaper = adopting(IDM_REAPER_ADOPT_INHERIT);
	assert_next(reaper, &orphans, ended.pid, CLD_EXITED, 2);
	assert_nothing(reaper);
	child_kill(&c);
	assert_next(reaper, &orphans, c.pid, CLD_KILLED, SIGKILL);
	assert_nothing(reaper);
	child_close(&c);
	child_close(&ended);
}

/* Started by the same thread, and named. */
TEST(children_that_are_spared)
{
	AUTO_REAPER struct idm_reaper *reaper = NULL;
	struct idm_error err;
	struct child c;
	int status;

	be_subreaper();
	reaper = adopting(0);
	for (int i = 1; i < 10; i++) {
		c = child_exiting(50 + i);
		assert_ok(idm_reaper_add(reaper, c.pidfd, IDM_REAPER_ADD_SPARE, NULL, &err), &err);
		child_await_zombie(&c);
		start_orphan(i, NULL);
		assert_next(reaper, &orphans, 0, CLD_EXITED, i);
		assert_nothing(reaper);
		assert_int_equal(must(waitpid(c.pid, &status, WNOHANG)), c.pid);
		assert_int_equal(WEXITSTATUS(status), 50 + i);
		child_close(&c);
	}
}

static void start_orphan_with_number(pid_t number, int status)
{
	pid_t middle = (pid_t)must(fork()), pid;
	struct clone_args args = {
		.exit_signal = SIGCHLD,
		.set_tid = (uint64_t)(uintptr_t)&number,
		.set_tid_size = 1,
	};
	int how;

	if (middle == 0) {
		pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
		_exit(pid == 0 ? status : pid == number ? 0 : errno);
	}
	must(TEMP_FAILURE_RETRY(waitpid(middle, &how, 0)));
	if (WEXITSTATUS(how) == EEXIST)
		skip_test("number %d belongs to another process now", (int)number);
	assert_int_equal(how, 0);
}

/* What was known of a number ends with the process that had it. */
TEST(an_orphan_with_the_number_of_a_spared_child)
{
	AUTO_REAPER struct idm_reaper *reaper = NULL;
	struct snapshot *before;
	struct child c;

	need_root();
	be_subreaper();
	reaper = adopting(0);
	before = snapshot_take(SNAPSHOT_FDS);
	c = child_exiting(1);
	assert_ok(idm_reaper_add(reaper, c.pidfd, IDM_REAPER_ADD_SPARE, NULL, NULL), NULL);
	must(waitpid(c.pid, NULL, 0));
	child_close(&c);
	start_orphan_with_number(c.pid, 7);
	assert_next(reaper, &orphans, c.pid, CLD_EXITED, 7);
	assert_nothing(reaper);
	snapshot_assert_same(before);
}

/* Without SIGCHLD: of that kind are the library's own, and those of others who do not want to be seen.
 */
static void do_nothing(void *unused)
{
	(void)unused;
}

TEST(children_without_sigchld)
{
	AUTO_REAPER struct idm_reaper *reaper = NULL;
	struct child c;

	be_subreaper();
	reaper = adopting(0);
	c = child_start_with(0, 0, do_nothing, NULL);
	child_await_zombie(&c);
	start_orphan(3, NULL);
	assert_next(reaper, &orphans, 0, CLD_EXITED, 3);
	assert_nothing(reaper);
	assert_int_equal(must(waitpid(c.pid, NULL, __WALL)), c.pid);
	child_close(&c);
}

/* A stop of a traced child is told to every wait. It is not an end, and the tracer's to take. */
TEST(children_that_are_stopped_and_traced)
{
	AUTO_REAPER struct idm_reaper *reaper = NULL;
	struct child c;
	int status;

	be_subreaper();
	reaper = adopting(0);
	c = child_traced(9);
	must(waitid(P_PID, (id_t)c.pid, &(siginfo_t){ 0 }, WSTOPPED | WNOWAIT));
	start_orphan(3, NULL);
	assert_next(reaper, &orphans, 0, CLD_EXITED, 3);
	assert_nothing(reaper);
	must(waitpid(c.pid, &status, 0));
	assert_true(WIFSTOPPED(status));
	must(ptrace(PTRACE_DETACH, c.pid, NULL, NULL));
	assert_next(reaper, &orphans, c.pid, CLD_EXITED, 9); /* it was never named */
	child_close(&c);
}

/* ---- odd surroundings ---- */

static void *go_on_alone(void *tid)
{
	AUTO_REAPER struct idm_reaper *reaper = NULL;
	char path[64];

	while (snprintf(path, sizeof(path), "/proc/self/task/%d/stat", *(int *)tid) > 0) {
		char text[512] = "", *end;
		AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);

		must(read(fd, text, sizeof(text) - 1));
		end = strrchr(text, ')');
		if (end && end[2] == 'Z')
			break;
		usleep(1000);
	}
	reaper = adopting(0);
	for (int i = 1; i < 5; i++) {
		start_orphan(i, NULL);
		assert_next(reaper, &orphans, 0, CLD_EXITED, i);
		assert_nothing(reaper);
	}
	syscall(SYS_exit_group, 0);
	return NULL;
}

static void end_main_thread(void *unused)
{
	int tid = (int)syscall(SYS_gettid);
	pthread_t thread;

	(void)unused;
	be_subreaper();
	assert_int_equal(pthread_create(&thread, NULL, go_on_alone, &tid), 0);
	syscall(SYS_exit, 0);
}

/* Then another thread is the first. */
TEST(when_the_main_thread_has_ended)
{
	if (IDM_TSAN)
		skip_test("ThreadSanitizer's threads do not end like this");
	in_child(end_main_thread, NULL);
}

static void with_outer_proc(void *unused)
{
	AUTO_REAPER struct idm_reaper *reaper = NULL;

	(void)unused;
	assert_int_equal(getpid(), 1);
	reaper = adopting(0);
	for (int i = 0; i < 5; i++) {
		start_orphan(i, NULL);
		assert_next(reaper, &orphans, 0, CLD_EXITED, i);
	}
	assert_nothing(reaper);
}

static void in_new_pid_namespace(void *unused)
{
	(void)unused;
	must(unshare(CLONE_NEWPID));
	in_child(with_outer_proc, NULL);
}

/* Numbers in an outer /proc are others' here. Process 1 needs no subreaper attribute. */
TEST(as_process_1_with_an_outer_proc)
{
	need_root();
	be_subreaper();
	must(prctl(PR_SET_CHILD_SUBREAPER, 0));
	in_child(in_new_pid_namespace, NULL);
}

/* ---- what is refused ---- */

TEST(who_cannot_adopt)
{
	AUTO_REAPER struct idm_reaper *reaper = reaper_new();
	struct snapshot *before;
	struct idm_error err;
	sigset_t set;

#define assert_refused(flags, code, reason)                                                        \
	assert_error(idm_reaper_adopt(reaper, flags, NULL, &err), code, &err, "", "adopt orphans", \
		     reason)
	before = snapshot_take(SNAPSHOT_FDS);
	assert_refused(2, -EINVAL, "unknown flags 0x2");
	assert_refused(0, -EINVAL, "gets no orphans");
	assert_contains(err.hint, "PR_SET_CHILD_SUBREAPER");
	be_subreaper();
	signal(SIGCHLD, SIG_IGN);
	assert_refused(0, -EINVAL, "ignored");
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&set);
	must(sigprocmask(SIG_SETMASK, &set, NULL));
	assert_refused(0, -EINVAL, "not blocked");
	assert_contains(err.hint, "pthread_sigmask");
	snapshot_assert_same(before);
	be_subreaper();
	assert_ok(idm_reaper_adopt(reaper, 0, &orphans, &err), &err);
	assert_refused(0, -EALREADY, "already");
	start_orphan(1, NULL);
	assert_next(reaper, &orphans, 0, CLD_EXITED, 1);
}

TEST(what_is_found_and_not_delivered_is_released)
{
	struct idm_reaper *reaper;

	be_subreaper();
	reaper = adopting(0);
	start_orphan(1, NULL);
	start_orphan(2, NULL);
	await_any_zombie();
	while (snapshot_kill_children()) /* gone unnoticed: nothing to be found, and no harm */
		;
	assert_nothing(reaper);
	for (int i = 0; i < 100; i++)
		start_orphan(3, NULL);
	assert_next(reaper, &orphans, 0, CLD_EXITED, 3);
	idm_reaper_free(reaper);
	while (snapshot_kill_children())
		;
}

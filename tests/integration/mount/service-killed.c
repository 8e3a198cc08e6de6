// SPDX-License-Identifier: MIT
/*
 * idmountd is killed at each system call of a request, or the process of it that makes the call. The
 * client gets an error or an answer, nothing is left, and the next request succeeds.
 *
 * The service runs below a seccomp filter that hands each call to the test.
 */
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "service.h"
#include "tests/lib/maps.h"

#define NEVER UINT32_MAX

static int listener = -1;

static struct {
	unsigned int n, nth;
	bool whole; /* the service itself is killed, at a call of any of its processes */
} run;

/* ---- a service that is watched ---- */

static void kill_at(const struct seccomp_notif *call, void *unused)
{
	(void)unused;
	if (run.n++ != run.nth)
		return;
	if (run.whole)
		must(kill(idmountd, SIGKILL));
	else if ((pid_t)call->pid != idmountd) /* it waits for an answer */
		must(kill((pid_t)call->pid, SIGKILL));
}

static void let_call_happen(void)
{
	answer_call(listener, 1, kill_at, NULL);
}

static void run_watched(void (*body)(void))
{
	pid_t pid = (pid_t)must(fork());

	if (pid == 0) {
		body();
		_exit(0);
	}
	answer_calls_until_exit(listener, pid, kill_at, NULL);
}

static void await_answers(void)
{
	while (!answers())
		usleep(1000);
}

static void start_watched(void)
{
	char *const argv[] = { getenv("IDMOUNTD"), (char *)"--socket", (char *)SOCKET, NULL };

	listener = start_program_held(argv, NULL, &idmountd);
	run.nth = NEVER;
	run_watched(await_answers);
}

/* ---- its end ---- */

static bool has_children(pid_t pid)
{
	char path[64], byte;
	AUTO_FD int fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && read(fd, &byte, 1) > 0;
}

/* The client has its answer. The worker may still run. */
static void await_idle(void)
{
	while (has_children(idmountd))
		let_call_happen();
}

/* All processes of the service are this one's now, and exit. */
static void reap_all(void)
{
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG | __WALL)) >= 0)
		if (pid == 0)
			let_call_happen();
	assert_int_equal(errno, ECHILD);
	close(listener);
	listener = -1;
}

static void stop_watched(void)
{
	must(kill(idmountd, SIGTERM));
	answer_calls_until_exit(listener, idmountd, kill_at, NULL);
	reap_all();
}

/* ---- requests ---- */

static void request_in_namespace(void *must_succeed)
{
	struct idm_error err;
	int tree;

	enter_as_user();
	tree = open_with(SOURCE, SHIFT, 0, 0, &err);
	if (tree >= 0 || *(bool *)must_succeed) {
		assert_ok(tree, &err);
		assert_shifted(tree);
		return;
	}
	/* The kernel's own error, since no service listens, or a lost connection. */
	if (tree == -EPERM)
		assert_contains(err.hint, "idmountd");
	else
		assert_error(tree, -EPROTO, &err, SOCKET, "ask idmountd", "closed the connection");
}

static void request(bool must_succeed)
{
	in_child(request_in_namespace, &must_succeed);
}

static void request_anyhow(void)
{
	request(false);
}

static void request_with_success(void)
{
	request(true);
}

/* Returns the number of calls. */
static unsigned int try_kill(unsigned int nth, bool whole)
{
	unsigned int n;

	start_watched();
	run.nth = nth;
	run.whole = whole;
	run.n = 0;
	run_watched(request_anyhow);
	await_idle();
	n = run.n;
	if (whole && nth < n) {
		reap_all();
		start_watched();
	}
	run.nth = NEVER;
	run_watched(request_with_success);
	stop_watched();
	return n;
}

/* Not all calls of the short form, and not the same ones each time. */
static void kill_at_each_call(bool whole)
{
	unsigned int step = test_is_long() ? 1 : TEST_SANITIZED ? 20 : 8, tries = 0;
	struct snapshot *before;

	if (!getenv("IDMOUNTD"))
		skip_test("IDMOUNTD is not in the environment");
	make_source();
	must(prctl(PR_SET_CHILD_SUBREAPER, 1));
	before = snapshot_take(SNAPSHOT_ALL);
	for (unsigned int nth = (unsigned int)getpid() % step; try_kill(nth, whole) > nth; nth += step)
		tries++;
	snapshot_assert_same(before);
	assert_true(tries > 5);
	proof("faults", tries, "kills of the service");
}

TEST_AS(service_is_killed_at_each_call, 300, 5, 12, mounts_are_not_mapped)
{
	kill_at_each_call(true);
}

TEST_AS(each_process_of_a_request_is_killed, 300, 5, 12, mounts_are_not_mapped)
{
	kill_at_each_call(false);
}

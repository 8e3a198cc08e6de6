// SPDX-License-Identifier: MIT
/*
 * idmountd is killed at each system call of a request, or the process of it that makes the call. The
 * client gets an error or an answer, nothing is left, and the next request succeeds.
 *
 * The service runs below a seccomp filter that hands each call to the test.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "lib/base/macros.h"
#include "lib/sys/syscall.h"
#include "service.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5) /* Linux 5.19 */
#endif

#define NEVER UINT32_MAX

static volatile int *shared_listener; /* the number in the service */
static int listener = -1;	      /* of this process */

static struct {
	unsigned int n, nth;
	bool whole; /* the service itself is killed, at a call of any of its processes */
} run;

/* ---- a service that is watched ---- */

static int hand_all_calls_over(void)
{
	struct sock_filter code[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF) };
	const struct sock_fprog filter = { ARRAY_SIZE(code), code };
	const long with = SECCOMP_FILTER_FLAG_NEW_LISTENER;
	long fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			  with | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &filter);

	return (int)(fd < 0 ? syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, with, &filter) : fd);
}

static void execute_watched(void)
{
	const char *program = getenv("IDMOUNTD");

	*shared_listener = hand_all_calls_over();
	execl(program, program, "--socket", SOCKET, NULL);
	_exit(127);
}

static void take_listener(void)
{
	AUTO_CLOSE int pidfd = idm_sys_pidfd_open(idmountd);

	while (*shared_listener == -1)
		usleep(100);
	assert_true(*shared_listener >= 0);
	listener = (int)must(syscall(SYS_pidfd_getfd, pidfd, *shared_listener, 0));
}

static void kill_at(pid_t caller)
{
	if (run.whole)
		must(kill(idmountd, SIGKILL));
	else if (caller != idmountd) /* it waits for an answer */
		must(kill(caller, SIGKILL));
}

/* Waits for a call, and lets it happen. */
static void answer_call(int milliseconds)
{
	struct seccomp_notif_resp response = { .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };
	struct pollfd p = { .fd = listener, .events = POLLIN };
	struct seccomp_notif call = { 0 };

	if (must(TEMP_FAILURE_RETRY(poll(&p, 1, milliseconds))) == 0 || !(p.revents & POLLIN))
		return;
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0)
		return; /* its caller is gone */
	if (run.n++ == run.nth)
		kill_at((pid_t)call.pid);
	response.id = call.id;
	ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

static bool is_over(pid_t pid)
{
	siginfo_t info = { .si_pid = 0 };

	must(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT));
	if (info.si_pid == 0)
		return false;
	await_child(pid);
	return true;
}

static void run_watched(void (*body)(void))
{
	pid_t pid = (pid_t)must(fork());

	if (pid == 0) {
		body();
		_exit(0);
	}
	while (!is_over(pid))
		answer_call(1);
}

static void await_answers(void)
{
	while (!answers())
		usleep(1000);
}

static void start_watched(void)
{
	*shared_listener = -1;
	idmountd = (pid_t)must(fork());
	if (idmountd == 0)
		execute_watched();
	take_listener();
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
		answer_call(1);
}

/* All processes of the service are this one's now, and exit. */
static void reap_all(void)
{
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG | __WALL)) >= 0)
		if (pid == 0)
			answer_call(1);
	assert_int_equal(errno, ECHILD);
	close(listener);
	listener = -1;
}

static void stop_watched(void)
{
	must(kill(idmountd, SIGTERM));
	while (!is_over(idmountd))
		answer_call(1);
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
	shared_listener = mmap(NULL, sizeof(*shared_listener), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	before = snapshot_take(SNAPSHOT_ALL);
	for (unsigned int nth = (unsigned int)getpid() % step; try_kill(nth, whole) > nth; nth += step)
		tries++;
	snapshot_assert_same(before);
	assert_true(tries > 5);
	proof("faults", tries, "kills of the service");
}

static void mounts_are_not_mapped(void)
{
	untried("the kernel maps no mounts before Linux 5.12");
}

TEST_AS(service_is_killed_at_each_call, 300, 5, 12, mounts_are_not_mapped)
{
	kill_at_each_call(true);
}

TEST_AS(each_process_of_a_request_is_killed, 300, 5, 12, mounts_are_not_mapped)
{
	kill_at_each_call(false);
}

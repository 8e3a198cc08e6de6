// SPDX-License-Identifier: MIT
#include "thief.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/macros.h"
#include "tests/lib/scratch.h"

/* The first number that the kernel assigns after the last one. */
#define FIRST_NUMBER 300
/* Enough for the victim's child, the decoy, a child that checks a namespace later, and some more. */
#define FEW_NUMBERS 8

/* All children of one round. */
#define MOST_CHILDREN 8

/* The thread makes this "call" to ask for another round. The thief answers it, and it never runs. */
#define ASK_FOR_ROUND 123456

static struct thief {
	void (*victim)(void *);
	void *data;
	pthread_t thread;
	pid_t tid;
	int listener;	  /* -1 until the filter is installed */
	uint64_t waiting; /* the victim's call that asks for a round */
	bool few_numbers;
	cpu_set_t cpus; /* of the thread that calls thief_start() */
	struct theft *theft;
	unsigned int calls;	   /* since the start of the child to take */
	pid_t seen[MOST_CHILDREN]; /* all the victim's children, in the order of their starts */
	unsigned int n_seen;
} thief;

/* ---- the victim ---- */

static void hand_over_calls(void)
{
	struct sock_filter filter[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF) };
	struct sock_fprog program = { ARRAY_SIZE(filter), filter };
	int fd;

	thief.tid = (pid_t)syscall(SYS_gettid);
	fd = (int)must(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
			       &program));
	__atomic_store_n(&thief.listener, fd, __ATOMIC_RELEASE);
}

static void *be_victim(void *unused)
{
	(void)unused;
	hand_over_calls();
	while (syscall(SYS_openat, ASK_FOR_ROUND, "", 0, 0) == 1)
		thief.victim(thief.data);
	return NULL;
}

/* ---- its children ---- */

static unsigned int list_children(pid_t pids[MOST_CHILDREN])
{
	char path[64], text[512], *at = text;
	AUTO_CLOSE int fd = -1;
	unsigned int n = 0;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", thief.tid);
	fd = (int)must(open(path, O_RDONLY | O_CLOEXEC));
	text[must(read(fd, text, sizeof(text) - 1))] = '\0';
	while ((pids[n] = (pid_t)strtol(at, &at, 10)))
		assert_true(++n < MOST_CHILDREN);
	return n;
}

static bool was_seen(pid_t pid)
{
	bool seen = false;

	for (unsigned int i = 0; i < thief.n_seen; i++)
		seen |= thief.seen[i] == pid;
	return seen;
}

/* Returns the number of the child to take; 0: there is no such child. */
static pid_t find_child(unsigned int which)
{
	pid_t pids[MOST_CHILDREN];
	unsigned int n = list_children(pids);

	for (unsigned int i = 0; i < n; i++)
		if (!was_seen(pids[i]) && thief.n_seen < MOST_CHILDREN)
			thief.seen[thief.n_seen++] = pids[i];
	for (unsigned int i = 0; i < n; i++)
		if (which < thief.n_seen && pids[i] == thief.seen[which])
			return pids[i];
	return 0;
}

/* Returns false if the child's parent was faster. */
static bool kill_and_reap(pid_t pid)
{
	AUTO_CLOSE int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	siginfo_t info;

	if (fd < 0)
		return false;
	syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
	if (waitid((idtype_t)P_PIDFD, (id_t)fd, &info, WEXITED | __WALL) == 0)
		return true;
	assert_int_equal(errno, ECHILD);
	return false;
}

/* ---- the decoy ---- */

static struct decoy start_process(const pid_t *number, bool dead)
{
	struct decoy decoy = { -1, -1, dead };
	struct clone_args args = {
		.exit_signal = dead ? SIGCHLD : 0,
		.flags = CLONE_NEWUSER | CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)&decoy.fd,
		.set_tid = (uint64_t)(uintptr_t)number,
		.set_tid_size = !!number,
	};
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	decoy.pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (decoy.pid == 0)
		for (;;)
			syscall(SYS_ppoll, NULL, 0, NULL, NULL, 0);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return decoy;
}

/* Kills the decoy, and waits until it is dead. */
static void end(const struct decoy *decoy)
{
	struct pollfd end = { .fd = decoy->fd, .events = POLLIN };

	must(syscall(SYS_pidfd_send_signal, decoy->fd, SIGKILL, NULL, 0));
	must(TEMP_FAILURE_RETRY(poll(&end, 1, -1)));
}

static void end_process(const struct decoy *decoy)
{
	end(decoy);
	must(waitpid(decoy->pid, NULL, __WALL));
	close(decoy->fd);
}

static struct decoy ask_for_number(pid_t number, bool dead)
{
	struct decoy decoy = start_process(&number, dead);

	if (decoy.pid < 0 && errno != EEXIST)
		fail_msg("cannot start a process with number %d: %s", number, strerror(errno));
	return decoy;
}

static struct decoy wait_for_number(pid_t number, bool dead)
{
	struct decoy decoy;

	for (unsigned int i = 0; i < 20 * FEW_NUMBERS; i++) {
		decoy = start_process(NULL, dead);
		must(decoy.pid);
		if (decoy.pid == number)
			return decoy;
		end_process(&decoy);
	}
	return (struct decoy){ -1, -1, dead };
}

static void start_decoy(struct theft *theft, pid_t number)
{
	struct decoy decoy = thief.few_numbers ? wait_for_number(number, theft->dead)
					       : ask_for_number(number, theft->dead);

	if (decoy.pid < 0) /* another process got the number, and acts as a decoy */
		return;
	must(setpgid(decoy.pid, decoy.pid));
	if (decoy.dead)
		end(&decoy);
	theft->decoys[theft->n++] = decoy;
}

/* ---- the thief ---- */

static void maybe_take_child(struct theft *theft)
{
	pid_t pid;

	if ((theft->taken && !theft->all) || theft->n == THIEF_MOST)
		return;
	pid = theft->other ? theft->other : find_child(theft->child);
	if (!pid || ++thief.calls != theft->at || !kill_and_reap(pid))
		return;
	thief.n_seen = thief.calls = 0;
	theft->taken++;
	start_decoy(theft, pid);
}

/* The process that made the call may be dead already. */
static void answer(uint64_t id, uint32_t flags, int64_t value)
{
	struct seccomp_notif_resp answer = { .id = id, .flags = flags, .val = value };

	if (ioctl(thief.listener, SECCOMP_IOCTL_NOTIF_SEND, &answer) < 0)
		assert_int_equal(errno, ENOENT);
}

static bool receive(struct seccomp_notif *call)
{
	*call = (struct seccomp_notif){ 0 };
	if (ioctl(thief.listener, SECCOMP_IOCTL_NOTIF_RECV, call) == 0)
		return true;
	assert_int_equal(errno, ENOENT);
	return false;
}

static bool is_question(const struct seccomp_notif *call)
{
	return call->data.nr == SYS_pidfd_send_signal && call->data.args[1] == 0;
}

/* ---- orphans ---- */

static bool is_decoy(const struct theft *theft, pid_t pid)
{
	for (unsigned int i = 0; i < theft->n; i++)
		if (theft->decoys[i].pid == pid)
			return true;
	return false;
}

/*
 * This process is an init, so it adopts the children of a taken child. Reaps those that have exited.
 * Returns whether others are still running.
 */
static bool reap_orphans(const struct theft *theft)
{
	char path[64], text[4096], *at = text;
	AUTO_CLOSE int fd = -1;
	bool running = false;
	pid_t pid;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	fd = (int)must(open(path, O_RDONLY | O_CLOEXEC));
	text[must(read(fd, text, sizeof(text) - 1))] = '\0';
	while ((pid = (pid_t)strtol(at, &at, 10)))
		running |= !is_decoy(theft, pid) && waitpid(pid, NULL, __WALL | WNOHANG) == 0;
	return running;
}

/* Serves the next call of any process, if one comes within so many milliseconds. */
enum served { NOBODY_LEFT, NOTHING, A_CALL, WANTS_ROUND };

static enum served serve_one(struct theft *theft, int milliseconds)
{
	struct pollfd listener = { .fd = thief.listener, .events = POLLIN };
	struct seccomp_notif call;

	if (must(TEMP_FAILURE_RETRY(poll(&listener, 1, milliseconds))) == 0)
		return NOTHING;
	if (!(listener.revents & POLLIN))
		return NOBODY_LEFT; /* no process has this filter */
	if (!receive(&call))
		return NOTHING;
	if (call.data.nr == SYS_openat && (int)call.data.args[0] == ASK_FOR_ROUND) {
		thief.waiting = call.id;
		return WANTS_ROUND;
	}
	if (theft && theft->taken && theft->orphans)
		reap_orphans(theft);
	if (theft)
		maybe_take_child(theft);
	if (theft && theft->lie && (pid_t)call.pid == thief.tid && is_question(&call))
		answer(call.id, 0, 0);
	else
		answer(call.id, SECCOMP_USER_NOTIF_FLAG_CONTINUE, 0);
	return A_CALL;
}

static void serve(struct theft *theft, enum served end)
{
	enum served served;

	do {
		served = serve_one(theft, -1);
		assert_true(served != NOBODY_LEFT || end == NOBODY_LEFT);
	} while (served != end);
}

/* Returns whether one of the victim's children is still running. */
static bool is_any_running(void)
{
	pid_t pids[MOST_CHILDREN];
	siginfo_t info;

	for (unsigned int n = list_children(pids); n; n--) {
		info.si_pid = 0;
		must(waitid(P_PID, (id_t)pids[n - 1], &info, WEXITED | WNOHANG | WNOWAIT | __WALL));
		if (!info.si_pid)
			return true;
	}
	return false;
}

void thief_with_few_numbers(void)
{
	char text[16];
	pid_t pid;

	do {
		pid = (pid_t)must(syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL));
		if (pid == 0)
			_exit(0);
		must(waitpid(pid, NULL, 0));
	} while (pid < FIRST_NUMBER);
	snprintf(text, sizeof(text), "%d", FIRST_NUMBER + FEW_NUMBERS);
	scratch_file("/proc/sys/kernel/pid_max", text);
	thief.few_numbers = true;
}

/*
 * The victim, its children and the thief take turns. On one processor each wakes the next without an
 * interrupt to another processor. In an emulated machine most of the time passes with these.
 */
static void stay_on_one_cpu(void)
{
	cpu_set_t one;

	must(sched_getaffinity(0, sizeof(thief.cpus), &thief.cpus));
	CPU_ZERO(&one);
	CPU_SET((size_t)must(sched_getcpu()), &one);
	must(sched_setaffinity(0, sizeof(one), &one));
}

void thief_start(void (*victim)(void *), void *data)
{
	stay_on_one_cpu();
	thief.victim = victim;
	thief.data = data;
	thief.listener = -1;
	assert_int_equal(pthread_create(&thief.thread, NULL, be_victim, NULL), 0);
	while (__atomic_load_n(&thief.listener, __ATOMIC_ACQUIRE) < 0)
		sched_yield();
	serve(NULL, WANTS_ROUND);
}

void thief_round(struct theft *theft)
{
	theft->taken = theft->n = 0;
	thief.n_seen = thief.calls = 0;
	answer(thief.waiting, 0, 1);
	serve(theft, WANTS_ROUND);
	/* The rest should exit now, which requires answers to their calls. */
	while ((theft->orphans && reap_orphans(theft)) || is_any_running())
		serve_one(NULL, 10);
}

void thief_stop(void)
{
	answer(thief.waiting, 0, 0);
	serve(NULL, NOBODY_LEFT);
	pthread_join(thief.thread, NULL);
	close(thief.listener);
	must(sched_setaffinity(0, sizeof(thief.cpus), &thief.cpus));
}

/* ---- afterwards ---- */

static void read_file(const struct decoy *decoy, const char *name, char *text, size_t size)
{
	char path[64];
	AUTO_CLOSE int fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/%s", decoy->pid, name);
	fd = (int)must(open(path, O_RDONLY | O_CLOEXEC));
	text[must(read(fd, text, size - 1))] = '\0';
}

static bool is_zombie(const struct decoy *decoy)
{
	siginfo_t info = { 0 };

	return waitid((idtype_t)P_PIDFD, (id_t)decoy->fd, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) ==
		       0 &&
	       info.si_pid == decoy->pid;
}

const char *decoy_touched(const struct decoy *decoy)
{
	struct pollfd end = { .fd = decoy->fd, .events = POLLIN };
	char text[4096];

	if (decoy->dead)
		return is_zombie(decoy) ? NULL : "another process was waited for";
	if (must(poll(&end, 1, 0)))
		return "another process was killed";
	read_file(decoy, "status", text, sizeof(text));
	if (!strstr(text, "\nSigPnd:\t0000000000000000\n") ||
	    !strstr(text, "\nShdPnd:\t0000000000000000\n"))
		return "another process was sent a signal";
	if (must(getpgid(decoy->pid)) != decoy->pid)
		return "another process was put into a process group";
	read_file(decoy, "uid_map", text, sizeof(text));
	if (*text)
		return "another process's uid_map was written";
	read_file(decoy, "gid_map", text, sizeof(text));
	if (*text)
		return "another process's gid_map was written";
	read_file(decoy, "setgroups", text, sizeof(text));
	return strcmp(text, "allow\n") == 0 ? NULL : "another process's setgroups was written";
}

const char *thief_harm(const struct theft *theft)
{
	const char *harm = NULL;

	for (unsigned int i = 0; i < theft->n && !harm; i++)
		harm = decoy_touched(&theft->decoys[i]);
	return harm;
}

bool decoy_has_namespace(const struct decoy *decoy, int userns)
{
	char path[64];
	struct stat theirs, ours;

	snprintf(path, sizeof(path), "/proc/%d/ns/user", decoy->pid);
	must(stat(path, &theirs));
	must(fstat(userns, &ours));
	return theirs.st_dev == ours.st_dev && theirs.st_ino == ours.st_ino;
}

/* Compares with the number that /proc shows for the pidfd. It is -1 for a reaped process. */
bool decoy_is_behind(const struct decoy *decoy, int pidfd)
{
	char path[64], text[512], *line;
	AUTO_CLOSE int fd = -1;

	snprintf(path, sizeof(path), "/proc/thread-self/fdinfo/%d", pidfd);
	fd = (int)must(open(path, O_RDONLY | O_CLOEXEC));
	text[must(read(fd, text, sizeof(text) - 1))] = '\0';
	line = strstr(text, "\nPid:");
	assert_non_null(line);
	return atoi(line + 5) == decoy->pid;
}

void thief_end_decoys(struct theft *theft)
{
	while (theft->n)
		end_process(&theft->decoys[--theft->n]);
}

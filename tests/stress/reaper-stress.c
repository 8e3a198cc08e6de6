// SPDX-License-Identifier: MIT
/*
 * A process has ten thousand children. Some threads wait for them by a reaper, and another one reaps
 * every child that it can. The reaper reports each exit exactly once, to the right thread. No zombie is
 * left.
 */
#include <fcntl.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/macros.h"
#include "tests/lib/ends.h"
#include "tests/lib/scratch.h"

/* Avoids ThreadSanitizer's clone(): see lib/sys/syscall-processes.c. */
int __clone(int (*child)(void *), void *stack_top, int flags, void *arg, ...);

#define MOST 10000
#define TAKERS 4  /* threads in idm_reaper_next() */
#define WAITERS 4 /* threads that wait for one child after the other */
#define HELD 16	  /* one child of so many is for a waiter */

static struct slot {
	unsigned int delivered;
} slots[MOST];

static struct stage {
	struct idm_reaper *reaper;
	unsigned int n, ends, added;
	unsigned long stolen;
	bool over;
} stage;

/* Ten thousand, or fewer where starts are slow: with sanitizers, and on emulated machines. */
static unsigned int children(void)
{
	return TEST_SANITIZED ? MOST / 5 : test_is_slow() ? MOST / 20 : MOST;
}

static unsigned int get(const unsigned int *counter)
{
	return __atomic_load_n(counter, __ATOMIC_ACQUIRE);
}

static void count(unsigned int *counter)
{
	__atomic_add_fetch(counter, 1, __ATOMIC_RELEASE);
}

static bool is_over(void)
{
	return __atomic_load_n(&stage.over, __ATOMIC_ACQUIRE);
}

static int status_of(size_t i)
{
	return (int)(i % 251);
}

static bool is_held(size_t i)
{
	return i % HELD == 5;
}

/* ---- threads that wait ---- */

static void note_end(const struct slot *slot, const struct idm_exit_info *exit, bool held)
{
	size_t i = (size_t)(slot - slots);

	if (i >= stage.n || is_held(i) != held)
		fail_msg("the exit of %d was reported to the wrong thread", (int)exit->pid);
	if (__atomic_fetch_add(&slots[i].delivered, 1, __ATOMIC_RELAXED))
		fail_msg("child %zu was delivered twice", i);
	assert_exit(exit, 0, CLD_EXITED, status_of(i));
	count(&stage.ends);
}

static bool next_end(struct idm_exit_info *exit, void **data)
{
	struct idm_error err;
	int r = idm_reaper_next(stage.reaper, 20, exit, data, &err);

	if (r != -ETIMEDOUT)
		assert_ok(r, &err);
	return r == 0;
}

static void *take_next(void *unused)
{
	struct idm_exit_info exit;
	void *data;

	while (get(&stage.ends) < stage.n)
		if (next_end(&exit, &data))
			note_end(data, &exit, false);
	return unused;
}

/* Waits in the order of their starts. Some exited long ago, and others are not started yet. */
static void *wait_for_held(void *first)
{
	size_t step = WAITERS * HELD;

	for (size_t i = (size_t)(uintptr_t)first; i < stage.n; i += step) {
		struct idm_exit_info exit;
		struct idm_error err;

		while (get(&stage.added) <= i)
			usleep(200);
		assert_ok(idm_reaper_wait(stage.reaper, &slots[i], -1, &exit, &err), &err);
		note_end(&slots[i], &exit, true);
	}
	return NULL;
}

/* Reaps every child that it can. */
static void *be_hostile(void *unused)
{
	while (!is_over())
		if (waitpid(-1, NULL, WNOHANG) > 0)
			stage.stolen++;
	return unused;
}

static void run(unsigned int n, void (*start)(size_t i), bool hostile)
{
	pthread_t takers[TAKERS], waiters[WAITERS], thief;

	stage.n = n;
	for (uintptr_t i = 0; i < TAKERS; i++)
		assert_int_equal(pthread_create(&takers[i], NULL, take_next, NULL), 0);
	for (uintptr_t i = 0; i < WAITERS; i++)
		assert_int_equal(
			pthread_create(&waiters[i], NULL, wait_for_held, (void *)(5 + i * HELD)), 0);
	if (hostile)
		assert_int_equal(pthread_create(&thief, NULL, be_hostile, NULL), 0);
	for (size_t i = 0; i < n; i++) {
		start(i);
		count(&stage.added);
	}
	for (int i = 0; i < TAKERS; i++)
		pthread_join(takers[i], NULL);
	for (int i = 0; i < WAITERS; i++)
		pthread_join(waiters[i], NULL);
	__atomic_store_n(&stage.over, true, __ATOMIC_RELEASE);
	if (hostile)
		pthread_join(thief, NULL);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(slots[i].delivered, 1);
}

static void assert_no_child(void)
{
	assert_int_equal(waitpid(-1, NULL, __WALL | WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

/* ---- by their pidfds ---- */

static const char *exit_script(size_t i)
{
	static char scripts[251][16];

	snprintf(scripts[i % 251], sizeof(scripts[0]), "exit %d", status_of(i));
	return scripts[i % 251];
}

/* One child in twenty calls exec, and wait() sees it only after that. It never sees one in four. */
static struct child start_child(size_t i)
{
	bool exec = i % 20 == 7 || i % 320 == 5;
	char *argv[] = { (char *)"/bin/sh", (char *)"-c", (char *)exit_script(i), NULL };
	struct child c = { .pidfd = -1 };
	struct clone_args args = {
		.flags = CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)&c.pidfd,
		.exit_signal = exec || i % 4 == 0 ? 0 : SIGCHLD,
	};

	c.pid = (pid_t)must(syscall(SYS_clone3, &args, sizeof(args)));
	if (c.pid)
		return c;
	if (exec)
		syscall(SYS_execve, argv[0], argv, NULL);
	syscall(SYS_exit_group, exec ? 255 : status_of(i));
	__builtin_unreachable();
}

/* Half of the children have exited before the reaper gets them. */
static void start_and_add(size_t i)
{
	struct child c = start_child(i);
	struct idm_error err;

	if (i % 2)
		child_await_zombie(&c);
	assert_ok(idm_reaper_add(stage.reaper, c.pidfd, is_held(i) ? IDM_REAPER_ADD_HOLD : 0, &slots[i],
				 &err),
		  &err);
	child_close(&c);
}

static void beside_nobody(void)
{
	stage.reaper = reaper_new();
	run(children(), start_and_add, false);
	assert_no_child();
	idm_reaper_free(stage.reaper);
}

TEST_WITHIN(ten_thousand_as_fast_as_possible, 300)
{
	beside_nobody();
}

/* Before Linux 6.15 the thief wins, and only the fork server helps. */
TEST_AS(beside_a_thief_by_what_the_kernel_knows, 300, 6, 15, beside_nobody)
{
	stage.reaper = reaper_new();
	run(children(), start_and_add, true);
	note("%lu children were taken by the thief", stage.stolen);
	assert_true(stage.stolen > 0);
	assert_no_child();
	idm_reaper_free(stage.reaper);
}

/* ---- by a fork server ---- */

static void start_by_forkserver(size_t i)
{
	const char *argv[] = { "/bin/sh", "-c", exit_script(i), NULL };
	struct idm_child_options o = IDM_CHILD_OPTIONS_INIT;
	struct idm_error err;
	int pidfd;

	o.path = argv[0];
	o.argv = argv;
	pidfd = (int)assert_ok(idm_reaper_start(stage.reaper, &o, is_held(i) ? IDM_REAPER_ADD_HOLD : 0,
						&slots[i], &err),
			       &err);
	close(pidfd);
}

TEST_WITHIN(beside_a_thief_by_a_forkserver, 600)
{
	want_descriptors(children());
	stage.reaper = reaper_new();
	assert_ok(idm_reaper_start_forkserver(stage.reaper, 0, NULL, NULL), NULL);
	run(children(), start_by_forkserver, true);
	assert_int_equal((long long)stage.stolen, 0);
	idm_reaper_free(stage.reaper);
	assert_no_child();
}

/* ---- all at once ---- */

#define STACK 4096

static int at_gate[2];

/* Shares this process's memory, because ten thousand copies would be too many. It makes two plain system
 * calls. */
__attribute__((no_sanitize("thread", "address"))) static int end_at_gate(void *status)
{
	char c;

	syscall(SYS_read, at_gate[0], &c, 1);
	syscall(SYS_exit, (int)(uintptr_t)status);
	__builtin_unreachable();
}

static struct child start_at_gate(size_t i, char *stack)
{
	struct child c = { .pidfd = -1 };

	c.pid = (pid_t)must(__clone(end_at_gate, stack + STACK,
				    CLONE_VM | CLONE_FILES | CLONE_PIDFD | SIGCHLD,
				    (void *)(uintptr_t)status_of(i), &c.pidfd));
	return c;
}

/* Counts the SIGCHLDs, as a reaper by signals would. */
static unsigned int count_signals(int signals)
{
	struct signalfd_siginfo info;
	unsigned int n = 0;

	while (read(signals, &info, sizeof(info)) > 0)
		n++;
	return n;
}

TEST_WITHIN(ten_thousand_at_once, 300)
{
	unsigned int signals_seen = 0, n = children();
	int signals;
	char *stacks;
	sigset_t set;

	want_descriptors(n);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	must(sigprocmask(SIG_BLOCK, &set, NULL));
	signals = (int)must(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
	must(pipe2(at_gate, O_CLOEXEC));
	stacks = mmap(NULL, (size_t)n * STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		      0);
	assert_true(stacks != MAP_FAILED);
	stage.reaper = reaper_new();
	stage.n = n;
	for (size_t i = 0; i < n; i++) {
		struct child c = start_at_gate(i, stacks + i * STACK);
		struct idm_error err;

		assert_ok(idm_reaper_add(stage.reaper, c.pidfd, 0, &slots[i], &err), &err);
		child_close(&c);
	}
	assert_nothing(stage.reaper);
	close(at_gate[1]);
	for (size_t i = 0; i < n; i++) {
		struct idm_exit_info exit;
		struct idm_error err;
		void *data;

		assert_ok(idm_reaper_next(stage.reaper, -1, &exit, &data, &err), &err);
		if (exit.status != status_of((size_t)((struct slot *)data - slots)) ||
		    ((struct slot *)data)->delivered++)
			fail_msg("child %zu: status %d, delivered %u times",
				 (size_t)((struct slot *)data - slots), exit.status,
				 ((struct slot *)data)->delivered);
	}
	assert_nothing(stage.reaper);
	signals_seen = count_signals(signals);
	note("a count of signals has seen %u of %u children", signals_seen, n);
	assert_true(signals_seen < n);
	assert_no_child();
	idm_reaper_free(stage.reaper);
	munmap(stacks, (size_t)n * STACK);
	close(at_gate[0]);
	close(signals);
}

/* ---- orphans beside other code's children ---- */

#define ORPHANS (test_is_slow() ? 200 : 2000)

static struct {
	unsigned int orphans, others, spaces;
} made;

/* Other code has one child at a time, and waits for it by number. Some of these leave an orphan. */
static void *have_children(void *unused)
{
	for (unsigned int i = 0; i < ORPHANS; i++) {
		long pid = must(syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL));
		int status;

		if (pid == 0) {
			if (syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL) == 0)
				syscall(SYS_exit_group, status_of(i));
			syscall(SYS_exit_group, 99);
		}
		if (i % 3 == 0)
			usleep(300);
		must(waitpid((pid_t)pid, &status, 0));
		assert_int_equal(status, 99 << 8);
		made.others++;
	}
	return unused;
}

/* The library has children of its own in the thread that adopts orphans. */
static void open_userns(void)
{
	struct idm_entry own[] = { { 0, 0, 1 } };
	struct idm_map *map;
	struct idm_error err;

	own[0].seen = geteuid();
	assert_ok(idm_map_new(&map), NULL);
	assert_ok(idm_map_add(map, IDM_UID, own, 1, NULL), NULL);
	own[0].seen = getegid();
	assert_ok(idm_map_add(map, IDM_GID, own, 1, NULL), NULL);
	close((int)assert_ok(idm_userns_open(map, 0, &err), &err));
	idm_map_free(map);
	made.spaces++;
}

static void *take_orphans(void *counts)
{
	struct idm_exit_info exit;
	void *data;

	while (get(&made.orphans) < ORPHANS)
		if (next_end(&exit, &data)) {
			assert_true(data == &made);
			assert_int_equal(exit.code, CLD_EXITED);
			__atomic_add_fetch(&((unsigned int *)counts)[exit.status], 1, __ATOMIC_RELAXED);
			count(&made.orphans);
		}
	return NULL;
}

TEST_WITHIN(orphans_beside_others_children, 300)
{
	static unsigned int counts[256];
	pthread_t others, takers[2];
	sigset_t set;

	need_root();
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	must(sigprocmask(SIG_BLOCK, &set, NULL));
	must(prctl(PR_SET_CHILD_SUBREAPER, 1));
	stage.reaper = reaper_new();
	assert_ok(idm_reaper_adopt(stage.reaper, 0, &made, NULL), NULL);
	assert_int_equal(pthread_create(&others, NULL, have_children, NULL), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&takers[i], NULL, take_orphans, counts), 0);
	while (get(&made.orphans) < ORPHANS)
		open_userns();
	pthread_join(others, NULL);
	for (int i = 0; i < 2; i++)
		pthread_join(takers[i], NULL);
	for (size_t i = 0; i < ORPHANS; i++)
		counts[status_of(i)]--;
	for (int i = 0; i < 256; i++)
		assert_int_equal(counts[i], 0);
	note("%u orphans, %u children of others, %u namespaces", made.orphans, made.others, made.spaces);
	assert_nothing(stage.reaper);
	assert_no_child();
	idm_reaper_free(stage.reaper);
}

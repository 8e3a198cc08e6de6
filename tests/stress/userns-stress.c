// SPDX-License-Identifier: MIT
/*
 * A hundred threads make user namespaces, in a process that reaps every child that it can. Every
 * namespace has exactly the requested map. The process sees no child of the library, and loses no exit
 * status of its own children.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/macros.h"
#include "lib/sys/syscall.h"
#include "tests/lib/maps.h"
#include "tests/lib/scratch.h"
#include "tests/lib/snapshot.h"

/* A mount shows the map of each namespace. */
#define TEST_MAPPED(name) TEST_AS(name, 300, 5, 12, namespaces_without_mounts)

#define THREADS 100
#define FEW_THREADS 30
#define NAMESPACES (test_is_long() ? 100000U : test_is_slow() ? 5000U : 20000U)
#define OWN_CHILDREN_MIN 20
#define OWN_CHILDREN_MAX (test_is_slow() ? 200 : (int)ARRAY_SIZE(own))

static struct crowd {
	int probe;	/* a directory with files 0 to 3, see ownership_probe() */
	unsigned int n; /* namespaces to make */
	unsigned int next, finished;
	pthread_t threads[THREADS];
	unsigned int n_threads;
	pthread_barrier_t start;
	void (*beside)(void); /* one more thread calls this until the end */
	unsigned int stolen;  /* calls that returned -ESRCH, which only the hostile thread may cause */
	bool hostile;
	bool over;
} crowd;

/* ---- the threads ---- */

/* Each number has a map of its own. No ID of one map is seen as a neighbour of another map's ID. */
static struct idm_map *numbered_map(unsigned int i)
{
	struct idm_entry uids[] = { { 0, 1000000 + 4 * i, 2 }, { 3, 10 + i % 1000, 1 } };
	struct idm_entry gids[] = { { 1, 2000000000 + 4 * i, 2 } };
	struct idm_map *map;

	assert_ok(idm_map_new(&map), NULL);
	assert_ok(idm_map_add(map, IDM_UID, uids, ARRAY_SIZE(uids), NULL), NULL);
	assert_ok(idm_map_add(map, IDM_GID, gids, ARRAY_SIZE(gids), NULL), NULL);
	return map;
}

static void assert_owner(int clone, unsigned int file, uint32_t uid, uint32_t gid)
{
	struct owner o = owner_seen(clone, file);

	if (o.uid != uid || o.gid != gid)
		fail_msg("%u is seen as %u:%u, expected %u:%u", file, o.uid, o.gid, uid, gid);
}

/* A mount through the namespace shows its map, at both ends of every entry and just past them. */
static void assert_numbered(int userns, unsigned int i)
{
	AUTO_CLOSE int clone = ownership_clone(crowd.probe, userns);

	assert_owner(clone, 0, 1000000 + 4 * i, 65534);
	assert_owner(clone, 1, 1000001 + 4 * i, 2000000000 + 4 * i);
	assert_owner(clone, 2, 65534, 2000000001 + 4 * i);
	assert_owner(clone, 3, 10 + i % 1000, 65534);
}

static void make_one(unsigned int i)
{
	AUTO_MAP struct idm_map *map = numbered_map(i);
	struct idm_error err;
	AUTO_CLOSE int fd = idm_userns_open(map, i % 10 ? 0 : IDM_USERNS_LIVE, &err);

	if (crowd.hostile && fd == -ESRCH) {
		__atomic_add_fetch(&crowd.stolen, 1, __ATOMIC_RELAXED);
		assert_contains(err.hint, "__WALL");
		return;
	}
	assert_ok(fd, &err);
	assert_numbered(fd, i);
}

static void *make_many(void *unused)
{
	(void)unused;
	pthread_barrier_wait(&crowd.start);
	for (unsigned int i; (i = __atomic_fetch_add(&crowd.next, 1, __ATOMIC_RELAXED)) < crowd.n;)
		make_one(i);
	__atomic_add_fetch(&crowd.finished, 1, __ATOMIC_RELAXED);
	return NULL;
}

static bool is_over(void)
{
	return __atomic_load_n(&crowd.over, __ATOMIC_RELAXED);
}

static unsigned int count_of(const unsigned int *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

static void *be_beside(void *unused)
{
	(void)unused;
	pthread_barrier_wait(&crowd.start);
	crowd.beside();
	return NULL;
}

/* Runs all threads. One more thread calls `beside` until they are done. */
static void run_crowd(unsigned int n_threads, unsigned int n, void (*beside)(void))
{
	struct snapshot *before = snapshot_take(SNAPSHOT_FDS | SNAPSHOT_PROCESSES);
	pthread_t other;

	crowd.n = n;
	crowd.next = crowd.finished = 0;
	crowd.over = false;
	crowd.n_threads = n_threads;
	crowd.beside = beside;
	pthread_barrier_init(&crowd.start, NULL, n_threads + 2);
	assert_int_equal(pthread_create(&other, NULL, be_beside, NULL), 0);
	for (unsigned int i = 0; i < n_threads; i++)
		assert_int_equal(pthread_create(&crowd.threads[i], NULL, make_many, NULL), 0);
	pthread_barrier_wait(&crowd.start);
	while (count_of(&crowd.finished) < n_threads)
		usleep(1000);
	__atomic_store_n(&crowd.over, true, __ATOMIC_RELAXED);
	pthread_join(other, NULL);
	for (unsigned int i = 0; i < n_threads; i++)
		pthread_join(crowd.threads[i], NULL);
	pthread_barrier_destroy(&crowd.start);
	snapshot_assert_same(before);
	proof("stress", n - crowd.stolen,
	      "namespaces made beside reapers and thieves, and seen through");
}

static void enter(void)
{
	scratch_enter();
	crowd.probe = ownership_probe(4);
}

static void leave(void)
{
	close(crowd.probe);
}

/* ---- a reaper on SIGCHLD, with children of its own ---- */

static struct own_child {
	pid_t pid;
	bool reaped;
} own[2000];
static unsigned int n_own;

static int status_of(unsigned int child)
{
	return (int)(child % 251);
}

static void start_own(void)
{
	pid_t pid;

	if (n_own == OWN_CHILDREN_MAX)
		return;
	pid = (pid_t)must(fork());
	if (pid == 0)
		_exit(status_of(n_own));
	own[n_own++].pid = pid;
}

/* Finds the latest child with that number. The kernel reuses a number only after a reap. */
static struct own_child *find_own(pid_t pid)
{
	for (unsigned int i = n_own; i > 0; i--)
		if (own[i - 1].pid == pid)
			return &own[i - 1];
	return NULL;
}

static unsigned int reap_all(void)
{
	unsigned int n = 0;
	int status;
	pid_t pid;

	while ((pid = wait4(-1, &status, WNOHANG, NULL)) > 0) {
		struct own_child *child = find_own(pid);

		if (!child || child->reaped)
			fail_msg("wait4(-1) reaped %d, which is not a child of this test", pid);
		child->reaped = true;
		if (!WIFEXITED(status) || WEXITSTATUS(status) != status_of((unsigned int)(child - own)))
			fail_msg("the status of %d is 0x%x", pid, status);
		n++;
	}
	return n;
}

static bool take_sigchld(long nanoseconds)
{
	const struct timespec moment = { 0, nanoseconds };
	siginfo_t info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	if (sigtimedwait(&set, &info, &moment) != SIGCHLD)
		return false;
	if (!find_own(info.si_pid))
		fail_msg("SIGCHLD came from %d, which is not a child of this test", info.si_pid);
	return true;
}

/* Starts one child in each round. The last ones exit after the crowd. */
static void reap_on_sigchld(void)
{
	unsigned int reaped = 0;

	while (!is_over() || n_own < OWN_CHILDREN_MIN || reaped < n_own) {
		if (!is_over() || n_own < OWN_CHILDREN_MIN)
			start_own();
		take_sigchld(2000000);
		reaped += reap_all();
	}
	while (take_sigchld(0))
		;
	note("%u children of the reaper's own, all reaped once", reaped);
}

TEST_MAPPED(beside_a_global_reaper)
{
	sigset_t set;

	enter();
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	must(sigprocmask(SIG_BLOCK, &set, NULL)); /* only the reaper waits for it */
	run_crowd(THREADS, NAMESPACES, reap_on_sigchld);
	must(sigpending(&set));
	assert_false(sigismember(&set, SIGCHLD));
	leave();
}

/* ---- other dispositions of SIGCHLD: no thread has a visible child here ---- */

static unsigned int signals_seen;

static void count_signal(int number)
{
	(void)number;
	__atomic_add_fetch(&signals_seen, 1, __ATOMIC_RELAXED);
}

static void reap_what_is_not_there(void)
{
	while (!is_over()) {
		pid_t pid = wait4(-1, NULL, WNOHANG, NULL);

		if (pid > 0)
			fail_msg("wait4(-1) took %d", pid);
		usleep(100);
	}
}

static void with_disposition(const struct sigaction *action)
{
	enter();
	must(sigaction(SIGCHLD, action, NULL));
	run_crowd(THREADS, NAMESPACES, reap_what_is_not_there);
	assert_int_equal(signals_seen, 0);
	must(sigaction(SIGCHLD, &(struct sigaction){ .sa_handler = SIG_DFL }, NULL));
	leave();
}

TEST_MAPPED(with_sigchld_ignored)
{
	with_disposition(&(struct sigaction){ .sa_handler = SIG_IGN });
}

TEST_MAPPED(with_nocldwait)
{
	with_disposition(&(struct sigaction){ .sa_handler = count_signal, .sa_flags = SA_NOCLDWAIT });
}

TEST_MAPPED(with_a_handler)
{
	with_disposition(&(struct sigaction){ .sa_handler = count_signal });
}

/* ---- a thread that reaps every child ---- */

static unsigned int taken;

/* Delays a thread between any two steps. */
static void doze(int number)
{
	const struct timespec a_while = { 0, 20000000 };

	(void)number;
	nanosleep(&a_while, NULL);
}

static void take_everything(void)
{
	struct rng rng = rng_new(400);

	for (unsigned int i = 0; !is_over(); i++) {
		if (waitpid(-1, NULL, __WALL | WNOHANG) > 0)
			taken++;
		if (i % 5000 == 0)
			pthread_kill(crowd.threads[rng_below(&rng, crowd.n_threads)], SIGUSR1);
	}
}

static void rob(unsigned int n_threads)
{
	enter();
	crowd.hostile = true;
	must(sigaction(SIGUSR1, &(struct sigaction){ .sa_handler = doze, .sa_flags = SA_RESTART },
		       NULL));
	while (taken < 10) { /* usually the first run is enough */
		crowd.stolen = 0;
		run_crowd(n_threads, NAMESPACES / 5, take_everything);
		note("%u children taken; %u of %u calls gave up", taken, crowd.stolen, crowd.n);
		assert_true(crowd.stolen < crowd.n);
	}
	leave();
}

/* The result is right, or -ESRCH. It is never another process's namespace, and no call hangs. */
TEST_MAPPED(beside_a_thief)
{
	rob(THREADS);
}

static void rob_with_few_numbers(void *unused)
{
	(void)unused;
	assert_int_equal(getpid(), 1);
	scratch_enter();
	do_mount("proc", "/proc", "proc", 0, NULL);
	scratch_file("/proc/sys/kernel/pid_max", "400");
	rob(FEW_THREADS);
}

static void in_a_new_pid_namespace(void *unused)
{
	(void)unused;
	must(unshare(CLONE_NEWPID));
	in_child(rob_with_few_numbers, NULL);
}

static void no_few_numbers(void)
{
	untried("kernel.pid_max is the whole host's");
}

/*
 * The same with few numbers: another child gets a free number within milliseconds. That is earlier than
 * the thread that used it wakes up.
 */
TEST_AS(beside_a_thief_with_numbers_used_again, 300, 6, 14, no_few_numbers)
{
	need_root();
	in_child(in_a_new_pid_namespace, NULL);
}

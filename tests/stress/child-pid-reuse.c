// SPDX-License-Identifier: MIT
/*
 * The race of pid-reuse.c, for programs that the library starts, waits for and signals. At every system
 * call of the caller, the first process and the second process, the thief kills and reaps one of the
 * two. Another process then gets its number. The library must not signal that process, wait for it, or
 * move it to a process group. idm_child_start() returns the program, or an error.
 */
#include "tests/integration/spawn/children.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/macros.h"
#include "tests/lib/maps.h"
#include "tests/lib/scratch.h"
#include "tests/lib/snapshot.h"
#include "thief.h"

#define LIMIT 300

/* Rounds at each call. There are many calls, because the shell's count, too. */
static unsigned int rounds(void)
{
	return test_is_long() ? 1000 : test_is_slow() ? 1 : 4;
}

/* The program that the victim starts, and its results. */
static struct job {
	struct idm_child_options o;
	int pidfd;
	int waited;
	pid_t pid;
	struct idm_exit_info exit;
	struct idm_error err;
} job;

static void start_and_wait(void *unused)
{
	(void)unused;
	job.pidfd = idm_child_start(&job.o, &job.err);
	if (job.pidfd < 0)
		return;
	idm_child_signal(job.pidfd, SIGCONT, NULL); /* changes nothing, but would mark a decoy */
	job.waited = idm_child_wait(job.pidfd, -1, &job.exit, &job.err);
}

/* The program exited by itself, or the thief killed it. */
static void assert_program(const struct theft *theft)
{
	for (unsigned int i = 0; i < theft->n; i++)
		if (decoy_is_behind(&theft->decoys[i], job.pidfd))
			fail_msg("child taken at call %u: the pidfd is another's", theft->at);
	if (job.waited == -ECHILD && theft->taken && kernel_is_before(6, 15))
		return;
	assert_ok(job.waited, &job.err);
	if (job.exit.pid)
		assert_int_equal(job.exit.pid, job.pid);
	if (job.exit.code == CLD_EXITED || !theft->taken) {
		assert_int_equal(job.exit.code, CLD_EXITED);
		assert_int_equal(job.exit.status, 3);
	} else {
		assert_int_equal(job.exit.code, CLD_KILLED);
		assert_int_equal(job.exit.status, SIGKILL);
	}
}

static void assert_right(const struct theft *theft)
{
	const char *harm = thief_harm(theft);

	if (harm)
		fail_msg("child taken at call %u: %s", theft->at, harm);
	if (job.pidfd >= 0)
		assert_program(theft);
	else if (!theft->taken || job.pidfd != -ESRCH)
		fail_msg("child taken at call %u: %s", theft->at, job.err.message);
}

/*
 * A process that reaps all its children reaps the second process, too, when the first one is gone. The
 * thief reaps only one child in a round, so the rest is reaped here.
 */
static void reap_the_rest(const struct theft *theft)
{
	unsigned int n = 0;

	while (waitpid(-1, NULL, WNOHANG | __WALL) > 0)
		n++;
	assert_true(n <= theft->taken);
}

struct sum {
	unsigned int steps, taken, decoys, failed;
};

static bool take_once(struct theft *theft, struct sum *sum)
{
	thief_round(theft);
	sum->taken += theft->taken;
	sum->decoys += theft->n;
	sum->failed += job.pidfd < 0;
	assert_right(theft);
	reap_the_rest(theft);
	thief_end_decoys(theft);
	if (job.pidfd >= 0)
		close(job.pidfd);
	return theft->taken;
}

/* Returns the number of decoys. */
static unsigned int rob(const char *what, unsigned int child)
{
	struct theft theft = { .child = child };
	struct sum sum = { 0 };

	thief_start(start_and_wait, NULL);
	/* Two processes run at once. A call that one did not reach in this round may come in the next.
	 */
	for (unsigned int last = 0; theft.at++ < last + 3;) {
		struct snapshot *before = snapshot_take(SNAPSHOT_FDS | SNAPSHOT_PROCESSES);
		bool taken = false;

		for (unsigned int i = 0; i < rounds(); i++)
			taken |= take_once(&theft, &sum);
		last = taken ? theft.at : last;
		sum.steps += taken;
		snapshot_assert_same(before);
	}
	thief_stop();
	note("%s: taken at each of %u calls, %u times, and replaced %u times; not started %u times",
	     what, sum.steps, sum.taken, sum.decoys, sum.failed);
	assert_true(sum.steps > 10);
	assert_true(sum.decoys > sum.steps / 2);
	assert_true(sum.failed > 0);
	return sum.decoys;
}

static unsigned int rob_all(void)
{
	int userns = userns_of("0:5000:10");
	unsigned int decoys = rob("program", 0);

	job.o.namespaces = IDM_NS_MOUNT | IDM_NS_UTS;
	decoys += rob("program in namespaces", 0);
	/* A PID namespace in another user namespace requires a second process. */
	job.o.namespaces |= IDM_NS_PID;
	job.o.join_fds = &userns;
	job.o.n_join_fds = 1;
	decoys += rob("first of two processes", 0);
	decoys += rob("second of two processes", 1);
	close(userns);
	return decoys;
}

static void in_own_pid_namespace(void (*body)(void *))
{
	need_root();
	scratch_enter();
	job.o = SCRIPT("exit 3");
	job.o.pid = &job.pid;
	in_pid_namespace(body, NULL);
}

static void by_number(void *unused)
{
	(void)unused;
	must(setpgid(0, 0)); /* a process group with a number in this namespace */
	proof("pid-reuse", rob_all(), "children taken, and their numbers given to others");
}

TEST_WITHIN(whenever_the_child_is_taken_nobody_else_is_harmed, LIMIT)
{
	in_own_pid_namespace(by_number);
}

static void with_few_numbers(void *unused)
{
	(void)unused;
	must(setpgid(0, 0));
	thief_with_few_numbers();
	proof("pid-reuse", rob_all(), "children taken, and their numbers come around");
}

static void no_few_numbers(void)
{
	untried("kernel.pid_max is the whole host's");
}

TEST_AS(the_same_where_numbers_are_few, LIMIT, 6, 14, no_few_numbers)
{
	in_own_pid_namespace(with_few_numbers);
}

// SPDX-License-Identifier: MIT
/*
 * A reaper that adopts orphans knows them by number only, because it gets no pidfds of them. At every
 * system call that it makes for an orphan, another thread reaps the orphan. Another process then gets
 * its number. That process is alive, or it is a zombie that its parent has to wait for. The reaper must
 * not mistake it for the orphan.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/macros.h"
#include "tests/lib/ends.h"
#include "tests/lib/scratch.h"
#include "tests/lib/snapshot.h"
#include "thief.h"

#define LIMIT 300
#define STATUS 9

static unsigned int rounds(void)
{
	return test_is_long() ? 1000 : test_is_slow() ? 2 : 10;
}

static struct job {
	struct idm_reaper *reaper;
	int r;
	struct idm_exit_info exit;
	void *data;
	struct idm_error err;
} job;

static void ask_reaper(void *unused)
{
	(void)unused;
	job.data = NULL;
	job.r = idm_reaper_next(job.reaper, 0, &job.exit, &job.data, &job.err);
}

/* Makes a zombie that process 1 has adopted. */
static pid_t make_orphan(void)
{
	siginfo_t info;
	pid_t middle, pid;
	int tell[2];

	must(pipe2(tell, O_CLOEXEC));
	middle = (pid_t)must(fork());
	if (middle == 0) {
		pid = (pid_t)must(fork());
		if (pid == 0)
			_exit(STATUS);
		must(write(tell[1], &pid, sizeof(pid)));
		_exit(0);
	}
	must(TEMP_FAILURE_RETRY(waitpid(middle, NULL, 0)));
	assert_int_equal(must(read(tell[0], &pid, sizeof(pid))), sizeof(pid));
	close(tell[0]);
	close(tell[1]);
	must(TEMP_FAILURE_RETRY(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT)));
	return pid;
}

static unsigned int lost; /* exits whose status another thread has got */

/*
 * The reaper reports the orphan's exit once, or not at all if the thief reaped it. Before Linux 6.15 the
 * status is unknown then, and the reaper reports that.
 */
static void assert_right(const struct theft *theft)
{
	const char *harm = thief_harm(theft);

	if (harm)
		fail_msg("orphan taken at call %u: %s", theft->at, harm);
	if (job.r == -ETIMEDOUT && theft->taken)
		return;
	assert_ok(job.r, &job.err);
	assert_true(job.data == &job);
	if (theft->taken && kernel_is_before(6, 15) && job.exit.code == IDM_EXIT_LOST) {
		assert_int_equal(job.exit.status, -1);
		lost++;
	} else {
		assert_int_equal(job.exit.code, CLD_EXITED);
		assert_int_equal(job.exit.status, STATUS);
	}
	assert_true(job.exit.pid == theft->other || (job.exit.pid == 0 && theft->taken));
}

static bool take_once(struct theft *theft, unsigned int *decoys)
{
	theft->other = make_orphan();
	thief_round(theft);
	*decoys += theft->n;
	assert_right(theft);
	thief_end_decoys(theft);
	assert_int_equal(waitpid(-1, NULL, WNOHANG | __WALL), -1); /* no child is left */
	return theft->taken;
}

static unsigned int rob(struct theft theft)
{
	unsigned int decoys = 0, steps = 0;

	for (bool taken = true; taken; steps += taken) {
		struct snapshot *before = snapshot_take(SNAPSHOT_FDS | SNAPSHOT_PROCESSES);

		theft.at++;
		taken = false;
		for (unsigned int i = 0; i < rounds(); i++)
			taken |= take_once(&theft, &decoys);
		snapshot_assert_same(before);
	}
	note("orphan: taken at each of %u calls, and replaced %u times by one that %s", steps, decoys,
	     theft.dead ? "has exited" : "lives");
	note("the status was lost %u times", lost);
	assert_true(!lost == !kernel_is_before(6, 15));
	assert_true(steps > 5);
	assert_true(decoys > steps);
	return decoys;
}

/* The first thread of a process adopts orphans. The thief is another thread, so that decoys are not
 * orphans. */
static void *be_another_thread(void *unused)
{
	unsigned int decoys;

	(void)unused;
	assert_ok(idm_reaper_adopt(job.reaper, 0, &job, &job.err), &job.err);
	thief_start(ask_reaper, NULL);
	decoys = rob((struct theft){ 0 }) + rob((struct theft){ .dead = true });
	thief_stop();
	proof("pid-reuse", decoys, "children taken, and their numbers given to others");
	return NULL;
}

static void adopt(void *unused)
{
	pthread_t thread;
	sigset_t set;

	(void)unused;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	must(sigprocmask(SIG_BLOCK, &set, NULL));
	job.reaper = reaper_new();
	assert_int_equal(pthread_create(&thread, NULL, be_another_thread, NULL), 0);
	pthread_join(thread, NULL);
	idm_reaper_free(job.reaper);
}

TEST_WITHIN(whenever_the_orphan_is_taken_nobody_else_is_adopted, LIMIT)
{
	need_root();
	scratch_enter();
	in_pid_namespace(adopt, NULL);
}

// SPDX-License-Identifier: MIT
/* A child that is killed on its way to the program is an error, not a program that has ended. */
#include "children.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/macros.h"
#include "tests/lib/maps.h"
#include "tests/lib/scratch.h"
#include "tests/lib/snapshot.h"

#define CGROUP SCRATCH "/cgroup/idm-child-killed"

static void set(const char *file, const char *text)
{
	int fd = (int)must(openat(AT_FDCWD, file, O_WRONLY | O_CLOEXEC));

	must(write(fd, text, strlen(text)));
	close(fd);
}

static int frozen_cgroup(void)
{
	scratch_enter();
	scratch_dir(SCRATCH "/cgroup");
	do_mount("none", SCRATCH "/cgroup", "cgroup2", 0, NULL);
	if (rmdir(CGROUP) < 0)
		assert_int_equal(errno, ENOENT);
	must(mkdir(CGROUP, 0755));
	set(CGROUP "/cgroup.freeze", "1");
	return (int)must(open(CGROUP, O_PATH | O_CLOEXEC));
}

/* The first process that is found in the cgroup. */
static pid_t wait_for_member(void)
{
	char text[32] = "";

	while (!text[0]) {
		int fd = (int)must(open(CGROUP "/cgroup.procs", O_RDONLY | O_CLOEXEC));

		must(read(fd, text, sizeof(text) - 1));
		close(fd);
		sched_yield();
	}
	return atoi(text);
}

static void *kill_member(void *unused)
{
	(void)unused;
	must(kill(wait_for_member(), SIGKILL));
	return NULL;
}

/* It is born frozen, so it is killed before its first instruction. */
TEST(a_child_that_was_killed_at_once_is_an_error)
{
	struct idm_child_options o = SCRIPT("true");
	struct idm_error err;
	struct snapshot *before;

	o.cgroup_fd = frozen_cgroup();
	before = snapshot_take(SNAPSHOT_ALL);
	for (int stage = 0; stage < 2; stage++) {
		pthread_t thread;

		o.uid = stage ? 0 : IDM_CHILD_KEEP_ID;
		assert_int_equal(pthread_create(&thread, NULL, kill_member, NULL), 0);
		assert_error(idm_child_start(&o, &err), -ESRCH, &err, "", NULL, "was killed");
		pthread_join(thread, NULL);
	}
	snapshot_assert_same(before);
	close(o.cgroup_fd);
	must(rmdir(CGROUP));
}

static atomic_bool over;

/* A process that is being reaped may be listed as 0, which would be this test's own process group. */
static void kill_listed(const char *number)
{
	pid_t pid = atoi(number);

	if (pid > 0)
		kill(pid, SIGKILL);
}

/* At any moment: the cgroup is frozen and thawed, and who is in it when it is thawed may be killed. */
static void *kill_at_random(void *seed)
{
	struct rng *rng = seed;

	while (!over) {
		int fd = (int)must(open(CGROUP "/cgroup.procs", O_RDONLY | O_CLOEXEC));
		char text[256] = "";

		must(read(fd, text, sizeof(text) - 1));
		close(fd);
		for (char *p = text, *line; (line = strsep(&p, "\n")) && *line;)
			if (rng_below(rng, 8) == 0)
				kill_listed(line);
		for (uint32_t i = rng_below(rng, 200); i; i--)
			sched_yield();
	}
	return NULL;
}

/* No other process of the test can be hit: only those that were born there are in the cgroup. */
TEST_WITHIN(a_child_may_be_killed_at_any_moment, 300)
{
	AUTO_MAP struct idm_map *map = map_of("0:5000:10");
	struct idm_child_options o = SCRIPT("exit 3");
	struct rng rng = rng_new(1);
	unsigned int failed = 0, killed = 0;
	struct snapshot *before;
	pthread_t thread;

	o.cgroup_fd = frozen_cgroup();
	set(CGROUP "/cgroup.freeze", "0");
	before = snapshot_take(SNAPSHOT_ALL);
	assert_int_equal(pthread_create(&thread, NULL, kill_at_random, &rng), 0);
	for (int i = 0; i < (test_is_slow() ? 100 : 1000); i++) {
		struct idm_error err;
		int pidfd;

		o.uid = i % 2 ? 0 : IDM_CHILD_KEEP_ID;
		o.map = i % 4 == 3 ? map : NULL;
		o.namespaces = o.map ? IDM_NS_PID : 0;
		o.flags = i % 8 == 7 ? IDM_CHILD_UNDER_INIT : 0;
		pidfd = idm_child_start(&o, &err);
		if (pidfd < 0) {
			assert_int_equal(pidfd, -ESRCH);
			assert_contains(PART(err, reason), "was killed");
			failed++;
			continue;
		}
		{
			struct idm_exit_info exit = end_of(pidfd);

			if (exit.code == CLD_EXITED)
				assert_true(exit.status == 3 ||
					    (exit.status == 128 + SIGKILL && o.flags));
			else
				assert_int_equal(exit.status, SIGKILL);
			killed += exit.code != CLD_EXITED;
		}
	}
	over = true;
	pthread_join(thread, NULL);
	note("%u were killed before the program was executed, %u after", failed, killed);
	assert_true(failed + killed > 0);
	snapshot_assert_same(before);
	close(o.cgroup_fd);
	must(rmdir(CGROUP));
}

// SPDX-License-Identifier: MIT
/*
 * A hundred threads start programs at once, in each way. Each thread gets the exit status of its own
 * program. Each failure returns to the thread that caused it. No process and no descriptor is left.
 */
#include "tests/integration/spawn/children.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/macros.h"
#include "tests/lib/maps.h"
#include "tests/lib/scratch.h"
#include "tests/lib/snapshot.h"

#define THREADS 100
#define ROUNDS (test_is_slow() ? 2 : 10)

static struct idm_map *map;
static pthread_barrier_t together;

/* Runs in each thread. Every thread passes a descriptor of its own, which must not reach another child.
 */
static void start_each_way(long number)
{
	char script[96], name[16];
	struct idm_child_fd fds[] = { { -1, 1 }, { -1, 7 } };
	const char *const usual[] = { "sh", "-c", script, NULL }, *const first[] = { "sh", "-c",
										     "exit $$", NULL };
	struct idm_child_options o = IDM_CHILD_OPTIONS_INIT;
	struct idm_error err;

	snprintf(name, sizeof(name), "x%ld", number);
	fds[1].from = (int)must(memfd_create(name, MFD_CLOEXEC));
	snprintf(script, sizeof(script),
		 "case $(readlink /proc/$$/fd/7) in */memfd:x%ld*) exit %ld; esac", number, number);
	o.argv = usual;
	o.fds = fds;
	o.n_fds = ARRAY_SIZE(fds);
	for (int i = 0; i < ROUNDS; i++) {
		o.path = "/bin/sh";
		o.uid = i % 2 ? 0 : IDM_CHILD_KEEP_ID;
		o.map = i % 4 == 3 ? map : NULL;
		assert_ends(child_of(&o), CLD_EXITED, (int)number);
		o.path = name;
		assert_error(idm_child_start(&o, &err), -ENOENT, &err, name, "execute", NULL);
		o.path = "/bin/sh";
		if (i % 5)
			continue;
		o.uid = IDM_CHILD_KEEP_ID;
		o.map = map;
		o.namespaces = IDM_NS_PID;
		o.argv = first;
		assert_ends(child_of(&o), CLD_EXITED, 1);
		o.namespaces = 0;
		o.argv = usual;
	}
	close(fds[1].from);
}

static void *run_thread(void *number)
{
	pthread_barrier_wait(&together);
	start_each_way((long)number);
	return NULL;
}

TEST_WITHIN(a_hundred_threads_get_what_they_asked_for, 600)
{
	pthread_t threads[THREADS];
	struct snapshot *before;

	scratch_enter();
	map = map_of("0:5000:10");
	before = snapshot_take(SNAPSHOT_ALL);
	pthread_barrier_init(&together, NULL, THREADS);
	for (long i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, run_thread, (void *)(i + 1)), 0);
	for (long i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&together);
	snapshot_assert_same(before);
	idm_map_free(map);
}

static atomic_bool over;

/* Forks children that hold copies of all open descriptors for a while. */
static void *fork_all_the_time(void *unused)
{
	pid_t pids[16] = { 0 };

	for (size_t i = 0; !over; i = (i + 1) % ARRAY_SIZE(pids)) {
		if (pids[i]) {
			must(kill(pids[i], SIGKILL));
			must(waitpid(pids[i], NULL, 0));
		}
		pids[i] = (pid_t)must(fork());
		if (pids[i] == 0)
			for (;;)
				pause();
	}
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
		if (!pids[i])
			continue;
		must(kill(pids[i], SIGKILL));
		must(waitpid(pids[i], NULL, 0));
	}
	return unused;
}

/* If the library waited for the end of a pipe, those children would delay it as long as they live. */
TEST_WITHIN(forks_of_other_threads_do_not_hold_it_up, 300)
{
	struct idm_child_options o = IDM_CHILD_OPTIONS_INIT;
	pthread_t thread;

	scratch_enter();
	map = map_of("0:5000:10");
	o.path = "/bin/true";
	o.argv = ARGV("true");
	assert_int_equal(pthread_create(&thread, NULL, fork_all_the_time, NULL), 0);
	for (int i = 0; i < (test_is_slow() ? 30 : 200); i++) {
		o.uid = i % 2 ? 0 : IDM_CHILD_KEEP_ID;
		o.map = i % 4 == 3 ? map : NULL;
		o.namespaces = o.map ? IDM_NS_PID : 0;
		assert_ends(child_of(&o), CLD_EXITED, 0);
	}
	over = true;
	pthread_join(thread, NULL);
	idm_map_free(map);
}

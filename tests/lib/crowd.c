// SPDX-License-Identifier: MIT
#include "crowd.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "test.h"

struct crowd {
	pthread_barrier_t start;
	struct timespec end;
	unsigned int done;
	void (*member)(struct crowd *crowd, unsigned int thread);
};

struct member {
	struct crowd *crowd;
	unsigned int number;
	pthread_t thread;
};

void crowd_start(struct crowd *crowd)
{
	pthread_barrier_wait(&crowd->start);
}

bool crowd_goes_on(struct crowd *crowd)
{
	struct timespec now;

	__atomic_add_fetch(&crowd->done, 1, __ATOMIC_RELAXED);
	must(clock_gettime(CLOCK_MONOTONIC, &now));
	return now.tv_sec < crowd->end.tv_sec ||
	       (now.tv_sec == crowd->end.tv_sec && now.tv_nsec < crowd->end.tv_nsec);
}

static void *run_member(void *data)
{
	const struct member *m = data;

	m->crowd->member(m->crowd, m->number);
	return NULL;
}

unsigned int crowd_run(unsigned int n, int seconds,
		       void (*member)(struct crowd *crowd, unsigned int thread))
{
	struct crowd crowd = { .member = member };
	struct member *members = calloc(n, sizeof(*members));

	assert_non_null(members);
	must(clock_gettime(CLOCK_MONOTONIC, &crowd.end));
	crowd.end.tv_sec += test_duration(seconds);
	pthread_barrier_init(&crowd.start, NULL, n);
	for (unsigned int i = 0; i < n; i++) {
		members[i].crowd = &crowd;
		members[i].number = i;
		assert_int_equal(pthread_create(&members[i].thread, NULL, run_member, &members[i]), 0);
	}
	for (unsigned int i = 0; i < n; i++)
		pthread_join(members[i].thread, NULL);
	pthread_barrier_destroy(&crowd.start);
	free(members);
	return crowd.done;
}

// SPDX-License-Identifier: MIT
/*
 * User namespaces made by several threads at once, the library's and the neighbours' way: the time for
 * all of them together, divided by how many they made. If that does not grow with the threads, no
 * thread is in another's way. Then the cache, in the same manner.
 */
#include <stdio.h>
#include <unistd.h>

#include "bench/lib/measure.h"
#include "bench/lib/userns-ways.h"

/* What all threads of a sample do, and how often all together. */
struct job {
	int (*make)(void);
	int threads, times;
};

static void work(int thread, const void *data)
{
	const struct job *job = data;

	(void)thread;
	for (int i = 0; i < job->times / job->threads; i++)
		close(job->make());
}

static double sample(const struct way *way)
{
	const struct job *job = way->data;
	int n = job->threads;

	return time_of_threads(n, work, job) / (job->times / n * n);
}

enum { OURS, FORK, REEXEC, BARE, CACHED, DUP, KINDS };

/* The cache returns a duplicate: it cannot be had for less. */
static int some_namespace;

static int duplicate(void)
{
	return dup(some_namespace);
}

static const struct kind {
	const char *name;
	int (*make)(void);
	int times; /* by all threads, at least once each */
} kinds[KINDS] = {
	[OURS] = { "idm_userns_open", userns_ours, 200 },
	[FORK] = { "fork, pause, kill", userns_fork_pause_kill, 100 },
	[REEXEC] = { "re-exec under ptrace", userns_reexec, 100 },
	[BARE] = { "bare system calls", userns_bare, 200 },
	[CACHED] = { "idm_userns_cache_open", userns_cached, 20000 },
	[DUP] = { "dup", duplicate, 20000 },
};

static const int numbers[] = { 1, 2, 8, 100 };

#define NUMBERS COUNT(numbers)

static int at(size_t number, int kind)
{
	return (int)number * KINDS + kind;
}

static void report_number(const struct measured *m, size_t i)
{
	char question[64];
	struct row row = { .question = question, .ours = at(i, OURS), .lower_bound = at(i, BARE) };

	snprintf(question, sizeof(question), "user namespaces by %d thread%s", numbers[i],
		 numbers[i] > 1 ? "s" : "");
	if (i > 0) {
		row.yardstick = at(0, OURS);
		row.at_most = 1;
		report(m, &row);
		row.at_most = 0;
	}
	row.yardstick = at(i, FORK);
	row.at_least = numbers[i] == 100 ? 5 : 1;
	report(m, &row);
	row.yardstick = at(i, REEXEC);
	report(m, &row);
}

static void report_cache(const struct measured *m, size_t i)
{
	char question[64];
	struct row row = { .question = question, .ours = at(i, CACHED), .lower_bound = at(i, DUP) };

	snprintf(question, sizeof(question), "cached user namespace, %d thread%s", numbers[i],
		 numbers[i] > 1 ? "s" : "");
	row.yardstick = NO_WAY;
	row.at_most_itself = 1;
	report(m, &row);
	row.yardstick = at(i, OURS);
	row.at_most_itself = 0;
	row.at_least = 60;
	report(m, &row);
}

int main(void)
{
	static struct job jobs[NUMBERS * KINDS];
	static struct way ways[NUMBERS * KINDS];
	static struct measured m;

	userns_begin();
	some_namespace = userns_ours();
	for (size_t i = 0; i < NUMBERS; i++)
		for (int k = 0; k < KINDS; k++) {
			int all = is_smoke() ? numbers[i] : kinds[k].times;

			jobs[at(i, k)] = (struct job){ kinds[k].make, numbers[i], all };
			ways[at(i, k)] = (struct way){
				.name = k == OURS && i == 0 ? "1 thread" : kinds[k].name,
				.sample = sample,
				.data = &jobs[at(i, k)],
				.absent = (k == BARE && !userns_has_bare()) ||
					  (k >= CACHED && i > 0 && i < NUMBERS - 1),
			};
		}
	measure(&m, ways, NUMBERS * KINDS, rounds(21));
	for (size_t i = 0; i < NUMBERS; i++)
		report_number(&m, i);
	report_cache(&m, 0);
	report_cache(&m, NUMBERS - 1);
	close(some_namespace);
	return 0;
}

// SPDX-License-Identifier: MIT
/*
 * What one user namespace descriptor costs, with different amounts of memory resident: the library, the
 * bare system calls, and the children that others make for it.
 *
 *   userns [MIB]...    0, 64, 1024 and 8192 if nothing is said
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/lib/measure.h"
#include "bench/lib/userns-ways.h"
#include "bench/lib/workers.h"

enum { OURS, BARE, CHECKED, FORK, REEXEC, KINDS };

static const struct kind {
	const char *name;
	int (*make)(void);
} kinds[KINDS] = {
	[OURS] = { "idm_userns_open", userns_ours },
	[BARE] = { "bare system calls", userns_bare },
	[CHECKED] = { "bare calls that check", userns_checked },
	[FORK] = { "fork, pause, kill", userns_fork_pause_kill },
	[REEXEC] = { "re-exec under ptrace", userns_reexec },
};

static double make_often(const struct way *way)
{
	const struct kind *kind = way->data;
	double start = now();

	for (int i = 0; i < way->times; i++)
		close(kind->make());
	return (now() - start) / way->times;
}

static struct worker sizes[MOST_WAYS / KINDS];
static size_t n_sizes;

/* What takes long need not be done often. */
static int times_of(int kind, size_t mib)
{
	return kind != OURS && kind != BARE && kind != CHECKED && mib >= 1024 ? 1 : times(20);
}

/* ---- the table ---- */

static double target(size_t mib)
{
	return mib == 0 ? 2.5 : mib == 64 ? 20 : mib >= 1024 ? 300 : 1;
}

static const char *with_resident(size_t mib)
{
	static char text[64];

	snprintf(text, sizeof(text), mib ? "user namespace, %zu MiB resident" : "user namespace", mib);
	return text;
}

static void report_size(const struct measured *m, size_t i)
{
	int first = (int)(i * KINDS);
	struct row row = { .question = with_resident(sizes[i].mib), .ours = first + OURS };

	if (sizes[i].absent) {
		report_short(row.question, &sizes[i]);
		return;
	}
	row.lower_bound = first + CHECKED;
	row.at_least = target(sizes[i].mib);
	row.yardstick = first + FORK;
	report(m, &row);
	row.yardstick = first + REEXEC;
	report(m, &row);
	row.at_least = 0;
	row.at_most = 1.15;
	row.yardstick = first + BARE;
	report(m, &row);
	row = (struct row){ .question = "the same", .ours = first + OURS, .yardstick = first + CHECKED };
	row.lower_bound = NO_WAY;
	report(m, &row);
}

/* Beside that of the least memory. */
static void report_flatness(const struct measured *m, size_t i)
{
	char question[64];
	struct row row = { .question = question, .ours = (int)(i * KINDS), .lower_bound = NO_WAY };

	snprintf(question, sizeof(question), "user namespace, %zu MiB beside %zu MiB", sizes[i].mib,
		 sizes[0].mib);
	row.at_most = 1.15;
	if (sizes[i].absent)
		report_short(question, &sizes[i]);
	else
		report(m, &row);
}

static int take_sizes(int n, const char *const *texts)
{
	for (; n > 0; n--, texts++, n_sizes++) {
		char *end;

		if (n_sizes == COUNT(sizes))
			return -1;
		sizes[n_sizes].mib = strtoul(*texts, &end, 10);
		if (*end || end == *texts)
			return -1;
	}
	return 0;
}

static void prepare_tasks(struct task *tasks)
{
	for (size_t t = 0; t < n_sizes * KINDS; t++) {
		const struct worker *size = &sizes[t / KINDS];
		int k = (int)(t % KINDS);

		tasks[t].worker = size;
		tasks[t].way = (struct way){
			.name = kinds[k].name,
			.sample = make_often,
			.data = &kinds[k],
			.times = times_of(k, size->mib),
			.absent = (k == BARE || k == CHECKED) && !userns_has_bare(),
		};
	}
}

static void measure_sizes(struct measured *m)
{
	static struct task tasks[MOST_WAYS];
	static struct way ways[MOST_WAYS];

	prepare_tasks(tasks);
	start_workers(sizes, n_sizes);
	measure_tasks(m, ways, tasks, n_sizes * KINDS, rounds(31));
	stop_workers(sizes, n_sizes);
}

int main(int argc, char **argv)
{
	static const char *const defaults[] = { "0", "64", "1024", "8192" }, *const little[] = { "0",
												 "16" };
	static struct measured m;
	int r = argc > 1     ? take_sizes(argc - 1, (const char *const *)argv + 1)
		: is_smoke() ? take_sizes(COUNT(little), little)
			     : take_sizes(COUNT(defaults), defaults);

	userns_begin();
	if (r < 0) {
		fprintf(stderr, "usage: %s [MIB]...   (at most %zu sizes)\n", argv[0], COUNT(sizes));
		return 2;
	}
	measure_sizes(&m);
	for (size_t i = 0; i < n_sizes; i++)
		report_size(&m, i);
	for (size_t i = 1; i < n_sizes; i++)
		report_flatness(&m, i);
	return 0;
}

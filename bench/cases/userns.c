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
#include "bench/lib/resident.h"
#include "bench/lib/userns-ways.h"

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

static void make_once(int kind)
{
	close(kinds[kind].make());
}

struct task {
	const struct resident *size;
	int kind, times;
};

static struct resident sizes[MOST_WAYS / KINDS];
static size_t n_sizes;

static double ask(const struct way *way)
{
	const struct task *task = way->data;

	return resident_ask(task->size, task->kind, task->times);
}

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
		report_skipped(row.question, "memory is short");
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

/* That of the most memory beside that of the least. */
static void report_flatness(const struct measured *m)
{
	size_t last = n_sizes - 1;
	char question[64];
	struct row row = { .question = question, .ours = (int)(last * KINDS), .lower_bound = NO_WAY };

	snprintf(question, sizeof(question), "user namespace, %zu MiB beside %zu MiB", sizes[last].mib,
		 sizes[0].mib);
	row.at_most = 1.15;
	if (sizes[last].absent || sizes[0].absent)
		report_skipped(question, "memory is short");
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

int main(int argc, char **argv)
{
	static const char *const defaults[] = { "0", "64", "1024", "8192" }, *const little[] = { "0",
												 "16" };
	static struct task tasks[MOST_WAYS];
	static struct way ways[MOST_WAYS];
	static struct measured m;
	int r = argc > 1     ? take_sizes(argc - 1, (const char *const *)argv + 1)
		: is_smoke() ? take_sizes(COUNT(little), little)
			     : take_sizes(COUNT(defaults), defaults);

	userns_begin();
	if (r < 0) {
		fprintf(stderr, "usage: %s [MIB]...   (at most %zu sizes)\n", argv[0], COUNT(sizes));
		return 2;
	}
	for (size_t i = 0; i < n_sizes; i++) {
		resident_start(&sizes[i], make_once);
		for (int k = 0; k < KINDS; k++) {
			size_t w = i * KINDS + (size_t)k;

			tasks[w] = (struct task){ &sizes[i], k, times_of(k, sizes[i].mib) };
			ways[w] = (struct way){
				.name = kinds[k].name,
				.sample = ask,
				.data = &tasks[w],
				.absent = sizes[i].absent ||
					  ((k == BARE || k == CHECKED) && !userns_has_bare()),
			};
		}
	}
	measure(&m, ways, n_sizes * KINDS, rounds(41));
	resident_stop_all(sizes, n_sizes);
	for (size_t i = 0; i < n_sizes; i++)
		report_size(&m, i);
	if (n_sizes > 1)
		report_flatness(&m);
	return 0;
}

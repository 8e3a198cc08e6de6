// SPDX-License-Identifier: MIT
/*
 * Whole programs beside each other, for the scripts here: from start to end, in turn, round by round.
 *
 *   commands [OPTION]... @ NAME COMMAND [+ COMMAND]... [@ NAME COMMAND [+ COMMAND]...]...
 *
 * The first is idmount's, the others are yardsticks; the commands of one follow each other. The time of
 * a command behind the word "-" does not count. Each yardstick makes a line of the table.
 *
 *   --question TEXT    what the line is about
 *   --rounds N
 *   --at-most RATIO    to reach, by idmount over the yardstick: for the first yardstick. May be
 *                      repeated: for the next one
 *   --at-least RATIO   to reach, by the yardstick over idmount: for the first yardstick
 *   --lower-bound      the last is no yardstick but the lower bound
 *   --memory           measure the most that was resident, of the biggest command, instead of the time
 *   --added US         idmount's figure is the time that it adds to the second way. At most so many
 *                      microseconds are to be reached. The lower bound is what the last way adds
 *   --among-mounts     run the yardsticks with few mounts on the host, and all others with 10,000
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/lib/measure.h"
#include "bench/lib/workers.h"

static bool memory, among_mounts;

static double larger(double a, double b)
{
	return a > b ? a : b;
}

/* The time that counts. */
static double run_command(char *const argv[])
{
	if (strcmp(*argv, "-") != 0)
		return time_of_command(argv);
	time_of_command(argv + 1);
	return 0;
}

/* The words behind a NAME; each "+" has become NULL, and two NULLs are behind the last. */
static double sample(const struct way *way)
{
	char *const *argv = way->data;
	double us = 0, peak = 0;

	while (*argv) {
		if (memory)
			peak = larger(peak, peak_of_command(argv));
		else
			us += run_command(argv);
		while (*argv)
			argv++;
		argv++;
	}
	return memory ? peak : us;
}

/* Up to the next "@", which is where the result points, or the end. */
static char **take_way(char **at, struct way *way)
{
	static char *words[MOST_WAYS][64];
	static size_t n;
	size_t k = 0;

	if (n == MOST_WAYS) {
		fprintf(stderr, "too many ways\n");
		exit(2);
	}
	*way = (struct way){ .name = *at++, .sample = sample, .data = words[n] };
	for (; *at && strcmp(*at, "@") != 0 && k < 62; at++)
		words[n][k++] = strcmp(*at, "+") == 0 ? NULL : *at;
	n++;
	return at;
}

static size_t take_ways(char **at, struct way *ways)
{
	size_t n = 0;

	while (*at && n < MOST_WAYS) {
		at = take_way(at, &ways[n++]);
		if (*at)
			at++;
	}
	return n;
}

/* The first and the last are idmount and the lower bound. */
static void measure_on_hosts(struct measured *m, const struct way *ways, size_t n, bool lower_bound,
			     int rounds)
{
	struct worker hosts[] = { { 0 }, { .mounts = 10000 } };
	static struct task tasks[MOST_WAYS];
	static struct way elsewhere[MOST_WAYS];

	for (size_t w = 0; w < n; w++) {
		bool yardstick = w > 0 && w + lower_bound < n;

		tasks[w] = (struct task){ &hosts[!yardstick], ways[w] };
	}
	start_workers(hosts, COUNT(hosts));
	measure_tasks(m, elsewhere, tasks, n, rounds);
	stop_workers(hosts, COUNT(hosts));
}

/* Subtracts the second way from the others, round by round. */
static void report_added(struct measured *m, struct row *row, size_t n)
{
	for (size_t w = 0; w < n; w++)
		for (int i = 0; w != 1 && i < m->rounds; i++)
			m->value[w][i] -= m->value[1][i];
	row->yardstick = NO_WAY;
	row->lower_bound = n > 2 ? (int)n - 1 : NO_WAY;
	report(m, row);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "question", required_argument, NULL, 'q' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "at-most", required_argument, NULL, 'm' },
		{ "at-least", required_argument, NULL, 'l' },
		{ "lower-bound", no_argument, NULL, 'f' },
		{ "memory", no_argument, NULL, 'k' },
		{ "added", required_argument, NULL, '+' },
		{ "among-mounts", no_argument, NULL, 'a' },
		{ 0 },
	};
	static struct measured m;
	static struct way ways[MOST_WAYS];
	struct row row = { .yardstick = 1, .lower_bound = NO_WAY };
	double at_most[MOST_WAYS + 1] = { 0 };
	size_t targets = 0;
	int c, often = 101;
	bool lower_bound = false;
	size_t n;

	while ((c = getopt_long(argc, argv, "+", options, NULL)) != -1)
		switch (c) {
		case 'q':
			row.question = optarg;
			break;
		case 'r':
			often = atoi(optarg);
			break;
		case 'm':
			at_most[targets < MOST_WAYS ? ++targets : targets] = atof(optarg);
			break;
		case 'l':
			row.at_least = atof(optarg);
			break;
		case 'f':
			lower_bound = true;
			break;
		case 'k':
			memory = true;
			row.unit = "KiB";
			break;
		case '+':
			row.at_most_itself = atof(optarg);
			break;
		case 'a':
			among_mounts = true;
			break;
		default:
			return 2;
		}
	if (optind < argc && strcmp(argv[optind], "@") == 0)
		optind++;
	n = take_ways(argv + optind, ways);
	if (n < 2 + (size_t)lower_bound || !row.question || often < 1 || often > MOST_ROUNDS) {
		fprintf(stderr, "usage: see the head of bench/cases/commands.c\n");
		return 2;
	}
	if (lower_bound)
		row.lower_bound = (int)--n;
	if (among_mounts)
		measure_on_hosts(&m, ways, n + lower_bound, lower_bound, rounds(often));
	else
		measure(&m, ways, n + lower_bound, rounds(often));
	if (row.at_most_itself > 0) {
		report_added(&m, &row, n);
		return 0;
	}
	for (size_t w = 1; w < n; w++) {
		row.yardstick = (int)w;
		row.at_most = at_most[w];
		report(&m, &row);
		row.at_least = 0;
	}
	return 0;
}

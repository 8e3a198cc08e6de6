// SPDX-License-Identifier: MIT
#include "measure.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- when something is wrong ---- */

void die(const char *what)
{
	perror(what);
	exit(1);
}

long check(long r, const char *what)
{
	if (r < 0)
		die(what);
	return r;
}

int check_idm(int r, const struct idm_error *err)
{
	if (r >= 0)
		return r;
	fprintf(stderr, "%s\n%s\n", err->message, err->hint);
	exit(1);
}

void mkdir_all(const char *path)
{
	char part[512];

	for (const char *p = strchr(path + 1, '/');; p = strchr(p + 1, '/')) {
		snprintf(part, sizeof(part), "%.*s", p ? (int)(p - path) : (int)strlen(path), path);
		if (mkdir(part, 0755) < 0 && errno != EEXIST)
			die(part);
		if (!p)
			return;
	}
}

struct idm_map *new_map(const char *text)
{
	struct idm_error err;
	struct idm_map *map;

	check(idm_map_new(&map), "map");
	check_idm(idm_map_parse(map, text, 0, &err), &err);
	return map;
}

/* ---- where ---- */

void enter_place(void)
{
	const char *place = getenv("IDM_BENCH_PLACE");

	check(unshare(CLONE_NEWNS), "a mount namespace (root is needed)");
	check(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "make mounts private");
	if (place)
		check(mount(place, PLACE, NULL, MS_BIND, NULL), place);
	else
		check(mount("bench", PLACE, "tmpfs", 0, NULL), "tmpfs");
}

bool is_kernel_since(int major, int minor)
{
	int has_major = 0, has_minor = 0;
	struct utsname name;

	check(uname(&name), "uname");
	sscanf(name.release, "%d.%d", &has_major, &has_minor);
	return has_major > major || (has_major == major && has_minor >= minor);
}

/* ---- how often ---- */

bool is_smoke(void)
{
	const char *smoke = getenv("IDM_BENCH_SMOKE");

	return smoke && strcmp(smoke, "1") == 0;
}

int rounds(int n)
{
	const char *most = getenv("IDM_BENCH_ROUNDS");

	if (is_smoke() && n > 2)
		n = 2;
	return most && atoi(most) < n ? atoi(most) : n;
}

int times(int n)
{
	return is_smoke() && n > 3 ? 3 : n;
}

/* ---- measuring ---- */

double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double measure_at_once(const struct way *way, int n)
{
	double start = now();

	for (int i = 0; i < n; i++)
		way->go();
	return now() - start;
}

static double measure_one_by_one(const struct way *way, int n)
{
	double sum = 0;

	for (int i = 0; i < n; i++) {
		if (way->prepare)
			way->prepare();
		sum += measure_at_once(way, 1);
		if (way->undo)
			way->undo();
	}
	return sum;
}

double measure_once(const struct way *way)
{
	int n = way->times ? way->times : 1;

	if (way->absent)
		return 0;
	if (way->sample)
		return way->sample(way);
	return (way->prepare || way->undo ? measure_one_by_one(way, n) : measure_at_once(way, n)) / n;
}

struct team {
	void (*work)(int thread, const void *data);
	const void *data;
	pthread_barrier_t ready;
};

struct member {
	struct team *team;
	int thread;
	pthread_t id;
};

static void *work_in_team(void *data)
{
	const struct member *member = data;
	struct team *team = member->team;

	pthread_barrier_wait(&team->ready);
	team->work(member->thread, team->data);
	return NULL;
}

double time_of_threads(int n, void (*work)(int thread, const void *data), const void *data)
{
	struct team team = { .work = work, .data = data };
	struct member *members = calloc((size_t)n, sizeof(*members));
	double start;

	pthread_barrier_init(&team.ready, NULL, (unsigned int)n + 1);
	for (int i = 0; i < n; i++) {
		members[i] = (struct member){ .team = &team, .thread = i };
		if (pthread_create(&members[i].id, NULL, work_in_team, &members[i]) != 0)
			die("pthread_create");
	}
	start = now();
	pthread_barrier_wait(&team.ready);
	for (int i = 0; i < n; i++)
		pthread_join(members[i].id, NULL);
	pthread_barrier_destroy(&team.ready);
	free(members);
	return now() - start;
}

/*
 * An order for this round, the same in each run. Each way leaves something behind for the one that
 * comes next: what is in the caches, and what the kernel does later. So none may always have the same
 * one before it, which it would if they went round and round.
 */
static void shuffle(size_t *order, size_t n, uint32_t *state)
{
	for (size_t i = 0; i < n; i++) {
		size_t k;

		*state = *state * 1664525 + 1013904223;
		k = (*state >> 16) % (i + 1);
		order[i] = i;
		order[i] = order[k];
		order[k] = i;
	}
}

void measure(struct measured *m, const struct way *ways, size_t n, int rounds)
{
	uint32_t state = 1;
	size_t order[MOST_WAYS];

	if (n > MOST_WAYS || rounds > MOST_ROUNDS) {
		fprintf(stderr, "too much to measure: %zu ways, %d rounds\n", n, rounds);
		exit(1);
	}
	*m = (struct measured){ .ways = ways, .n = n, .rounds = rounds };
	for (size_t w = 0; w < n; w++)
		measure_once(&ways[w]); /* to warm up */
	for (int round = 0; round < rounds; round++) {
		shuffle(order, n, &state);
		for (size_t i = 0; i < n; i++)
			m->value[order[i]][round] = measure_once(&ways[order[i]]);
	}
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The value below which the part `where` of all is. */
static double quantile(const double *values, int n, double where)
{
	double *sorted = malloc((size_t)n * sizeof(*sorted)), q;

	if (!sorted)
		die("sort");
	memcpy(sorted, values, (size_t)n * sizeof(*sorted));
	qsort(sorted, (size_t)n, sizeof(*sorted), ascending);
	q = sorted[(int)(where * (n - 1) + 0.5)];
	free(sorted);
	return q;
}

double median(const double *values, int n)
{
	return quantile(values, n, 0.5);
}

/* ---- the table ---- */

struct ratio {
	double low, middle, high;
};

static struct ratio quartiles(const double *values, int n)
{
	return (struct ratio){ quantile(values, n, 0.25), median(values, n), quantile(values, n, 0.75) };
}

/* Of the same round, so that what slows both down slows down neither. */
static struct ratio ratio_of(const struct measured *m, const struct row *row, int way, int beside)
{
	static double of[MOST_ROUNDS];

	for (int i = 0; i < m->rounds; i++) {
		double a = m->value[way][i], b = m->value[beside][i];

		of[i] = row->at_least > 0 ? b / a : a / b;
	}
	return quartiles(of, m->rounds);
}

static bool is_met(const struct row *row, double value)
{
	return row->at_least > 0  ? value >= row->at_least
	       : row->at_most > 0 ? value <= row->at_most
				  : value <= row->at_most_itself;
}

/* A line of the table. An empty text: nothing to print. */
struct cells {
	const char *question, *unit, *yardstick_name, *verdict;
	char ours[24], yardstick[24], ratio[24], spread[48], target[40], lower_bound[24];
};

/* Three digits, or all before the point. A difference can be below 0. */
static void print_number(char cell[24], double value)
{
	double size = fabs(value);

	snprintf(cell, 24,
		 size < 1     ? "%.3f"
		 : size < 10  ? "%.2f"
		 : size < 100 ? "%.1f"
			      : "%.0f",
		 value);
}

static void print_head(void)
{
	printf("%-58s %12s %12s  %-34s %7s  %-15s %-8s %-12s\n", "", "idmount", "yardstick", "", "ratio",
	       "quartiles", "target", "lower bound");
}

/* For bench/lib/table.py, where IDM_BENCH_ROWS says: the same, with tabs. The head comes once for all.
 */
static void write_cells(const struct cells *c, const char *ours)
{
	const char *path = getenv("IDM_BENCH_ROWS");
	static bool begun;
	FILE *f = path ? fopen(path, "ae") : NULL;

	if (path && !f)
		die(path);
	if (!begun && (!f || (fseek(f, 0, SEEK_END) == 0 && ftell(f) == 0)))
		print_head();
	begun = true;
	if (!f)
		return;
	fprintf(f, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", program_invocation_short_name,
		c->question, ours, c->yardstick_name, c->yardstick, c->ratio, c->spread, c->target,
		c->lower_bound, c->verdict);
	if (fclose(f) != 0)
		die(path);
}

static void print_cells(const struct cells *c)
{
	char ours[48];

	snprintf(ours, sizeof(ours), "%s %s", c->ours, *c->ours ? c->unit : "");
	write_cells(c, ours);
	printf("%-58s %12s %12s  %-34s %7s  %-15s %-8s %-12s %s\n", c->question, ours, c->yardstick,
	       c->yardstick_name, c->ratio, c->spread, c->target, c->lower_bound, c->verdict);
	fflush(stdout);
}

static void print_target(struct cells *c, const struct row *row)
{
	const char *unit = row->at_most_itself > 0 ? c->unit : "";
	double target = row->at_least > 0  ? row->at_least
			: row->at_most > 0 ? row->at_most
					   : row->at_most_itself;

	if (target > 0)
		snprintf(c->target, sizeof(c->target), "%s %g%s%s",
			 row->at_least > 0 ? ">=" : "<=", target, *unit ? " " : "", unit);
}

static void print_spread(struct cells *c, const struct ratio *r)
{
	char low[24], high[24];

	print_number(low, r->low);
	print_number(high, r->high);
	snprintf(c->spread, sizeof(c->spread), r->low < 0 ? "%s to %s" : "%s-%s", low, high);
}

/* Nothing that is measured twice comes out the same to a hundredth. */
static bool is_at_lower_bound(const struct row *row, double value, double lower_bound)
{
	return row->at_least > 0 ? value >= lower_bound * 0.99 : value <= lower_bound * 1.01;
}

static double find_lower_bound(const struct measured *m, const struct row *row)
{
	int beside = row->bound_beside ? row->bound_beside : row->yardstick;

	return beside == NO_WAY ? median(m->value[row->lower_bound], m->rounds)
				: ratio_of(m, row, row->lower_bound, beside).middle;
}

/*
 * The lower bound is told in the measure of the ratio: what there would be if the library did nothing
 * itself. A target is out of reach if the lower bound misses it, or if all that is missing is on both
 * sides of it.
 */
static const char *verdict(const struct measured *m, const struct row *row, double value,
			   struct cells *c)
{
	double lower_bound;

	if (row->lower_bound != NO_WAY && !m->ways[row->lower_bound].absent) {
		lower_bound = find_lower_bound(m, row);
		print_number(c->lower_bound, lower_bound);
		if (!is_met(row, value) &&
		    (!is_met(row, lower_bound) || is_at_lower_bound(row, value, lower_bound)))
			return "lower bound";
	}
	return is_met(row, value) ? "met" : "missed";
}

void report(const struct measured *m, const struct row *row)
{
	struct cells c = { .question = row->question,
			   .unit = row->unit ? row->unit : "us",
			   .yardstick_name = "",
			   .verdict = "" };
	struct ratio r = quartiles(m->value[row->ours], m->rounds);
	bool to_reach = row->at_least > 0 || row->at_most > 0 || row->at_most_itself > 0;

	print_number(c.ours, r.middle);
	print_target(&c, row);
	if (m->ways[row->ours].absent || (row->yardstick != NO_WAY && m->ways[row->yardstick].absent)) {
		report_skipped(row->question, "not on this machine");
		return;
	}
	if (row->yardstick != NO_WAY) {
		c.yardstick_name = m->ways[row->yardstick].name;
		print_number(c.yardstick, median(m->value[row->yardstick], m->rounds));
		r = ratio_of(m, row, row->ours, row->yardstick);
		print_number(c.ratio, r.middle);
		print_spread(&c, &r);
	} else if (row->at_most_itself > 0) {
		print_spread(&c, &r);
	}
	if (to_reach)
		c.verdict = is_smoke() ? "not measured" : verdict(m, row, r.middle, &c);
	print_cells(&c);
}

void report_all(const struct measured *m, const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		report(m, &rows[i]);
}

void report_skipped(const char *question, const char *why)
{
	char verdict[128];
	struct cells c = { .question = question, .unit = "", .yardstick_name = "", .verdict = verdict };

	snprintf(verdict, sizeof(verdict), "skipped: %s", why);
	print_cells(&c);
}

/* ---- programs ---- */

void run_sharing(int (*run)(void *data), void *data)
{
	static char stack[65536] __attribute__((aligned(16)));
	pid_t pid = clone(run, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD,
			  data);

	check(pid, "clone");
	check(waitpid(pid, NULL, 0), "waitpid");
}

_Noreturn static void become(char *const argv[])
{
	int nothing = open("/dev/null", O_RDWR);

	dup2(nothing, 0);
	dup2(nothing, 1);
	execvp(argv[0], argv);
	_exit(127);
}

static struct rusage wait_for(pid_t pid, char *const argv[])
{
	struct rusage usage;
	int status;

	check(wait4(pid, &status, 0, &usage), "wait4");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return usage;
	fprintf(stderr, "failed (status 0x%x):", status);
	for (char *const *a = argv; *a; a++)
		fprintf(stderr, " %s", *a);
	fprintf(stderr, "\n");
	exit(1);
}

double time_of_command(char *const argv[])
{
	double start = now();
	pid_t pid = (pid_t)check(vfork(), "vfork");

	if (pid == 0)
		become(argv);
	wait_for(pid, argv);
	return now() - start;
}

/*
 * What a program had resident counts from before its exec on. So not vfork(2), by which that would be
 * all that this one has: a copy begins with a few pages.
 */
double peak_of_command(char *const argv[])
{
	pid_t pid = (pid_t)check(fork(), "fork");

	if (pid == 0)
		become(argv);
	return (double)wait_for(pid, argv).ru_maxrss;
}

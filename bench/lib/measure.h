/* SPDX-License-Identifier: MIT */
/*
 * How everything here is measured: all ways to do one thing in turn, round by round, so that a machine
 * that gets slower does so for all of them; then, of each round, idmount beside a yardstick. What is
 * printed is the median over the rounds, and the quartiles as its spread: of the ratio, or of a figure
 * that has a target itself.
 *
 * Everything runs in a mount namespace of its own, on a tmpfs that is gone with it.
 */
#ifndef IDM_LIB_MEASURE_H
#define IDM_LIB_MEASURE_H

#include <stdbool.h>
#include <stddef.h>

#include "idmount.h"

#define MOST_WAYS 40
#define MOST_ROUNDS 1001

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ---- when something is wrong: nothing is measured then ---- */

_Noreturn void die(const char *what);		   /* with errno's words */
long check(long r, const char *what);		   /* dies below 0 */
int check_idm(int r, const struct idm_error *err); /* dies below 0 */
void mkdir_all(const char *path);		   /* with all that lead to it */
struct idm_map *new_map(const char *text);	   /* as idm_map_parse() accepts it */

/* ---- where ---- */

/* Once that has been called: an empty tmpfs, or the directory that IDM_BENCH_PLACE names. */
#define PLACE "/mnt"

void enter_place(void);

bool is_kernel_since(int major, int minor);

/* ---- how often ---- */

/* IDM_BENCH_SMOKE=1: everything once or twice, to see that it works. The figures mean nothing then. */
bool is_smoke(void);
int rounds(int n); /* n, or few; IDM_BENCH_ROUNDS at most */
int times(int n);  /* in a round: n, or few */

/* ---- measuring ---- */

struct way {
	const char *name;
	void (*prepare)(void);			 /* before each time, not measured; or NULL */
	void (*go)(void);			 /* once */
	void (*undo)(void);			 /* after each time, not measured; or NULL */
	int times;				 /* in a round; 0: once */
	double (*sample)(const struct way *way); /* instead: measures by itself */
	const void *data;			 /* for that */
	bool absent;				 /* cannot be done here */
};

struct measured {
	const struct way *ways;
	size_t n;
	int rounds;
	double value[MOST_WAYS][MOST_ROUNDS]; /* what one time took, in microseconds */
};

double now(void); /* microseconds */
/* Until all of so many threads have returned from `work`, which they begin at once. */
double time_of_threads(int n, void (*work)(int thread, const void *data), const void *data);
double measure_once(const struct way *way); /* its round: microseconds each */
double median(const double *values, int n);
void measure(struct measured *m, const struct way *ways, size_t n, int rounds);

/* ---- the table ---- */

#define NO_WAY (-1)

/*
 * One line. Of `at_most`, `at_least` and `at_most_itself` the one that is not 0 is to be reached: by
 * idmount's figure over the yardstick's, by the yardstick's over idmount's, or by idmount's alone. The
 * lower bound is the least that the kernel can be asked for: bare system calls, nothing checked.
 */
struct row {
	const char *question;
	int ours, yardstick, lower_bound; /* ways, or NO_WAY */
	int bound_beside;		  /* what the lower bound is compared with; 0: the yardstick */
	double at_most, at_least, at_most_itself;
	const char *unit; /* NULL: us */
};

void report(const struct measured *m, const struct row *row);
void report_all(const struct measured *m, const struct row *rows, size_t n);
void report_skipped(const char *question, const char *why);

/* ---- programs ---- */

/* In a child that shares the memory and the descriptors, and has its own working directory. */
void run_sharing(int (*run)(void *data), void *data);

/* Of a NULL-terminated command; dies if it fails. Its output is discarded. */
double time_of_command(char *const argv[]); /* from before it is started to when it has ended */
double peak_of_command(char *const argv[]); /* KiB that were resident at most */

#endif

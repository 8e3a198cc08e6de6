/* SPDX-License-Identifier: MIT */
/*
 * Processes with much memory, or with many mounts: each does one thing as often as it is told. So a
 * thing is measured in all of them in turn.
 */
#ifndef IDM_LIB_WORKERS_H
#define IDM_LIB_WORKERS_H

#include <sys/types.h>

#include "measure.h"

struct worker {
	size_t mib; /* resident */
	int mounts; /* more in its mount namespace, which is its own */
	int orders, answers;
	bool absent; /* the machine has too little memory */
	pid_t pid;
};

/* What a worker measures. */
struct task {
	const struct worker *worker;
	struct way way;
};

/* The processes are forks of the caller, and find each task at its address: make the tasks before. */
void start_workers(struct worker *workers, size_t n);
void stop_workers(const struct worker *workers, size_t n);

/* Each task in its worker. The ways are made of the tasks. */
void measure_tasks(struct measured *m, struct way *ways, const struct task *tasks, size_t n, int rounds);

/* Instead of a row: the memory that this worker requires, and that the machine has. */
void report_short(const char *question, const struct worker *worker);

/* From number `from` on up to `to` mounts more, in the caller's mount namespace, below PLACE. */
void add_mounts(int from, int to);

/* ---- the tables ---- */

/* A staging namespace that the calling process keeps. It is opened once, to warm up. */
int kept_staging(void);

/*
 * What is done in processes with few and with many mounts, the way of kernels before Linux 6.15, with a
 * staging namespace (`kept`) and without one (`plain`), beside the way of others. Measures and reports
 * it, after enter_place(). `bare` makes the system calls of `kept`, and may be NULL.
 */
struct among_mounts {
	const char *subject; /* "plan of 30 mounts" */
	void (*plain)(void), (*kept)(void), (*bare)(void), (*theirs)(void), (*undo)(void);
	const char *theirs_name;
	int times;
	double at_most; /* `kept` over `theirs`, with few mounts */
};
void measure_among_mounts(const struct among_mounts *subject, int rounds);

/*
 * Each way in a process with 10,000 mounts more, beside itself without. The lower bound is the same of
 * the bare calls, where the way has them.
 */
struct grown_host {
	struct way way;
	void (*bare)(void);
	double at_most;
};
void measure_mounts(const struct grown_host *subjects, size_t n, int rounds);

/* Each way in processes with 1 GiB and with 8 GiB resident, beside itself without memory. */
void measure_memory(const struct way *ways, size_t n, int rounds);

#endif

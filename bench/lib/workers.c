// SPDX-License-Identifier: MIT
#include "workers.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/lib/resident.h"

struct worker {
	const char *question;
	size_t mib;
	int mounts; /* more in its mount namespace, which is its own */
	int orders, answers;
	bool absent; /* there is not enough memory */
	pid_t pid;
};

static void add_mounts(int n)
{
	char path[64];

	check(unshare(CLONE_NEWNS), "a mount namespace");
	for (int i = 0; i < times(n); i++) {
		snprintf(path, sizeof(path), PLACE "/many/%d", i);
		mkdir_all(path);
		check(mount(path, path, NULL, MS_BIND, NULL), path);
	}
}

static void answer_with(const struct worker *worker, double us)
{
	check(write(worker->answers, &us, sizeof(us)), "answer");
}

struct task {
	const struct worker *worker;
	struct way way; /* go, undo and times */
};

_Noreturn static void serve(struct worker *worker)
{
	const struct task *task;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	grow_memory(worker->mib);
	add_mounts(worker->mounts);
	answer_with(worker, 0); /* ready */
	while (read(worker->orders, &task, sizeof(task)) == sizeof(task))
		answer_with(worker, measure_once(&task->way));
	_exit(0);
}

static double read_answer(const struct worker *worker)
{
	double us;

	if (read(worker->answers, &us, sizeof(us)) != sizeof(us)) {
		fprintf(stderr, "the process for \"%s\" has ended\n", worker->question);
		exit(1);
	}
	return us;
}

static void start_worker(struct worker *worker)
{
	int orders[2], answers[2];

	worker->absent = lacks_memory(worker->mib);
	if (worker->absent)
		return;
	check(pipe(orders), "pipe");
	check(pipe(answers), "pipe");
	worker->pid = (pid_t)check(fork(), "fork");
	if (worker->pid == 0) {
		close(orders[1]);
		worker->orders = orders[0];
		worker->answers = answers[1];
		serve(worker);
	}
	close(orders[0]);
	close(answers[1]);
	worker->orders = orders[1];
	worker->answers = answers[0];
	read_answer(worker);
}

static void start_workers(struct worker *workers, size_t n)
{
	for (size_t i = 0; i < n; i++)
		start_worker(&workers[i]);
}

static void stop_workers(struct worker *workers, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!workers[i].absent)
			close(workers[i].orders);
	for (size_t i = 0; i < n; i++)
		if (!workers[i].absent)
			waitpid(workers[i].pid, NULL, 0);
}

/* The worker is a fork, and finds the task at the same address. */
static double work_elsewhere(const struct way *way)
{
	const struct task *task = way->data;

	check(write(task->worker->orders, &task, sizeof(task)), "order");
	return read_answer(task->worker);
}

/* ---- the table ---- */

enum { SMALL, MEDIUM, LARGE, SMALL_KEPT, FULL_KEPT, FULL, WORKERS };
enum { THEIRS = WORKERS, THEIRS_FULL, TASKS };

static struct worker workers[WORKERS] = {
	[SMALL] = { .question = ", in a namespace" },
	[MEDIUM] = { .question = "the same, 64 MiB resident", .mib = 64 },
	[LARGE] = { .question = "the same, 1024 MiB resident", .mib = 1024 },
	[SMALL_KEPT] = { .question = "the same, copy of a staging namespace" },
	[FULL_KEPT] = { .question = "the same, 10,000 mounts on the host", .mounts = 10000 },
	[FULL] = { .question = "without a staging namespace", .mounts = 10000 },
};
static struct task tasks[TASKS];

static void prepare_tasks(const struct elsewhere *e, struct way *ways)
{
	static const int of[TASKS] = { SMALL, MEDIUM, LARGE, SMALL_KEPT, FULL_KEPT, FULL, SMALL, FULL };

	for (int t = 0; t < TASKS; t++) {
		struct task *task = &tasks[t];
		bool kept = t == SMALL_KEPT || t == FULL_KEPT;

		task->worker = &workers[of[t]];
		task->way = (struct way){ .undo = e->undo, .times = e->times };
		task->way.go = t >= WORKERS ? e->theirs : kept ? e->kept : e->plain;
		ways[t] = (struct way){ .sample = work_elsewhere, .data = task };
		ways[t].name = t >= WORKERS ? e->theirs_name : "0 MiB resident, few mounts";
	}
}

static void report_worker(const struct measured *m, const struct elsewhere *e, int w)
{
	char question[96];
	struct row row = { .question = question, .ours = w, .lower_bound = NO_WAY };

	snprintf(question, sizeof(question), "%s%s", w == SMALL ? e->subject : "", workers[w].question);
	row.yardstick = w == MEDIUM || w == LARGE ? SMALL : w < FULL_KEPT ? THEIRS : THEIRS_FULL;
	row.at_most = row.yardstick == SMALL ? 1.15 : w == SMALL_KEPT ? e->at_most : 0;
	report(m, &row);
}

void measure_elsewhere(const struct elsewhere *elsewhere, int rounds)
{
	static struct measured m;
	struct way ways[TASKS];

	prepare_tasks(elsewhere, ways); /* before the forks that will read them */
	start_workers(workers, WORKERS);
	for (int w = 0; w < WORKERS; w++)
		ways[w].absent = workers[w].absent;
	measure(&m, ways, TASKS, rounds);
	for (int w = 0; w < WORKERS; w++)
		if (workers[w].absent)
			report_skipped(workers[w].question, "too little memory");
		else
			report_worker(&m, elsewhere, w);
	stop_workers(workers, WORKERS);
}

// SPDX-License-Identifier: MIT
#include "workers.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the process that does the work ---- */

/* Pages of 4 KiB, as a heap that has grown over time has them. */
static void grow_memory(size_t mib)
{
	size_t size = mib << 20;
	char *p;

	if (!size)
		return;
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		die("mmap");
	madvise(p, size, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < size; i += 4096)
		p[i] = 1;
}

void add_mounts(int from, int to)
{
	char path[64];

	for (int i = from; i < to; i++) {
		snprintf(path, sizeof(path), PLACE "/many/%d", i);
		mkdir_all(path);
		check(mount(path, path, NULL, MS_BIND, NULL), path);
	}
}

static void enter_mounts(int n)
{
	if (!n)
		return;
	check(unshare(CLONE_NEWNS), "a mount namespace");
	add_mounts(0, times(n));
}

static void answer_with(const struct worker *worker, double us)
{
	check(write(worker->answers, &us, sizeof(us)), "answer");
}

_Noreturn static void serve(const struct worker *worker)
{
	const struct task *task;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	grow_memory(worker->mib);
	enter_mounts(worker->mounts);
	answer_with(worker, 0); /* ready */
	while (read(worker->orders, &task, sizeof(task)) == sizeof(task))
		answer_with(worker, measure_once(&task->way));
	_exit(0);
}

/* ---- the process that measures ---- */

static double read_answer(const struct worker *worker)
{
	double us;

	if (read(worker->answers, &us, sizeof(us)) != sizeof(us)) {
		fprintf(stderr, "the process with %zu MiB and %d mounts has exited\n", worker->mib,
			worker->mounts);
		exit(1);
	}
	return us;
}

static size_t available_mib(void)
{
	FILE *f = fopen("/proc/meminfo", "re");
	char line[128];
	size_t kib = 0;

	while (f && fgets(line, sizeof(line), f) && sscanf(line, "MemAvailable: %zu", &kib) != 1)
		;
	if (f)
		fclose(f);
	return kib >> 10;
}

/* With the page tables of children, and all else: 10 GiB for 8 GiB. */
static size_t required_mib(size_t mib)
{
	return mib + mib / 8 + 1024;
}

void report_short(const char *question, const struct worker *worker)
{
	char why[64];

	snprintf(why, sizeof(why), "needs %zu MiB, has %zu", required_mib(worker->mib), available_mib());
	report_skipped(question, why);
}

static void start_worker(struct worker *worker)
{
	int orders[2], answers[2];

	worker->absent = worker->mib && available_mib() < required_mib(worker->mib);
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

void start_workers(struct worker *workers, size_t n)
{
	for (size_t i = 0; i < n; i++)
		start_worker(&workers[i]);
}

void stop_workers(const struct worker *workers, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!workers[i].absent)
			close(workers[i].orders);
	for (size_t i = 0; i < n; i++)
		if (!workers[i].absent)
			waitpid(workers[i].pid, NULL, 0);
}

static double work_elsewhere(const struct way *way)
{
	const struct task *task = way->data;

	check(write(task->worker->orders, &task, sizeof(task)), "order");
	return read_answer(task->worker);
}

void measure_tasks(struct measured *m, struct way *ways, const struct task *tasks, size_t n, int rounds)
{
	for (size_t w = 0; w < n; w++)
		ways[w] = (struct way){ .name = tasks[w].way.name,
					.sample = work_elsewhere,
					.data = &tasks[w],
					.absent = tasks[w].way.absent || tasks[w].worker->absent };
	measure(m, ways, n, rounds);
}

/* ---- many mounts ---- */

int kept_staging(void)
{
	static int staging = -1;
	struct idm_error err;

	if (staging < 0)
		staging = check_idm(idm_staging_open(0, &err), &err);
	return staging;
}

enum { FEW, MANY, HOSTS };
enum { PLAIN, KEPT, KEPT_MANY, PLAIN_MANY, OURS, THEIRS = OURS, THEIRS_MANY, BARE, WAYS };

static void prepare_among_mounts(struct task *tasks, const struct worker *hosts,
				 const struct among_mounts *s)
{
	void (*const go[WAYS])(void) = { s->plain,  s->kept,   s->kept, s->plain,
					 s->theirs, s->theirs, s->bare };

	for (int w = 0; w < WAYS; w++) {
		bool many = w == KEPT_MANY || w == PLAIN_MANY || w == THEIRS_MANY;

		tasks[w].worker = &hosts[many ? MANY : FEW];
		tasks[w].way = (struct way){
			.name = s->theirs_name, .go = go[w], .undo = s->undo, .times = s->times
		};
		tasks[w].way.absent = !go[w];
	}
}

static void report_among_mounts(const struct measured *m, const struct among_mounts *s)
{
	static const char *const questions[OURS] = { ", few mounts, in a namespace",
						     "the same, copy of a staging namespace",
						     "the same, 10,000 mounts on the host",
						     "the same, without a staging namespace" };

	for (int w = 0; w < OURS; w++) {
		char question[96];
		struct row row = { .question = question, .ours = w };

		snprintf(question, sizeof(question), "%s%s", w ? "" : s->subject, questions[w]);
		row.lower_bound = w == KEPT ? BARE : NO_WAY;
		row.yardstick = w < KEPT_MANY ? THEIRS : THEIRS_MANY;
		row.at_most = w == KEPT ? s->at_most : 0;
		report(m, &row);
	}
}

void measure_among_mounts(const struct among_mounts *subject, int rounds)
{
	struct worker hosts[HOSTS] = { [MANY].mounts = 10000 };
	static struct measured m;
	struct task tasks[WAYS];
	struct way ways[WAYS];

	prepare_among_mounts(tasks, hosts, subject);
	start_workers(hosts, HOSTS);
	measure_tasks(&m, ways, tasks, WAYS, rounds);
	stop_workers(hosts, HOSTS);
	report_among_mounts(&m, subject);
}

/* Of each subject, the library and the bare calls, each on both hosts. */
enum { LIBRARY, BARE_CALLS = HOSTS, TASKS = 2 * HOSTS };

static void prepare_mounts(struct task *tasks, const struct worker *hosts, const struct grown_host *s)
{
	for (int t = 0; t < TASKS; t++) {
		tasks[t] = (struct task){ &hosts[t % HOSTS], s->way };
		tasks[t].way.name = "the same, few mounts";
		if (t < BARE_CALLS)
			continue;
		tasks[t].way.go = s->bare;
		tasks[t].way.absent = s->way.absent || !s->bare;
	}
}

static void report_mounts(const struct measured *m, const struct grown_host *s, int first)
{
	char question[96];
	struct row row = { .question = question, .at_most = s->at_most };

	snprintf(question, sizeof(question), "%s, 10,000 mounts", s->way.name);
	row.ours = first + LIBRARY + MANY;
	row.yardstick = first + LIBRARY + FEW;
	row.lower_bound = first + BARE_CALLS + MANY;
	row.bound_beside = first + BARE_CALLS + FEW;
	report(m, &row);
}

void measure_mounts(const struct grown_host *subjects, size_t n, int rounds)
{
	struct worker hosts[HOSTS] = { [MANY].mounts = 10000 };
	static struct measured m;
	struct task tasks[MOST_WAYS];
	struct way all[MOST_WAYS];

	for (size_t i = 0; i < n; i++)
		prepare_mounts(&tasks[i * TASKS], hosts, &subjects[i]);
	start_workers(hosts, HOSTS);
	measure_tasks(&m, all, tasks, n * TASKS, rounds);
	stop_workers(hosts, HOSTS);
	for (size_t i = 0; i < n; i++)
		report_mounts(&m, &subjects[i], (int)(i * TASKS));
}

/* ---- much memory ---- */

static const size_t sizes[] = { 0, 1024, 8192 };

#define SIZES COUNT(sizes)

static void prepare_memory(struct worker *workers, struct task *tasks, const struct way *ways, size_t n)
{
	for (size_t s = 0; s < SIZES; s++)
		workers[s] = (struct worker){ .mib = is_smoke() ? sizes[s] / 64 : sizes[s] };
	for (size_t t = 0; t < n * SIZES; t++) {
		tasks[t] = (struct task){ &workers[t % SIZES], ways[t / SIZES] };
		tasks[t].way.name = "the same, 0 MiB";
	}
}

static void report_memory(const struct measured *m, const struct worker *workers, const char *name,
			  int first)
{
	char question[96];
	struct row row = { .question = question, .yardstick = first, .lower_bound = NO_WAY };

	row.at_most = 1.15;
	for (size_t s = 1; s < SIZES; s++) {
		snprintf(question, sizeof(question), "%s, %zu MiB resident", name, sizes[s]);
		row.ours = first + (int)s;
		if (workers[s].absent)
			report_short(question, &workers[s]);
		else
			report(m, &row);
	}
}

void measure_memory(const struct way *ways, size_t n, int rounds)
{
	struct worker workers[SIZES];
	static struct measured m;
	struct task tasks[MOST_WAYS];
	struct way all[MOST_WAYS];

	prepare_memory(workers, tasks, ways, n);
	start_workers(workers, SIZES);
	measure_tasks(&m, all, tasks, n * SIZES, rounds);
	stop_workers(workers, SIZES);
	for (size_t i = 0; i < n; i++)
		report_memory(&m, workers, ways[i].name, (int)(i * SIZES));
}

// SPDX-License-Identifier: MIT
/*
 * What it costs to hear of 10,000 children: by the reaper, and by a loop of one's own that waits for any
 * child on SIGCHLD and knows no pidfds. They are started in batches; each takes its turn, round by
 * round. Then how long after its last instruction a child's end is known, while a thousand others live.
 */
#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "idmount.h"

#define CHILDREN 10000
#define BATCH 100
#define ROUNDS 9
#define ALIVE 1000
#define SAMPLES 501

static struct idm_reaper *reaper;
static int signals;
static unsigned char seen[CHILDREN];
static pid_t numbers[BATCH];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* ---- children: as fork(2) makes them, or vfork(2) and exec ---- */

static pid_t clone_child(uint64_t flags, int *pidfd)
{
	struct clone_args args = {
		.flags = flags | (pidfd ? CLONE_PIDFD : 0),
		.pidfd = (uint64_t)(uintptr_t)pidfd,
		.exit_signal = SIGCHLD,
	};
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

	if (pid < 0)
		die("clone3");
	return pid;
}

static pid_t start_fork(int *pidfd)
{
	pid_t pid = clone_child(0, pidfd);

	if (pid == 0)
		_exit(0);
	return pid;
}

static pid_t start_exec(int *pidfd)
{
	pid_t pid = clone_child(0, pidfd);

	if (pid == 0) {
		execl("/bin/true", "true", NULL);
		_exit(127);
	}
	return pid;
}

/* ---- both ways: start a batch, and come back when all its ends have come ---- */

static void note(size_t i, int code, int status)
{
	if (i >= CHILDREN || seen[i]++ || code != CLD_EXITED || status != 0) {
		fprintf(stderr, "child %zu: code %d, status %d, seen %d times\n", i, code, status,
			seen[i]);
		exit(1);
	}
}

static void ours(pid_t (*start)(int *pidfd), size_t first, size_t n)
{
	struct idm_error err;

	for (size_t i = first; i < first + n; i++) {
		int pidfd;

		start(&pidfd);
		if (idm_reaper_add(reaper, pidfd, 0, (void *)i, &err) < 0) {
			fprintf(stderr, "%s\n", err.message);
			exit(1);
		}
		close(pidfd);
	}
	for (size_t i = 0; i < n; i++) {
		struct idm_exit end;
		void *data;

		if (idm_reaper_next(reaper, -1, &end, &data, &err) < 0)
			die(err.message);
		note((size_t)data, end.code, end.status);
	}
}

static void loop(pid_t (*start)(int *pidfd), size_t first, size_t n)
{
	struct signalfd_siginfo info;
	size_t ended = 0;
	pid_t pid;
	int status;

	for (size_t i = 0; i < n; i++)
		numbers[i] = start(NULL);
	while (ended < n) {
		if (read(signals, &info, sizeof(info)) < 0)
			die("read");
		while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
			size_t i = 0;

			while (i < n && numbers[i] != pid)
				i++;
			note(first + i, CLD_EXITED, status);
			ended++;
		}
	}
}

/* ---- timing ---- */

typedef void way(pid_t (*start)(int *pidfd), size_t first, size_t n);

static way *const ways[] = { ours, loop };

static double one_round(way *how, pid_t (*start)(int *pidfd))
{
	double begin = now();

	for (size_t i = 0; i < CHILDREN; i++)
		seen[i] = 0;
	for (size_t i = 0; i < CHILDREN; i += BATCH)
		how(start, i, BATCH);
	return (now() - begin) / CHILDREN;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, size_t n)
{
	qsort(values, n, sizeof(*values), ascending);
	return values[n / 2];
}

static void compare(const char *name, pid_t (*start)(int *pidfd))
{
	double us[2][ROUNDS], m[2];

	for (int round = -1; round < ROUNDS; round++) /* one to warm up */
		for (int w = 0; w < 2; w++)
			us[w][round < 0 ? 0 : round] = one_round(ways[w], start);
	for (int w = 0; w < 2; w++)
		m[w] = median(us[w], ROUNDS);
	printf("%-28s%14.2f%14.2f%14.2f\n", name, m[0], m[1], m[0] / m[1]);
}

/* ---- from the end of a child to the news of it ---- */

static double *last_words; /* shared */

static double hear(int w)
{
	pid_t pid;
	int pidfd;

	pid = clone_child(0, w == 0 ? &pidfd : NULL);
	if (pid == 0) {
		usleep(2000); /* until the parent has gone to sleep */
		*last_words = now();
		_exit(0);
	}
	if (w == 0) {
		struct idm_exit end;
		struct idm_error err;

		if (idm_reaper_add(reaper, pidfd, 0, NULL, &err) < 0 ||
		    idm_reaper_next(reaper, -1, &end, NULL, &err) < 0)
			die(err.message);
		close(pidfd);
	} else {
		struct signalfd_siginfo info;

		while (waitpid(-1, NULL, WNOHANG) == 0)
			if (read(signals, &info, sizeof(info)) < 0)
				die("read");
	}
	return now() - *last_words;
}

static void measure_latency(void)
{
	static pid_t alive[ALIVE];
	double us[2][SAMPLES];

	last_words = mmap(NULL, sizeof(double), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
			  0);
	if (last_words == MAP_FAILED)
		die("mmap");
	for (int i = 0; i < ALIVE; i++) {
		int pidfd;

		alive[i] = clone_child(0, &pidfd);
		if (alive[i] == 0)
			for (;;)
				pause();
		if (idm_reaper_add(reaper, pidfd, 0, NULL, NULL) < 0)
			die("idm_reaper_add");
		close(pidfd);
	}
	for (int i = 0; i < SAMPLES; i++)
		for (int w = 0; w < 2; w++)
			us[w][i] = hear(w);
	printf("%-28s%14.2f%14.2f\n", "an end, beside 1000 alive", median(us[0], SAMPLES),
	       median(us[1], SAMPLES));
	for (int i = 0; i < ALIVE; i++) {
		struct idm_exit end;

		kill(alive[i], SIGKILL);
		if (idm_reaper_next(reaper, -1, &end, NULL, NULL) != 1)
			die("idm_reaper_next");
	}
}

int main(void)
{
	struct idm_error err;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signals = signalfd(-1, &set, SFD_CLOEXEC);
	if (signals < 0)
		die("signalfd");
	if (idm_reaper_new(&reaper, &err) < 0)
		die(err.message);
	printf("%-28s%14s%14s%14s   (microseconds a child, medians)\n", "", "idm_reaper", "waitpid(-1)",
	       "ratio");
	compare("10,000 fork and exit", start_fork);
	compare("10,000 exec /bin/true", start_exec);
	measure_latency();
	idm_reaper_free(reaper);
	return 0;
}

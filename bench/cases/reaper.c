// SPDX-License-Identifier: MIT
/*
 * What it costs to hear of 10,000 children: by the reaper, and by a loop of one's own that waits for any
 * child on SIGCHLD and knows no pidfds. They are started in batches; each has its turn, round by
 * round. Then how long after its last instruction a child's end is known, while a thousand others live.
 */
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/lib/measure.h"

#define CHILDREN 10000
#define BATCH 100
#define ALIVE 1000

static struct idm_reaper *reaper;
static int signals, epoll;
static unsigned char seen[CHILDREN];
static pid_t numbers[BATCH];

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

/* ---- the ways: start a batch, and come back when all its ends have come ---- */

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
	static struct idm_error err; /* on the stack it would be between what is written there */

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
		struct idm_exit_info end;
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

static void watch(int pidfd, size_t i)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = i };

	check(epoll_ctl(epoll, EPOLL_CTL_ADD, pidfd, &event), "epoll_ctl");
}

static void hear_all(const int *pidfds, size_t first, size_t n)
{
	struct epoll_event event;
	siginfo_t info;

	for (size_t i = 0; i < n; i++) {
		int pidfd;

		check(epoll_wait(epoll, &event, 1, -1), "epoll_wait");
		pidfd = pidfds[event.data.u64];
		check(waitid((idtype_t)P_PIDFD, (id_t)pidfd, &info, WEXITED), "waitid");
		check(epoll_ctl(epoll, EPOLL_CTL_DEL, pidfd, NULL), "epoll_ctl");
		close(pidfd);
		note(first + event.data.u64, info.si_code, info.si_status);
	}
}

/* A pidfd for each in an epoll, nothing checked. */
static void bare(pid_t (*start)(int *pidfd), size_t first, size_t n)
{
	static int pidfds[BATCH];

	for (size_t i = 0; i < n; i++) {
		start(&pidfds[i]);
		watch(pidfds[i], i);
	}
	hear_all(pidfds, first, n);
}

#define PIDFD_GET_INFO _IOC(_IOC_READ | _IOC_WRITE, 0xff, 11, 64) /* Linux 6.13 */

/*
 * The same with the calls that the library cannot do without: the caller keeps its own descriptor, so
 * there is a duplicate; whether it is a child of this process, and one that is not watched yet, has to
 * be asked.
 */
static void bare_and_sure(pid_t (*start)(int *pidfd), size_t first, size_t n)
{
	static int pidfds[BATCH];

	for (size_t i = 0; i < n; i++) {
		uint64_t info[8] = { 1 /* the number, and the parent's */ };
		struct stat st;
		int pidfd;

		start(&pidfd);
		check(fstat(pidfd, &st), "fstat");
		check(ioctl(pidfd, PIDFD_GET_INFO, info), "PIDFD_GET_INFO");
		pidfds[i] = (int)check(fcntl(pidfd, F_DUPFD_CLOEXEC, 3), "dup");
		watch(pidfds[i], i);
		close(pidfd);
	}
	hear_all(pidfds, first, n);
}

static bool tells_of_pidfds(void)
{
	uint64_t info[8] = { 1 };
	int pidfd = (int)check(syscall(SYS_pidfd_open, getpid(), 0), "pidfd_open");
	bool yes = ioctl(pidfd, PIDFD_GET_INFO, info) == 0;

	close(pidfd);
	return yes;
}

/* ---- all of them ---- */

typedef void way_to_hear(pid_t (*start)(int *pidfd), size_t first, size_t n);

struct kind {
	way_to_hear *how;
	pid_t (*start)(int *pidfd);
};

static size_t children;

static double microseconds_a_child(const struct way *way)
{
	const struct kind *kind = way->data;
	double begin = now();

	for (size_t i = 0; i < children; i++)
		seen[i] = 0;
	for (size_t i = 0; i < children; i += BATCH)
		kind->how(kind->start, i, BATCH);
	return (now() - begin) / (double)children;
}

static void compare(const char *question, pid_t (*start)(int *pidfd), double at_most)
{
	const struct kind kinds[] = {
		{ ours, start }, { loop, start }, { bare, start }, { bare_and_sure, start }
	};
	bool sure = tells_of_pidfds();
	const struct way ways[] = {
		{ .name = "reaper", .sample = microseconds_a_child, .data = &kinds[0] },
		{ .name = "waitpid(-1) on SIGCHLD", .sample = microseconds_a_child, .data = &kinds[1] },
		{ .name = "pidfds in an epoll", .sample = microseconds_a_child, .data = &kinds[2] },
		{ .name = "the same, and sure whose",
		  .sample = microseconds_a_child,
		  .data = &kinds[3],
		  .absent = !sure },
	};
	const struct row row = { .question = question,
				 .ours = 0,
				 .yardstick = 1,
				 .lower_bound = sure ? 3 : 2,
				 .at_most = at_most };
	static struct measured m;

	measure(&m, ways, COUNT(ways), rounds(5));
	report(&m, &row);
}

/* ---- from the end of a child to the news of it ---- */

static double *last_words; /* shared */

static double hear(const struct way *way)
{
	bool ours = *(const bool *)way->data;
	pid_t pid;
	int pidfd;

	pid = clone_child(0, ours ? &pidfd : NULL);
	if (pid == 0) {
		usleep(2000); /* until the parent has gone to sleep */
		*last_words = now();
		_exit(0);
	}
	if (ours) {
		struct idm_exit_info end;
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

static void watch_living(pid_t *alive, int n)
{
	for (int i = 0; i < n; i++) {
		int pidfd;

		alive[i] = clone_child(0, &pidfd);
		while (alive[i] == 0)
			pause();
		check(idm_reaper_add(reaper, pidfd, 0, NULL, NULL), "idm_reaper_add");
		close(pidfd);
	}
}

static void end_living(const pid_t *alive, int n)
{
	for (int i = 0; i < n; i++) {
		struct idm_exit_info end;

		kill(alive[i], SIGKILL);
		if (idm_reaper_next(reaper, -1, &end, NULL, NULL) != 0)
			die("idm_reaper_next");
	}
}

static void measure_latency(void)
{
	static const bool yes = true, no = false;
	static pid_t alive[ALIVE];
	static const struct way ways[] = {
		{ .name = "reaper", .sample = hear, .data = &yes },
		{ .name = "waitpid(-1) on SIGCHLD", .sample = hear, .data = &no },
	};
	static const struct row row = { .question = "from an end to its news, beside 1000 that live",
					.ours = 0,
					.yardstick = 1,
					.lower_bound = NO_WAY };
	static struct measured m;

	last_words = mmap(NULL, sizeof(double), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
			  0);
	if (last_words == MAP_FAILED)
		die("mmap");
	watch_living(alive, ALIVE);
	measure(&m, ways, COUNT(ways), rounds(501));
	report(&m, &row);
	end_living(alive, ALIVE);
}

int main(void)
{
	struct idm_error err;
	sigset_t set;

	enter_place();
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signals = (int)check(signalfd(-1, &set, SFD_CLOEXEC), "signalfd");
	epoll = (int)check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
	check_idm(idm_reaper_new(&reaper, &err), &err);
	children = is_smoke() ? 2 * BATCH : CHILDREN;
	compare("10,000 children that exit, each", start_fork, 1.1);
	children = is_smoke() ? BATCH : CHILDREN / 5;
	compare("2,000 children that exec /bin/true, each", start_exec, 1.1);
	measure_latency();
	idm_reaper_free(reaper);
	close(signals);
	close(epoll);
	return 0;
}

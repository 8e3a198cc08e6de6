// SPDX-License-Identifier: MIT
/*
 * What one user namespace descriptor costs: ours, the bare system calls that it cannot do without, and
 * the child that others make for it (fork, pause, kill by pidfd), at several sizes of resident memory.
 * All are timed in turn, round by round, so that a machine that gets slower does so for all of them.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "idmount.h"

#define ROUNDS 41
#define MAP_TEXT "0 100000 65536\n"

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

/* ---- ours ---- */

static struct idm_map *map;
static struct idm_cache *cache;

static int ours(void)
{
	struct idm_error err;
	int fd = idm_userns_open(map, 0, &err);

	if (fd < 0) {
		fprintf(stderr, "%s\n%s\n", err.message, err.hint);
		exit(1);
	}
	return fd;
}

static int cached(void)
{
	int fd = idm_cache_userns(cache, map, NULL);

	if (fd < 0)
		die("idm_cache_userns");
	return fd;
}

/* ---- what all children are used for, by number, as everybody but us does ---- */

static int proc_open(pid_t pid, const char *name, int flags)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, flags | O_CLOEXEC);
	if (fd < 0)
		die(path);
	return fd;
}

static void put_map(int fd)
{
	if (write(fd, MAP_TEXT, strlen(MAP_TEXT)) < 0)
		die("write map");
	close(fd);
}

static void reap(int pidfd, int options)
{
	siginfo_t info;

	if (waitid((idtype_t)P_PIDFD, (id_t)pidfd, &info, options) < 0)
		die("waitid");
	close(pidfd);
}

/* ---- the bare system calls: a child that exits at once, nothing checked ---- */

#if defined(__x86_64__)
static pid_t clone_and_exit(struct clone_args *args)
{
	long r;

	__asm__ volatile("syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "xor %%edi, %%edi\n\t"
			 "mov %[exit], %%eax\n\t"
			 "syscall\n"
			 "1:"
			 : "=a"(r)
			 : "a"(SYS_clone3), "D"(args), "S"(sizeof(*args)), [exit] "i"(SYS_exit)
			 : "rcx", "r11", "memory", "cc");
	return (pid_t)r;
}

static int bare(void)
{
	int pidfd, uid_map, gid_map, ns;
	struct clone_args args = {
		.flags = CLONE_VM | CLONE_FILES | CLONE_NEWUSER | CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)&pidfd,
	};
	pid_t pid = clone_and_exit(&args);

	if (pid < 0)
		die("clone3");
	uid_map = proc_open(pid, "uid_map", O_WRONLY);
	gid_map = proc_open(pid, "gid_map", O_WRONLY);
	ns = proc_open(pid, "ns/user", O_RDONLY);
	put_map(uid_map);
	put_map(gid_map);
	reap(pidfd, WEXITED | __WALL);
	return ns;
}
#else
#define bare NULL /* written for x86_64 only */
#endif

/* ---- fork, pause, kill, with a liveness check ---- */

static int fork_pause_kill(void)
{
	int pidfd, uid_map, gid_map, ns;
	struct clone_args args = {
		.flags = CLONE_NEWUSER | CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)&pidfd,
		.exit_signal = SIGCHLD,
	};
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

	if (pid < 0)
		die("clone3");
	if (pid == 0)
		for (;;)
			pause();
	uid_map = proc_open(pid, "uid_map", O_WRONLY);
	gid_map = proc_open(pid, "gid_map", O_WRONLY);
	ns = proc_open(pid, "ns/user", O_RDONLY);
	if (syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0) < 0)
		die("pidfd_send_signal");
	put_map(uid_map);
	put_map(gid_map);
	syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
	reap(pidfd, WEXITED);
	return ns;
}

/* ---- timing ---- */

static const struct way {
	const char *name;
	int (*make)(void);
	int times; /* per round */
} ways[] = {
	{ "idm_userns_open", ours, 40 },
	{ "bare system calls", bare, 40 },
	{ "fork, pause, kill", fork_pause_kill, 4 },
	{ "idm_cache_userns", cached, 2000 },
};

#define WAYS (sizeof(ways) / sizeof(ways[0]))

static double one_round(const struct way *way)
{
	double start = now();

	for (int i = 0; i < way->times; i++)
		close(way->make());
	return (now() - start) / way->times;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void measure(double median[WAYS])
{
	static double us[WAYS][ROUNDS];

	for (int round = -2; round < ROUNDS; round++) /* two to warm up */
		for (size_t w = 0; w < WAYS; w++)
			if (ways[w].make)
				us[w][round < 0 ? 0 : round] = one_round(&ways[w]);
	for (size_t w = 0; w < WAYS; w++) {
		qsort(us[w], ROUNDS, sizeof(double), ascending);
		median[w] = us[w][ROUNDS / 2];
	}
}

/* Pages of 4 KiB, as a heap that has grown over time has them. */
static void grow(size_t *mib, size_t to)
{
	size_t size = (to - *mib) << 20;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		die("mmap");
	madvise(p, size, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < size; i += 4096)
		p[i] = 1;
	*mib = to;
}

int main(int argc, char **argv)
{
	static const char *const defaults[] = { "0", "64", "1024" };
	int n = argc > 1 ? argc - 1 : 3;
	size_t mib = 0;

	if (idm_map_new(&map) < 0 || idm_map_parse(map, "0:100000:65536", 0, NULL) < 0 ||
	    idm_cache_new(4, &cache) < 0)
		die("map");
	printf("%-10s", "MiB");
	for (size_t w = 0; w < WAYS; w++)
		printf("%20s", ways[w].name);
	printf("%14s%14s   (microseconds, medians of %d rounds)\n", "ours/bare", "fork/ours", ROUNDS);
	for (int i = 0; i < n; i++) {
		const char *text = argc > 1 ? argv[i + 1] : defaults[i];
		double us[WAYS];
		char *end;
		size_t to = strtoul(text, &end, 10);

		if (*end || to < mib) {
			fprintf(stderr, "usage: %s [MIB]...   (ascending)\n", argv[0]);
			return 2;
		}
		if (to > mib)
			grow(&mib, to);
		measure(us);
		printf("%-10zu", mib);
		for (size_t w = 0; w < WAYS; w++)
			printf("%20.2f", us[w]);
		printf("%14.2f%14.1f\n", us[1] > 0 ? us[0] / us[1] : 0, us[2] / us[0]);
	}
	idm_cache_free(cache);
	idm_map_free(map);
	return 0;
}

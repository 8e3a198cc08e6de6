// SPDX-License-Identifier: MIT
/* Attacks on other processes: by /proc, tracing and signals. */
#include "attack.h"

#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <dirent.h>

static void look_at_fds(pid_t pid)
{
	char path[320];
	struct dirent *entry;
	DIR *fds;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	fds = opendir(path);
	while (fds && (entry = readdir(fds))) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%s", pid, entry->d_name);
		look_in(path);
	}
	if (fds)
		closedir(fds);
}

static void enter_namespaces_of(pid_t pid)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (setns(fd, CLONE_NEWNS) == 0)
		look_in("/");
	close(fd);
}

static void look_at_process(pid_t pid)
{
	static const char *const doors[] = { "root", "cwd" };
	char path[64];

	for (size_t i = 0; i < sizeof(doors) / sizeof(*doors); i++) {
		snprintf(path, sizeof(path), "/proc/%d/%s", pid, doors[i]);
		look_in(path);
	}
	snprintf(path, sizeof(path), "/proc/%d/environ", pid);
	print_file(AT_FDCWD, path, "environment");
	look_at_fds(pid);
	enter_namespaces_of(pid);
}

void attack_processes(char **args)
{
	(void)args;
	each_process(look_at_process);
}

/* ---- their memory and descriptors ---- */

static void trace(pid_t pid)
{
	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) == 0)
		printf("traced %d\n", pid);
}

/* Traces all processes. The judge finds their tracer in /proc/PID/status. */
void attack_trace(char **args)
{
	(void)args;
	each_process(trace);
	wait_for_judge();
}

static void read_at(pid_t pid, unsigned long from, unsigned long to)
{
	static char page[65536];
	struct iovec local = { page, sizeof(page) }, remote = { NULL, sizeof(page) };

	for (; from < to; from += sizeof(page)) {
		remote.iov_base = (void *)(uintptr_t)from; /* NOLINT: the other process's */
		remote.iov_len = local.iov_len = to - from < sizeof(page) ? to - from : sizeof(page);
		if (process_vm_readv(pid, &local, 1, &remote, 1, 0) > 0)
			for (size_t i = 0; i + 40 < local.iov_len; i++)
				if (memcmp(page + i, "TOKEN-", 6) == 0)
					printf("got memory of %d: %.40s\n", pid, page + i);
	}
}

#define MOST_MEMORY (64UL << 20) /* bytes of one mapping */

static void read_memory(pid_t pid)
{
	char path[64], line[512];
	unsigned long from, to;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "r");
	while (maps && fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx", &from, &to) == 2 && strstr(line, " rw-p ") &&
		    to - from <= MOST_MEMORY)
			read_at(pid, from, to);
	if (maps)
		fclose(maps);
}

void attack_memory(char **args)
{
	(void)args;
	each_process(read_memory);
}

#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

static void steal_from(pid_t pid)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0), fd;
	char how[64];

	for (int i = 0; pidfd >= 0 && i < 64; i++) {
		fd = (int)syscall(SYS_pidfd_getfd, pidfd, i, 0);
		if (fd < 0)
			continue;
		snprintf(how, sizeof(how), "descriptor %d of %d", i, pid);
		printf("stole %s\n", how);
		look_from(fd, how);
		setns(fd, 0);
	}
	if (pidfd >= 0)
		close(pidfd);
}

/* Steals descriptors, perhaps of a namespace. They stay open, so that the judge sees them. */
void attack_steal_fds(char **args)
{
	(void)args;
	each_process(steal_from);
	look_in("/");
	wait_for_judge();
}

/* ---- signals ---- */

static int sent;

static void send(pid_t pid)
{
	if (pid != 1 && kill(pid, sent) == 0)
		printf("signalled %d\n", pid);
}

/* ARGS are "processes", "all" or "group", and the number of a signal. */
void attack_kill(char **args)
{
	const char *whom = args[0] ? args[0] : "group";

	sent = args[0] && args[1] ? atoi(args[1]) : SIGKILL;
	if (strcmp(whom, "processes") == 0)
		each_process(send);
	else if (strcmp(whom, "parent") == 0)
		kill(getppid(), sent);
	else
		kill(strcmp(whom, "all") == 0 ? -1 : 0, sent);
}

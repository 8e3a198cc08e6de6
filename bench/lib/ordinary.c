// SPDX-License-Identifier: MIT
#include "ordinary.h"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "measure.h"

/* ---- programs ---- */

const char *built_program(const char *name)
{
	static char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 64);

	for (int i = 0; n > 0 && i < 2; i++)
		n = (char *)memrchr(path, '/', (size_t)n) - path;
	check(n, "/proc/self/exe");
	snprintf(path + n, 64, "/%s", name);
	return path;
}

bool has_program(const char *name)
{
	const char *at = getenv("PATH");
	char path[4096];

	while (at && *at) {
		size_t n = strcspn(at, ":");

		snprintf(path, sizeof(path), "%.*s/%s", (int)n, at, name);
		if (access(path, X_OK) == 0)
			return true;
		at += n + (at[n] == ':');
	}
	return false;
}

/* ---- children ---- */

/* What a child does before its work. The parent writes the maps when it is told to. */
struct start {
	void (*prepare)(void);
	const char *map; /* NULL: no user namespace */
	void (*run)(void *data);
	void *data;
	int pair[2];
};

static void write_map(pid_t pid, const char *name, const char *map)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = (int)check(open(path, O_WRONLY | O_CLOEXEC), path);
	check(write(fd, map, strlen(map)), path);
	close(fd);
}

/* The kernel forgets the signal when the IDs change. */
static void die_with_parent(void)
{
	check(prctl(PR_SET_PDEATHSIG, SIGKILL), "prctl");
}

static void await_maps(const struct start *start)
{
	char byte = 0;

	check(write(start->pair[1], &byte, 1), "write");
	if (read(start->pair[1], &byte, 1) != 1)
		die("the parent");
	check(setresgid(0, 0, 0), "setresgid");
	check(setresuid(0, 0, 0), "setresuid");
}

static void be_child(const struct start *start)
{
	close(start->pair[0]);
	start->prepare();
	if (start->map)
		await_maps(start);
	close(start->pair[1]);
	die_with_parent();
	start->run(start->data);
	exit(0);
}

static void write_maps(const struct start *start, pid_t pid)
{
	char byte;

	if (read(start->pair[0], &byte, 1) != 1)
		die("the child");
	write_map(pid, "uid_map", start->map);
	write_map(pid, "gid_map", start->map);
	check(write(start->pair[0], &byte, 1), "write");
}

static pid_t start_prepared(struct start start)
{
	pid_t pid;

	check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, start.pair), "socketpair");
	fflush(stdout);
	pid = (pid_t)check(fork(), "fork");
	if (pid == 0)
		be_child(&start);
	close(start.pair[1]);
	if (start.map)
		write_maps(&start, pid);
	close(start.pair[0]);
	return pid;
}

pid_t start_child(void (*run)(void *data), void *data)
{
	return start_prepared((struct start){ .prepare = die_with_parent, .run = run, .data = data });
}

static void be_ordinary(void)
{
	die_with_parent();
	check(setgroups(0, NULL), "setgroups");
	check(setresgid(ORDINARY_USER, ORDINARY_USER, ORDINARY_USER), "setresgid");
	check(setresuid(ORDINARY_USER, ORDINARY_USER, ORDINARY_USER), "setresuid");
	check(prctl(PR_SET_DUMPABLE, 1), "prctl");
	check(unshare(CLONE_NEWUSER | CLONE_NEWNS), "unshare");
}

pid_t start_ordinary_child(void (*run)(void *data), void *data)
{
	return start_prepared((struct start){ be_ordinary, ORDINARY_MAP, run, data, { -1, -1 } });
}

static void be_contained(void)
{
	die_with_parent();
	check(unshare(CLONE_NEWUSER), "unshare");
}

pid_t start_contained_child(const char *map, void (*run)(void *data), void *data)
{
	return start_prepared((struct start){ be_contained, map, run, data, { -1, -1 } });
}

void await_child(pid_t pid)
{
	int status;

	check(waitpid(pid, &status, 0), "waitpid");
	if (status != 0)
		exit(1); /* it has said why */
}

void stop_child(pid_t pid)
{
	check(kill(pid, SIGKILL), "kill");
	check(waitpid(pid, NULL, 0), "waitpid");
}

/* ---- the service ---- */

static int try_to_connect(const char *socket_path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = (int)check(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), "socket"), r;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", socket_path);
	r = connect(fd, (const struct sockaddr *)&address, sizeof(address));
	close(fd);
	return r;
}

static const char *service_program(void)
{
	const char *named = getenv("IDMOUNTD");

	return named ? named : built_program("idmountd");
}

/* Its log is not of interest. */
static void execute_service(void *socket_path)
{
	const char *program = service_program();
	int null = (int)check(open("/dev/null", O_WRONLY), "/dev/null");

	check(dup2(null, STDERR_FILENO), "dup2");
	execl(program, "idmountd", "--socket", (const char *)socket_path, NULL);
	_exit(127);
}

pid_t start_service(const char *socket_path)
{
	pid_t service;

	check(setenv("IDMOUNTD_SOCKET", socket_path, 1), "setenv");
	service = start_child(execute_service, (void *)socket_path);
	while (try_to_connect(socket_path) < 0) {
		if (check(waitpid(service, NULL, WNOHANG), "waitpid") == service)
			die(service_program());
		usleep(1000);
	}
	return service;
}

// SPDX-License-Identifier: MIT
/*
 * What a request to idmountd costs: a client in a user namespace opens a mapped tree of a directory,
 * beside root, which does the same by itself. Both have their user namespace with the map already.
 */
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/lib/measure.h"

#define USER 1500
#define DIRECTORY PLACE "/directory"
#define SOCKET PLACE "/socket"
#define MAP "1500:0,200000:1:1000"

static int userns = -1;
static int client[2]; /* ends of a socket: of this process, of the client */
static pid_t service, clients;

/* ---- both ways ---- */

static void open_userns(void)
{
	struct idm_map *map = new_map(MAP);
	struct idm_error err;

	userns = check_idm(idm_userns_open(map, 0, &err), &err);
	idm_map_free(map);
}

static void open_tree_with(unsigned int flags)
{
	struct idm_tree_options options = IDM_TREE_OPTIONS_INIT;
	struct idm_error err;

	options.flags = flags;
	close(check_idm(idm_tree_open(AT_FDCWD, DIRECTORY, userns, &options, &err), &err));
}

static void open_as_root(void)
{
	open_tree_with(0);
}

/* ---- the client ---- */

static double time_requests(const struct way *way)
{
	double time;

	check(write(client[0], &way->times, sizeof(way->times)), "write");
	if (read(client[0], &time, sizeof(time)) != sizeof(time))
		die("the client");
	return time;
}

static void serve_times(int control)
{
	int n;

	open_userns();
	while (read(control, &n, sizeof(n)) == sizeof(n)) {
		double start = now(), time;

		for (int i = 0; i < n; i++)
			open_tree_with(IDM_TREE_SERVICE);
		time = (now() - start) / n;
		check(write(control, &time, sizeof(time)), "write");
	}
	_exit(0);
}

static void write_map(pid_t pid, const char *name)
{
	static const char text[] = "0 1500 1\n1 200000 1000\n";
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = (int)check(open(path, O_WRONLY | O_CLOEXEC), path);
	check(write(fd, text, sizeof(text) - 1), path);
	close(fd);
}

static void be_the_client(int control)
{
	char byte;

	check(prctl(PR_SET_PDEATHSIG, SIGKILL), "prctl");
	check(setgroups(0, NULL), "setgroups");
	check(setresgid(USER, USER, USER), "setresgid");
	check(setresuid(USER, USER, USER), "setresuid");
	check(prctl(PR_SET_DUMPABLE, 1), "prctl");
	check(unshare(CLONE_NEWUSER | CLONE_NEWNS), "unshare");
	check(write(control, "", 1), "write");
	check(read(control, &byte, 1), "read");
	check(setresgid(0, 0, 0), "setresgid");
	check(setresuid(0, 0, 0), "setresuid");
	serve_times(control);
}

static void start_client(void)
{
	char byte;

	check(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, client), "socketpair");
	clients = (pid_t)check(fork(), "fork");
	if (clients == 0)
		be_the_client(client[1]);
	check(read(client[0], &byte, 1), "read");
	write_map(clients, "uid_map");
	write_map(clients, "gid_map");
	check(write(client[0], "", 1), "write");
}

/* ---- the service ---- */

/* The program beside the directory of this one, unless IDMOUNTD names it. */
static const char *find_service(void)
{
	static char path[4096];
	const char *named = getenv("IDMOUNTD");
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 32);

	for (int i = 0; n > 0 && i < 2; i++)
		n = (char *)memrchr(path, '/', (size_t)n) - path;
	if (n >= 0)
		strcpy(path + n, "/idmountd");
	return named ? named : path;
}

static int try_to_connect(void)
{
	const struct sockaddr_un address = { AF_UNIX, SOCKET };
	int fd = (int)check(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), "socket");
	int r = connect(fd, (const struct sockaddr *)&address, sizeof(address));

	close(fd);
	return r;
}

/* Its log is not of interest. */
static void execute_service(void)
{
	const char *program = find_service();
	int null = (int)check(open("/dev/null", O_WRONLY), "/dev/null");

	check(prctl(PR_SET_PDEATHSIG, SIGKILL), "prctl");
	check(dup2(null, STDERR_FILENO), "dup2");
	execl(program, "idmountd", "--socket", SOCKET, NULL);
	_exit(127);
}

static void start_service(void)
{
	check(setenv("IDMOUNTD_SOCKET", SOCKET, 1), "setenv");
	service = (pid_t)check(fork(), "fork");
	if (service == 0)
		execute_service();
	while (try_to_connect() < 0) {
		if (check(waitpid(service, NULL, WNOHANG), "waitpid") == service)
			die(find_service());
		usleep(1000);
	}
}

static void stop(pid_t pid)
{
	check(kill(pid, SIGTERM), "kill");
	check(waitpid(pid, NULL, 0), "waitpid");
}

int main(void)
{
	static struct measured m;
	const struct way ways[] = {
		{ .name = "idmountd", .sample = time_requests, .times = times(50) },
		{ .name = "root", .go = open_as_root, .times = times(50) },
	};
	const struct row row = { .question = "a mapped tree by idmountd, beside root's own",
				 .ours = 0,
				 .yardstick = 1,
				 .lower_bound = NO_WAY,
				 .at_most = 3 };

	enter_place();
	check(mkdir(DIRECTORY, 0755), DIRECTORY);
	check(chown(DIRECTORY, USER, USER), DIRECTORY);
	start_service();
	start_client();
	open_userns();
	measure(&m, ways, COUNT(ways), rounds(101));
	report(&m, &row);
	stop(clients);
	stop(service);
	return 0;
}

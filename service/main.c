// SPDX-License-Identifier: MIT
/* idmountd: ID-maps detached trees for processes in user namespaces. */
#include <errno.h>
#include <getopt.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "idmount.h"
#include "lib/base/service-wire.h"
#include "lib/base/standard-fds.h"
#include "lib/sys/capability.h"
#include "lib/sys/syscall.h"
#include "handed.h"
#include "listen.h"
#include "log.h"
#include "peer.h"
#include "serve.h"

struct service_options {
	const char *path; /* of the socket; NULL: not given */
	bool any_directory;
};

static void print_usage(void)
{
	printf("usage: idmountd [OPTION]...\n\n"
	       "ID-maps detached mount trees for processes in user namespaces, among their own IDs.\n\n"
	       "  --socket PATH     listen there (default: " IDM_SERVICE_SOCKET ")\n"
	       "  --any-directory   map directories of other users, too\n"
	       "  -h, --help        print this text\n"
	       "  --version         print the version\n\n"
	       "A service manager may pass the socket (LISTEN_FDS). See idmountd(8).\n");
}

/* Returns -1 to serve, or an exit status. */
static int read_options(int argc, char **argv, struct service_options *options)
{
	static const struct option long_options[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "any-directory", no_argument, NULL, 'a' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "h", long_options, NULL)) >= 0) {
		if (c == 's') {
			options->path = optarg;
		} else if (c == 'a') {
			options->any_directory = true;
		} else if (c == 'h') {
			print_usage();
			return 0;
		} else if (c == 'v') {
			printf("idmountd %s\n", idm_version());
			return 0;
		} else {
			return 2;
		}
	}
	if (optind < argc) {
		log_problem("expected no operand, got \"%s\"", argv[optind]);
		return 2;
	}
	return -1;
}

/* The rule compares IDs as the service counts with those that filesystems store. */
static int check_privilege(void)
{
	struct stat st;

	if (stat("/proc/self/ns/user", &st) < 0)
		return log_problem("/proc/self/ns/user: %s", strerror(errno));
	if (st.st_ino != IDM_INITIAL_USERNS_INODE || !idm_has_capability(CAP_SYS_ADMIN))
		return log_problem("it requires CAP_SYS_ADMIN in the initial user namespace");
	if (!idm_has_capability(CAP_SYS_PTRACE)) /* for ns/user of the clients */
		return log_problem("it requires CAP_SYS_PTRACE");
	if (!idm_has_capability(CAP_DAC_READ_SEARCH)) /* for their auxv, which only the owner may open */
		return log_problem("it requires CAP_DAC_READ_SEARCH");
	if (!idm_has_capability(CAP_SYS_CHROOT)) /* for the child that joins their user namespaces */
		return log_problem("it requires CAP_SYS_CHROOT");
	return 0;
}

/*
 * The C library looks for the realloc(3) behind reallocarray(3) at the first call. It would do so in
 * each worker, which has no memory of the workers before.
 */
static int find_realloc(void)
{
	void *memory = reallocarray(NULL, 1, 1);

	free(memory);
	return memory ? 0 : -ENOMEM;
}

static int prepare(void)
{
	int r = find_realloc();

	if (r < 0)
		return log_problem("%s", strerror(-r));
	r = prepare_empty_root();
	if (r < 0)
		return log_problem("make an empty tmpfs: %s", strerror(-r));
	r = prepare_namespaces();
	if (r < 0)
		return log_problem("/proc/self/ns/user: %s", strerror(-r));
	r = prepare_procfs();
	if (r < 0)
		return log_problem("expected a procfs of this PID namespace: %s", strerror(-r));
	r = prepare_dumpable_sysctl();
	if (r == -ENOENT)
		return log_problem("/proc/sys/fs/suid_dumpable does not exist; it requires a procfs "
				   "without subset=pid");
	return r < 0 ? log_problem("/proc/sys/fs/suid_dumpable: %s", strerror(-r)) : 0;
}

static void block_signals(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGCHLD, SIG_DFL); /* an ignored one would reap the workers */
}

static int open_listener(const struct service_options *options, struct socket_file *file)
{
	if (!options->path && has_passed_socket())
		return take_passed_socket();
	return listen_at(options->path ? options->path : IDM_SERVICE_SOCKET, file);
}

int main(int argc, char **argv)
{
	struct service_options options = { 0 };
	struct socket_file file = { 0 };
	int status, listener;

	if (idm_open_standard_fds() < 3) /* else a handed file would be standard error */
		return 1;
	status = read_options(argc, argv, &options);
	if (status >= 0)
		return fflush(stdout) == 0 ? status : 1;
	if (check_privilege() != 0 || prepare() != 0)
		return 1;
	block_signals();
	listener = open_listener(&options, &file);
	if (listener < 0)
		return 1;
	status = serve(listener, options.any_directory);
	unlink_socket_file(&file);
	return status;
}

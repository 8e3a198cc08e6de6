// SPDX-License-Identifier: MIT
/*
 * What is between two system calls of the service. It runs below a filter that hands its calls to the
 * test. So no time decides.
 */
#include <dirent.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clients.h"
#include "lib/base/macros.h"
#include "lib/sys/syscall.h"

static void mounts_are_not_mapped(void)
{
	untried("the kernel maps no mounts before Linux 5.12");
}

static int open_of(pid_t pid, const char *name, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	return (int)must(open(path, flags | O_CLOEXEC));
}

static ino_t inode_of(pid_t pid, const char *name)
{
	AUTO_CLOSE int fd = open_of(pid, name, O_RDONLY);
	struct stat st;

	must(fstat(fd, &st));
	return st.st_ino;
}

/* ---- what the service has in the client's namespace ---- */

/* Closes the descriptor. */
static unsigned int count_names(int dir)
{
	DIR *stream = fdopendir(dir);
	const struct dirent *entry;
	unsigned int n = 0;

	assert_non_null(stream);
	while ((entry = readdir(stream)))
		n += entry->d_name[0] != '.';
	closedir(stream);
	return n;
}

/* Nothing above it, nothing in it, and nothing can be added. */
static void assert_empty(pid_t pid, const char *name)
{
	AUTO_CLOSE int dir = open_of(pid, name, O_RDONLY | O_DIRECTORY);
	struct stat st, above;

	must(fstat(dir, &st));
	must(fstatat(dir, "..", &above, 0));
	if (st.st_ino != above.st_ino || st.st_dev != above.st_dev)
		fail_msg("%s leads to a directory above it", name);
	assert_int_equal(st.st_mode & 07777, 0);
	assert_int_equal(openat(dir, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600), -1);
	assert_int_equal(errno, EROFS);
	assert_int_equal(count_names(idm_steal_fd(&dir)), 0);
}

/* The namespace, which the client has handed over. */
static void assert_one_descriptor(pid_t pid)
{
	assert_int_equal(count_names(open_of(pid, "fd", O_RDONLY | O_DIRECTORY)), 1);
	assert_int_equal(inode_of(pid, "fd/0"), inode_of(pid, "ns/user"));
}

struct visits {
	ino_t own;
	unsigned int n;
};

static void inspect_visitor(const struct seccomp_notif *call, void *data)
{
	struct visits *visits = data;
	pid_t pid = (pid_t)call->pid;

	if (inode_of(pid, "ns/user") == visits->own)
		return;
	visits->n++;
	assert_empty(pid, "root");
	assert_empty(pid, "cwd");
	assert_one_descriptor(pid);
}

static void map_data(void *unused)
{
	(void)unused;
	assert_mapped(ask_for(DATA, "1500:0"));
}

/* A process without its memory can be looked at: see join_handed_userns(). */
TEST_SINCE(5, 12, mounts_are_not_mapped, nothing_of_the_service_is_in_a_clients_namespace)
{
	struct visits visits = { .own = inode_of(getpid(), "ns/user") };
	struct service service;
	int listener;
	pid_t pid;

	enter_with_data();
	service = service_start_held(&listener);
	pid = (pid_t)must(fork());
	if (pid == 0) {
		as_client(ORDINARY, map_data, NULL);
		_exit(0);
	}
	answer_calls_until_exit(listener, pid, inspect_visitor, &visits);
	service_stop_held(&service, listener);
	assert_true(visits.n > 0);
}

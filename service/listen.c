// SPDX-License-Identifier: MIT
#include "listen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/macros.h"
#include "log.h"

#define FIRST_PASSED_FD 3
#define QUEUE 4096 /* the kernel limits it (net.core.somaxconn) */

static int fail_listen(const char *subject, const char *reason)
{
	log_problem("%s: %s", subject, reason);
	return -1;
}

/* An accepted connection inherits SO_PASSCRED. So each message has credentials, also the first. */
static int prepare_socket(int fd)
{
	const int on = 1;

	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0)
		return fail_listen("listening socket", strerror(errno));
	return fd;
}

/* ---- from a service manager: sd_listen_fds(3) ---- */

bool has_passed_socket(void)
{
	const char *pid = getenv("LISTEN_PID");

	return pid && strtol(pid, NULL, 10) == getpid();
}

static int get_socket_option(int fd, int option)
{
	socklen_t size = sizeof(int);
	int value;

	return getsockopt(fd, SOL_SOCKET, option, &value, &size) < 0 ? -1 : value;
}

int take_passed_socket(void)
{
	const char *n = getenv("LISTEN_FDS");

	if (!n || strcmp(n, "1") != 0)
		return fail_listen("LISTEN_FDS", "expected one socket");
	if (get_socket_option(FIRST_PASSED_FD, SO_DOMAIN) != AF_UNIX ||
	    get_socket_option(FIRST_PASSED_FD, SO_TYPE) != SOCK_SEQPACKET ||
	    get_socket_option(FIRST_PASSED_FD, SO_ACCEPTCONN) != 1)
		return fail_listen("descriptor 3", "expected a listening SOCK_SEQPACKET unix socket");
	return prepare_socket(FIRST_PASSED_FD);
}

/* ---- stand-alone ---- */

static int fill_address(const char *path, struct sockaddr_un *address)
{
	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (!*path)
		return fail_listen("--socket", "expected a path, got an empty one");
	if (strlen(path) >= sizeof(address->sun_path))
		return fail_listen(path, "expected a path of at most 107 bytes");
	strcpy(address->sun_path, path);
	return 0;
}

/* The last component. */
static const char *find_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* ---- its directory ---- */

/* Else a user could exchange it, and answer the clients, or let the service unlink another file. */
static bool is_roots_alone(const struct stat *st)
{
	return st->st_uid == 0 && (!(st->st_mode & (S_IWGRP | S_IWOTH)) || st->st_mode & S_ISVTX);
}

static bool is_same_inode(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* With all directories above it. */
static int check_directories(int directory, const char *path)
{
	AUTO_CLOSE int at = openat(directory, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat st = { 0 }, below;

	do {
		int up = openat(at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);

		below = st;
		if (up < 0 || fstat(at, &st) < 0) {
			idm_close_fd(&up);
			return fail_listen(path, strerror(errno));
		}
		idm_close_fd(&at);
		at = up;
		if (!is_roots_alone(&st))
			return fail_listen(path, "expected directories of root that no other user can "
						 "write, without the sticky bit");
	} while (!is_same_inode(&st, &below));
	return 0;
}

/* The directory that holds the last component of the path. It is created if it is missing. */
static int open_socket_directory(const char *path)
{
	char parent[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	AUTO_CLOSE int fd = -1;

	snprintf(parent, sizeof(parent), "%.*s", (int)(find_name(path) - path), path);
	if (!*parent)
		strcpy(parent, ".");
	if (mkdir(parent, 0755) < 0 && errno != EEXIST)
		return fail_listen(parent, strerror(errno));
	fd = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fail_listen(parent, strerror(errno));
	return check_directories(fd, parent) < 0 ? -1 : idm_steal_fd(&fd);
}

/* ---- its file ---- */

/* The kernel refuses a connection to a socket file that no process listens on any more. */
static int remove_left_over(int directory, const struct sockaddr_un *address)
{
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const char *path = address->sun_path, *name = find_name(path);
	struct stat st;

	if (fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : fail_listen(path, strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return fail_listen(path, "it exists, and is not a socket");
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
	    errno != ECONNREFUSED)
		return fail_listen(path, "another process listens there");
	if (unlinkat(directory, name, 0) < 0)
		return fail_listen(path, strerror(errno));
	return 0;
}

/* Every user may connect. The rule decides about the request. */
static int bind_for_all(int fd, const struct sockaddr_un *address)
{
	mode_t mask = umask(0111);
	int r = bind(fd, (const struct sockaddr *)address, sizeof(*address));

	umask(mask);
	return r;
}

static int bind_in(int directory, int fd, const struct sockaddr_un *address, struct socket_file *file)
{
	struct stat st;

	if (remove_left_over(directory, address) < 0)
		return -1;
	if (fd < 0 || bind_for_all(fd, address) < 0 ||
	    fstatat(directory, find_name(address->sun_path), &st, AT_SYMLINK_NOFOLLOW) < 0)
		return fail_listen(address->sun_path, strerror(errno));
	*file = (struct socket_file){ .directory = directory, .device = st.st_dev, .inode = st.st_ino };
	strcpy(file->name, find_name(address->sun_path));
	return 0;
}

int listen_at(const char *path, struct socket_file *file)
{
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), directory = -1;
	struct sockaddr_un address;

	if (fill_address(path, &address) < 0)
		return -1;
	directory = open_socket_directory(path);
	if (directory < 0 || bind_in(directory, fd, &address, file) < 0)
		return -1;
	idm_steal_fd(&directory);
	if (prepare_socket(fd) < 0 || listen(fd, QUEUE) < 0)
		return fail_listen(path, strerror(errno));
	return idm_steal_fd(&fd);
}

void unlink_socket_file(const struct socket_file *file)
{
	struct stat st;

	if (*file->name && fstatat(file->directory, file->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_dev == file->device && st.st_ino == file->inode)
		unlinkat(file->directory, file->name, 0);
}

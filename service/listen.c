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

static int make_socket_directory(const char *path)
{
	const char *slash = strrchr(path, '/');
	char parent[sizeof(((struct sockaddr_un *)NULL)->sun_path)];

	if (!slash || slash == path)
		return 0;
	snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path), path);
	if (mkdir(parent, 0755) < 0 && errno != EEXIST)
		return fail_listen(parent, strerror(errno));
	return 0;
}

/* The kernel refuses a connection to a socket file that no process listens on any more. */
static int remove_left_over(const struct sockaddr_un *address)
{
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct stat st;

	if (lstat(address->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : fail_listen(address->sun_path, strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return fail_listen(address->sun_path, "it exists, and is not a socket");
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
	    errno != ECONNREFUSED)
		return fail_listen(address->sun_path, "another process listens there");
	if (unlink(address->sun_path) < 0)
		return fail_listen(address->sun_path, strerror(errno));
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

int listen_at(const char *path)
{
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct sockaddr_un address;

	if (fill_address(path, &address) < 0 || make_socket_directory(path) < 0 ||
	    remove_left_over(&address) < 0)
		return -1;
	if (fd < 0 || bind_for_all(fd, &address) < 0 || prepare_socket(fd) < 0 || listen(fd, QUEUE) < 0)
		return fail_listen(path, strerror(errno));
	return idm_steal_fd(&fd);
}

// SPDX-License-Identifier: MIT
#include "bare-service.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "measure.h"
#include "ordinary.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5 */
#endif

enum { TREE, USERNS, HANDED };

union control {
	struct cmsghdr align;
	char space[CMSG_SPACE(HANDED * sizeof(int))];
};

static struct sockaddr_un address_of(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	return address;
}

static int new_socket(void)
{
	return (int)check(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), "socket");
}

/* ---- the service ---- */

struct bare_service {
	int listener;
	bool forks;
};

static void receive_descriptors(int connection, int handed[HANDED])
{
	char byte;
	struct iovec data = { &byte, 1 };
	union control control;
	struct msghdr header = { .msg_iov = &data,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control) };

	check(recvmsg(connection, &header, MSG_CMSG_CLOEXEC), "recvmsg");
	memcpy(handed, CMSG_DATA(&control.align), HANDED * sizeof(int));
}

/* Before Linux 6.5 there is the number alone. */
static void look_at_client(int connection)
{
	char path[64], text[4096];
	struct ucred peer;
	socklen_t size = sizeof(peer);
	int pidfd, fd;

	check(getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size), "SO_PEERCRED");
	size = sizeof(pidfd);
	if (getsockopt(connection, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &size) == 0)
		close(pidfd);
	snprintf(path, sizeof(path), "/proc/%d/status", (int)peer.pid);
	fd = (int)check(open(path, O_RDONLY | O_CLOEXEC), path);
	check(read(fd, text, sizeof(text)), path);
	close(fd);
}

static void answer_request(int connection)
{
	int handed[HANDED];
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP };

	receive_descriptors(connection, handed);
	look_at_client(connection);
	attr.userns_fd = (uint64_t)handed[USERNS];
	check(syscall(SYS_mount_setattr, handed[TREE], "", AT_EMPTY_PATH, &attr, sizeof(attr)),
	      "mount_setattr");
	check(send(connection, "", 1, 0), "send");
	close(handed[TREE]);
	close(handed[USERNS]);
}

static void answer_in_child(int connection)
{
	pid_t pid = (pid_t)check(fork(), "fork");

	if (pid > 0) {
		check(waitpid(pid, NULL, 0), "waitpid");
		return;
	}
	answer_request(connection);
	_exit(0);
}

static void serve_requests(void *data)
{
	const struct bare_service *service = data;

	for (;;) {
		int connection = (int)check(accept4(service->listener, NULL, NULL, SOCK_CLOEXEC),
					    "accept");

		if (service->forks)
			answer_in_child(connection);
		else
			answer_request(connection);
		close(connection);
	}
}

pid_t start_bare_service(const char *socket_path, bool forks)
{
	struct sockaddr_un address = address_of(socket_path);
	struct bare_service service = { new_socket(), forks };
	pid_t pid;

	check(bind(service.listener, (const struct sockaddr *)&address, sizeof(address)), socket_path);
	check(listen(service.listener, 16), "listen");
	pid = start_child(serve_requests, &service);
	close(service.listener);
	return pid;
}

/* ---- the client ---- */

static void send_descriptors(int connection, int tree, int userns)
{
	const int handed[HANDED] = { tree, userns };
	struct iovec data = { (char[1]){ 0 }, 1 };
	union control control = { .align = { .cmsg_level = SOL_SOCKET,
					     .cmsg_type = SCM_RIGHTS,
					     .cmsg_len = CMSG_LEN(sizeof(handed)) } };
	const struct msghdr header = { .msg_iov = &data,
				       .msg_iovlen = 1,
				       .msg_control = &control,
				       .msg_controllen = sizeof(control) };

	memcpy(CMSG_DATA(&control.align), handed, sizeof(handed));
	check(sendmsg(connection, &header, 0), "sendmsg");
}

void map_by_bare_service(const char *socket_path, int tree, int userns)
{
	struct sockaddr_un address = address_of(socket_path);
	int connection = new_socket();
	char byte;

	check(connect(connection, (const struct sockaddr *)&address, sizeof(address)), socket_path);
	send_descriptors(connection, tree, userns);
	if (recv(connection, &byte, 1, 0) != 1)
		die("the bare service");
	close(connection);
}

// SPDX-License-Identifier: MIT
#include "bare-service.h"

#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "measure.h"
#include "ordinary.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5 */
#endif
#define PIDFD_USERNS _IO(0xff, 9) /* PIDFD_GET_USER_NAMESPACE, Linux 6.11 */

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
	struct bare_kind kind;
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

/* Each file as a reader opens it that cannot know its size: two reads. */
static void read_proc_file(pid_t pid, const char *name)
{
	char path[64], text[4096];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = (int)check(open(path, O_RDONLY | O_CLOEXEC), path);
	while (check(read(fd, text, sizeof(text)), path) > 0)
		;
	close(fd);
}

/* The user namespace is known by its inode number. */
static void look_at_userns(int pidfd)
{
	struct stat st;
	int userns = ioctl(pidfd, PIDFD_USERNS, 0);

	if (userns < 0) /* an older kernel has no such call */
		return;
	check(fstat(userns, &st), "fstat");
	close(userns);
}

/* Before Linux 6.5 there is the number alone. */
static pid_t find_client(int connection, int *pidfd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	check(getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size), "SO_PEERCRED");
	size = sizeof(*pidfd);
	if (getsockopt(connection, SOL_SOCKET, SO_PEERPIDFD, pidfd, &size) < 0)
		*pidfd = -1;
	return peer.pid;
}

static void look_before(pid_t pid, int pidfd)
{
	static const char *const names[] = {
		"setgroups", "uid_map", "gid_map", "auxv", "status", "auxv"
	};

	look_at_userns(pidfd);
	for (size_t i = 0; i < COUNT(names); i++)
		read_proc_file(pid, names[i]);
}

static void look_after(pid_t pid, int pidfd)
{
	static const char *const names[] = { "auxv", "status", "auxv" };

	for (size_t i = 0; i < COUNT(names); i++)
		read_proc_file(pid, names[i]);
	look_at_userns(pidfd);
}

static int join_userns(void *data)
{
	return setns(*(const int *)data, CLONE_NEWUSER);
}

/* The child shares the memory, so nothing is copied. It is reaped when its files were read. */
static void read_handed_map(int userns)
{
	static _Alignas(16) char stack[65536];
	pid_t pid = (pid_t)check(
		clone(join_userns, stack + sizeof(stack), CLONE_VM | CLONE_VFORK, &userns), "clone");
	int status;

	read_proc_file(pid, "uid_map");
	read_proc_file(pid, "gid_map");
	check(waitpid(pid, &status, __WALL), "waitpid");
	if (status != 0)
		die("setns");
}

static void challenge_client(int connection)
{
	char byte, control[CMSG_SPACE(sizeof(struct ucred))];
	struct iovec data = { &byte, 1 };
	struct msghdr header = { .msg_iov = &data,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = sizeof(control) };

	check(send(connection, "?", 1, 0), "send");
	check(recvmsg(connection, &header, MSG_CMSG_CLOEXEC), "recvmsg");
}

static void answer_request(int connection, struct bare_kind kind)
{
	int handed[HANDED], pidfd;
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP };
	pid_t client;

	receive_descriptors(connection, handed);
	client = find_client(connection, &pidfd);
	if (kind.looks)
		look_before(client, pidfd);
	else
		read_proc_file(client, "status");
	if (kind.reads_handed)
		read_handed_map(handed[USERNS]);
	if (kind.challenges)
		challenge_client(connection);
	if (kind.looks)
		look_after(client, pidfd);
	attr.userns_fd = (uint64_t)handed[USERNS];
	check(syscall(SYS_mount_setattr, handed[TREE], "", AT_EMPTY_PATH, &attr, sizeof(attr)),
	      "mount_setattr");
	check(send(connection, "", 1, 0), "send");
	close(handed[TREE]);
	close(handed[USERNS]);
	if (pidfd >= 0)
		close(pidfd);
}

static void answer_in_child(int connection, struct bare_kind kind)
{
	pid_t pid = (pid_t)check(fork(), "fork");

	if (pid > 0) {
		check(waitpid(pid, NULL, 0), "waitpid");
		return;
	}
	answer_request(connection, kind);
	_exit(0);
}

static void serve_requests(void *data)
{
	const struct bare_service *service = data;

	for (;;) {
		int connection = (int)check(accept4(service->listener, NULL, NULL, SOCK_CLOEXEC),
					    "accept");

		if (service->kind.forks)
			answer_in_child(connection, service->kind);
		else
			answer_request(connection, service->kind);
		close(connection);
	}
}

pid_t start_bare_service(const char *socket_path, struct bare_kind kind)
{
	struct sockaddr_un address = address_of(socket_path);
	struct bare_service service = { new_socket(), kind };
	pid_t pid;

	check(bind(service.listener, (const struct sockaddr *)&address, sizeof(address)), socket_path);
	check(chmod(socket_path, 0666), socket_path);
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

/* Others than its own, which requires capabilities. */
static void send_proof(int connection)
{
	const struct ucred proof = { getpid(), 1, 1 };
	struct iovec data = { (char[1]){ 0 }, 1 };
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(proof))] = { 0 };
	struct cmsghdr *c = (struct cmsghdr *)control;
	const struct msghdr header = { .msg_iov = &data,
				       .msg_iovlen = 1,
				       .msg_control = control,
				       .msg_controllen = sizeof(control) };

	*c = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
			       .cmsg_type = SCM_CREDENTIALS,
			       .cmsg_len = CMSG_LEN(sizeof(proof)) };
	memcpy(CMSG_DATA(c), &proof, sizeof(proof));
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
	if (byte == '?') {
		send_proof(connection);
		if (recv(connection, &byte, 1, 0) != 1)
			die("the bare service");
	}
	close(connection);
}

// SPDX-License-Identifier: MIT
/*
 * The client is known by a pidfd. From Linux 6.5 on the kernel makes that of the process that connected
 * (SO_PEERPIDFD). An older kernel knows the number of that process only. There is this proof:
 *
 *  - A process that connected got number N: SO_PEERCRED. It can be over, and N another process's.
 *  - At the time t1 the service opens a pidfd of N, and looks at that process.
 *  - At t2 the client answers the challenge. An answer from before t1 is refused. The kernel checks that
 *    the sender of the message has N, or has CAP_SYS_ADMIN in the user namespace of its PID namespace,
 *    and N is there, too. The service sees a process of the latter kind with more than one number
 *    (NSpid). It refuses that process.
 *  - At t3 the pidfd is alive. So its process had N from t1 to t3, also at t2: it is the sender.
 */
#include "peer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/macros.h"
#include "lib/base/read-file.h"
#include "lib/sys/pidfd.h"
#include "lib/sys/procfs.h"
#include "lib/sys/syscall.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5 */
#endif

/* As much as uid_map has: 340 lines of three columns. It is more than most processes have as status. */
#define TEXT_SIZE 32768

static int refuse_gone(struct idm_service_reply *reply)
{
	return refuse_request(reply, -ESRCH, "the caller exited");
}

int get_peer_pidfd(int connection)
{
	int pidfd;
	socklen_t size = sizeof(pidfd);

	return getsockopt(connection, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &size) < 0 ? -errno : pidfd;
}

int find_peer(int connection, struct peer *peer, struct idm_service_reply *reply)
{
	if (peer->connected.pid <= 0)
		return refuse_request(reply, -EPERM,
				      "the service cannot see the caller's PID namespace");
	peer->pidfd = get_peer_pidfd(connection);
	peer->is_by_number = peer->pidfd == -ENOPROTOOPT;
	if (peer->is_by_number)
		peer->pidfd = idm_sys_pidfd_open(peer->connected.pid);
	return peer->pidfd < 0 ? refuse_gone(reply) : 0;
}

/* ---- its directory in /proc ---- */

/* Of this PID namespace. Another mount at /proc cannot take its place later. */
static int procfs = -1;

int prepare_procfs(void)
{
	procfs = idm_procfs_own(NULL);
	return procfs < 0 ? procfs : 0;
}

/* Linux 6.13 tells the number at once. It does not if the parent is in a PID namespace outside. */
static int find_number(int pidfd)
{
	struct idm_pidfd_info info;
	int r = idm_pidfd_get_info(pidfd, IDM_PIDFD_INFO_PID, &info);

	return r == 0 && info.mask & IDM_PIDFD_INFO_PID ? (int)info.pid
							: idm_procfs_number(procfs, pidfd);
}

int open_process(int pidfd)
{
	int number = find_number(pidfd);
	int process = number < 0 ? number : idm_procfs_process(procfs, number);

	return process == -ENOENT ? -ESRCH : process;
}

/* ---- the texts in /proc ---- */

/* One for all files: each further page costs a worker a page fault. */
static char proc_text[TEXT_SIZE];

static int read_text(int process, const char *name)
{
	AUTO_CLOSE int fd = idm_procfs_openat(process, name, O_RDONLY);
	ssize_t n = fd < 0 ? fd : idm_read_all(fd, proc_text, TEXT_SIZE);

	if (n == TEXT_SIZE)
		return -EFBIG;
	if (n >= 0)
		proc_text[n] = '\0';
	return n < 0 ? (int)n : 0;
}

/* The numbers in the rest of a line. */
static size_t read_status_numbers(const char *line, uint32_t *numbers, size_t most)
{
	size_t n = 0;

	while (n < most && *line && *line != '\n') {
		char *end;
		unsigned long number = strtoul(line, &end, 10);

		if (end == line)
			break;
		numbers[n++] = (uint32_t)number;
		line = end + strspn(end, " \t");
	}
	return n;
}

static int parse_status(const char *status, struct look *look)
{
	uint32_t numbers[33];

	look->facts.n_groups = read_status_numbers(idm_procfs_find_line(status, "\nGroups:"),
						   look->groups, MAX_GROUPS);
	look->facts.groups = look->groups;
	look->pid_namespaces = (unsigned int)read_status_numbers(
		idm_procfs_find_line(status, "\nNSpid:"), numbers, ARRAY_SIZE(numbers));
	look->facts.capabilities = strtoull(idm_procfs_find_line(status, "\nCapEff:"), NULL, 16);
	if (look->facts.n_groups == MAX_GROUPS || look->pid_namespaces == 0 ||
	    read_status_numbers(idm_procfs_find_line(status, "\nUid:"), look->uids, 3) != 3 ||
	    read_status_numbers(idm_procfs_find_line(status, "\nGid:"), look->gids, 3) != 3)
		return -EFBIG;
	return 0;
}

static int read_status(int process, struct look *look)
{
	int r = read_text(process, "status");

	return r < 0 ? r : parse_status(proc_text, look);
}

static int read_setgroups(int process, struct look *look)
{
	int r = read_text(process, "setgroups");

	look->facts.may_drop_groups = r == 0 && strcmp(proc_text, "allow\n") == 0;
	return r;
}

static size_t count_lines(const char *text)
{
	size_t n = 0;

	while ((text = strchr(text, '\n'))) {
		text++;
		n++;
	}
	return n;
}

/* Returns the number of lines, or -errno. */
static int read_map(int process, const char *name, unsigned int kind, struct idm_map *map)
{
	int lines, r = read_text(process, name);

	if (r < 0 || !*proc_text)
		return r;
	lines = (int)count_lines(proc_text);
	r = idm_map_parse_kernel(map, kind, proc_text, NULL);
	return r < 0 ? r : lines;
}

int read_maps(int process, struct idm_map *map)
{
	int uids = read_map(process, "uid_map", IDM_UID, map);
	int gids = uids < 0 ? uids : read_map(process, "gid_map", IDM_GID, map);

	return gids < 0 ? gids : uids > gids ? uids : gids;
}

/* ---- its user namespace ---- */

/* It is the process's if that is found alive afterwards. */
static int open_userns_in_procfs(int pidfd)
{
	AUTO_CLOSE int process = open_process(pidfd);
	AUTO_CLOSE int userns = process < 0 ? process : idm_procfs_openat(process, "ns/user", O_RDONLY);

	return idm_pidfd_is_reaped(pidfd) ? -ESRCH : idm_steal_fd(&userns);
}

int open_userns_of(int pidfd)
{
	int userns = idm_sys_ioctl(pidfd, IDM_PIDFD_GET_USER_NAMESPACE, NULL);

	return userns == -ENOTTY || userns == -EINVAL ? open_userns_in_procfs(pidfd) : userns;
}

static int is_in_userns(int pidfd, uint64_t userns)
{
	AUTO_CLOSE int own = open_userns_of(pidfd);
	struct stat st;
	int r = own < 0 ? own : idm_sys_fstatat(own, "", &st, AT_EMPTY_PATH);

	return r < 0 ? r : st.st_ino == userns;
}

/* ---- the program that it executes ---- */

/* Another program than at the beginning of the look. */
#define OTHER_PROGRAM (-ESTALE)
/* Another effective uid than that of the connection. */
#define OTHER_UID (-EUSERS)

/* The kernel returns as much of it as there is space for, in one read. */
static ssize_t read_image(int process, char *image)
{
	AUTO_CLOSE int fd = idm_procfs_openat(process, "auxv", O_RDONLY);
	ssize_t n = fd < 0 ? fd : idm_sys_read(fd, image, IMAGE_SIZE);

	if (n == 0) /* it exits */
		return -ESRCH;
	return n == IMAGE_SIZE ? -EFBIG : n;
}

/*
 * The auxiliary vector has addresses of the program's stack and of its parts, which execve(2) chooses at
 * random. A program can change its own (PR_SET_MM_MAP), but does not know those of a setuid program.
 */
static int compare_image(struct peer *peer)
{
	char image[IMAGE_SIZE];
	ssize_t n = read_image(peer->process, image);

	if (n < 0)
		return (int)n;
	if (peer->image_size == 0) {
		memcpy(peer->image, image, (size_t)n);
		peer->image_size = (size_t)n;
	}
	return peer->image_size == (size_t)n && memcmp(peer->image, image, (size_t)n) == 0
		       ? 0
		       : OTHER_PROGRAM;
}

/* ---- the look, and the check that what it found holds ---- */

/*
 * In one program, which is the same in all calls. A setuid program has another effective uid than the
 * one that made the connection.
 */
static int read_state(struct peer *peer, struct look *look)
{
	int r = compare_image(peer);

	if (r == 0)
		r = read_status(peer->process, look);
	if (r == 0 && look->uids[1] != peer->connected.uid)
		r = OTHER_UID;
	return r < 0 ? r : compare_image(peer);
}

/*
 * The maps are final, and so is the setgroups file: the kernel creates no user namespace below one that
 * lacks a map of its creator's IDs.
 */
static int read_final_facts(int process, struct look *look)
{
	int r = read_setgroups(process, look);

	if (r == 0)
		r = idm_map_new(&look->map);
	if (r == 0)
		r = read_maps(process, look->map);
	look->facts.parent = look->map;
	return r < 0 ? r : 0;
}

static int look_in_procfs(struct peer *peer, uint64_t parent, struct look *look)
{
	int r = is_in_userns(peer->pidfd, parent);

	look->facts.is_in_parent = r > 0;
	if (r <= 0)
		return r;
	r = read_final_facts(peer->process, look);
	return r < 0 ? r : read_state(peer, look);
}

/*
 * The directory in /proc was found by a number. The process is alive after all reading, so the number
 * was its own while it was used. The directory itself is never another process's.
 */
static int look_at_process(struct peer *peer, uint64_t parent, struct look *look)
{
	int r = peer->process = open_process(peer->pidfd);

	if (r >= 0)
		r = look_in_procfs(peer, parent, look);
	return idm_pidfd_is_reaped(peer->pidfd) ? -ESRCH : r;
}

static int refuse_look(int code, struct idm_service_reply *reply)
{
	if (code == -ESRCH)
		return refuse_gone(reply);
	if (code == OTHER_PROGRAM)
		return refuse_request(reply, -EPERM, "the caller executed a program after its request");
	if (code == OTHER_UID)
		return refuse_request(reply, -EPERM,
				      "the caller has another uid than when it connected");
	if (code == -EFBIG)
		return refuse_request(reply, code, "the caller has too many groups");
	return refuse_request(reply, code, "look at the caller in /proc: %s", strerror(-code));
}

int look_at_peer(struct peer *peer, uint64_t parent, struct look *look, struct idm_service_reply *reply)
{
	int r = look_at_process(peer, parent, look);

	if (r < 0)
		return refuse_look(r, reply);
	if (peer->is_by_number && look->facts.is_in_parent && look->pid_namespaces != 1)
		return refuse_request(
			reply, -EPERM,
			"a caller in a PID namespace is not supported by this kernel (needs "
			"Linux 6.5)");
	return 0;
}

/*
 * A process leaves a user namespace only for one below it, and never comes back. So one that was in it
 * before the look, and is now, was in it all the time.
 */
int confirm_look(struct peer *peer, uint64_t parent, struct look *look, struct idm_service_reply *reply)
{
	int r = read_state(peer, look);

	if (r == 0)
		r = is_in_userns(peer->pidfd, parent);
	look->facts.is_in_parent = r > 0;
	if (idm_pidfd_is_reaped(peer->pidfd))
		r = -ESRCH;
	return r < 0 ? refuse_look(r, reply) : 0;
}

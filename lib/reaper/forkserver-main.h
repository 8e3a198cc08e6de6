/* SPDX-License-Identifier: MIT */
/* The protocol between the program and its fork server. */
#ifndef IDM_REAPER_FORKSERVER_MAIN_H
#define IDM_REAPER_FORKSERVER_MAIN_H

#include <stdint.h>
#include <sys/types.h>

/*
 * A request is a packet with descriptors: the request in its file (spawn/executor/command.h), the pipe
 * for the report, and those that the request and the request name by their places in the packet.
 */
struct idm_forkserver_command {
	uint64_t clone_flags;
	int32_t cgroup; /* -1: the fork server's */
};

/* The most descriptors of one program, with the library's own. The kernel passes at most 253 at once. */
#define IDM_FORKSERVER_FDS 250

enum { COMMAND_FILE, COMMAND_REPORT, COMMAND_FDS };

/*
 * The answer: the number, with the pidfd; or -errno of clone(2). What fails later is in the request's
 * report. The first answer of all says that the fork server is ready: 1 if it is in another PID
 * namespace than the program.
 */
struct idm_forkserver_answer {
	int r;
};

/*
 * To an answer with a pidfd comes one byte back: 1, or 0 if that did not arrive. Then no process
 * would know the child, so the fork server kills it.
 */

/*
 * Packets to and from the other side, as idm_sys_send() and idm_sys_receive(). Where the kernel is short
 * of memory for a moment, that is waited for: a packet that is lost or left over would be taken for
 * another one's.
 */
ssize_t idm_forkserver_send(int fd, const void *buf, size_t size, const int *fds, size_t n_fds);
ssize_t idm_forkserver_receive(int fd, void *buf, size_t size, int *fds, size_t *n_fds);

struct idm_forkserver_ends {
	int control;
	int orphans; /* -1: they are not wanted */
	int keep[2]; /* the two again, ascending: all else is closed */
};

/* What the fork server does all its life; returns when the program has gone. */
int idm_forkserver_main(void *ends);

#endif

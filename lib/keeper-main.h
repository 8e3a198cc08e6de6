/* SPDX-License-Identifier: MIT */
/* What goes between the program and its keeper. */
#ifndef IDM_KEEPER_MAIN_H
#define IDM_KEEPER_MAIN_H

#include <stdint.h>
#include <sys/types.h>

/*
 * A request is a packet with descriptors: a file, the working directory, the pipe for the report, and
 * those that the program wants. The file begins with this; then come `n_fds` ints: which of those in the
 * packet it is, or -1; then, where a pointer may be, room for argc + envc + 2 of them; then the strings.
 */
struct idm_keeper_request {
	uint64_t signals; /* the mask */
	uint32_t argc, envc, n_fds;
	uint32_t pointers; /* where they are */
	uint32_t strings;
};

enum { REQUEST_FILE, REQUEST_DIRECTORY, REQUEST_REPORT, REQUEST_FDS };

/* The answer: the number, with the pidfd; or -errno. */
struct idm_keeper_answer {
	int r;
};

/*
 * To an answer with a pidfd comes one byte back: 1, or 0 if that did not arrive. Then nobody would know of
 * the child, so the keeper kills it.
 */

/*
 * Packets to and from the other side, as idm_sys_send() and idm_sys_receive(). Where the kernel is short
 * of memory for a moment, that is waited for: a packet that is lost or left over would be taken for
 * another one's.
 */
ssize_t idm_keeper_send(int fd, const void *buf, size_t size, const int *fds, size_t n_fds);
ssize_t idm_keeper_receive(int fd, void *buf, size_t size, int *fds, size_t *n_fds);

struct idm_keeper_ends {
	int control;
	int orphans; /* -1: they are not wanted */
	int keep[2]; /* the two again, ascending: all else is closed */
};

/* What the keeper does all its life; returns when the program has gone. */
int idm_keeper_main(void *ends);

#endif

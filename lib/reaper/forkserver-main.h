/* SPDX-License-Identifier: MIT */
/* The protocol between the program and its fork server, and the fork server as a program. */
#ifndef IDM_REAPER_FORKSERVER_MAIN_H
#define IDM_REAPER_FORKSERVER_MAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/spawn/executor/request.h"

/* The fork server (forkserver-main.c) as an ELF file, made when the library is built. */
extern const unsigned char idm_forkserver[];
extern const unsigned int idm_forkserver_size;

/* Its descriptors when it begins. All others are closed. */
enum { FORKSERVER_CONTROL, FORKSERVER_ORPHANS };

/* The first packet, which is sent before the fork server starts. */
struct idm_forkserver_setup {
	struct idm_request_caps caps; /* the caller's: an exec changes them */
	bool orphans;		      /* they are wanted */
};

/*
 * A request is a packet with descriptors: the request in its file (spawn/executor/request.h), and those
 * that the request and the request name by their places in the packet.
 */
struct idm_forkserver_command {
	uint64_t clone_flags;
	int32_t cgroup; /* -1: the fork server's */
};

/* The most descriptors of one program, with the library's own. The kernel passes at most 253 at once. */
#define IDM_FORKSERVER_FDS 250

enum { COMMAND_FILE, COMMAND_FDS };

/*
 * The answer: the number, with two descriptors; or -errno of clone(2). What fails later is in the
 * request's report. The first answer of all says that the fork server is ready: 0.
 *
 * The descriptors are the pipe for the report of the exit, and the pidfd. The fork server makes the
 * pipe. So no child that the program forks can have the other end, and keep it open.
 */
enum { ANSWER_REPORT, ANSWER_PIDFD, ANSWER_FDS };

struct idm_forkserver_answer {
	int r;
};

/*
 * To an answer with descriptors comes one byte back: 1, or 0 if one did not arrive. Then no process
 * would know the child, so the fork server kills it.
 */

#endif

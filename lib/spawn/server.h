/* SPDX-License-Identifier: MIT */
/* For a process that clones children on behalf of another one: a reaper's fork server. */
#ifndef IDM_SPAWN_SERVER_H
#define IDM_SPAWN_SERVER_H

#include "idmount.h"
#include "lib/spawn/executor/request.h"

struct idm_child {
	struct idm_request *request;
	int request_fd;	 /* the request in its memory file, or -1 */
	int executor_fd; /* the executor in its own, until the child has executed it; or -1 */
	int cwd_fd;	 /* the caller's working directory, for a server; or -1 */
	int pidfd;
	pid_t pid;
	int exit_signal; /* until it executes something */
	uint32_t inside; /* the kernel makes it 0 when the child has left the caller's memory */
	char *stack;
	struct idm_child_server *server; /* NULL: it is the caller's own child */
};

/*
 * Clones the first process into `cgroup` (-1: the caller's). -errno of clone(2). It makes system calls
 * only, so a forked copy of a program with threads can call it.
 */
int idm_child_clone(struct idm_child *child, uint64_t flags, int cgroup);
void idm_child_await_leaving(struct idm_child *child); /* until the child has left the caller's memory */
int idm_child_make_stack(struct idm_child *child);
void idm_child_free_stack(struct idm_child *child);

/*
 * A process that clones the first process instead of the caller. It reaps that process and the others
 * that come of the request. The caller still directs them, by the locks on the request's file: so the
 * server never waits for what a child does in its namespaces.
 */
struct idm_child_server {
	pid_t pid; /* the program's, in the caller's PID namespace */
	/* Sets the child's pidfd and pid. The child has left the server's memory by then. */
	int (*clone)(struct idm_child_server *server, struct idm_child *child, uint64_t flags,
		     int cgroup, struct idm_error *err);
};

/* Like idm_child_start(). A process that failed may still be a zombie when it returns. */
int idm_child_start_by(struct idm_child_server *server, const struct idm_child_options *options,
		       struct idm_error *err);

/*
 * packet.c: prepares a request for the way to the server, and restores it there. In a packed request
 * every descriptor is an index into `fds`, which has *n_fds entries. Fails with -E2BIG if there are more
 * than `most`.
 */
int idm_child_pack(struct idm_request *request, int *fds, size_t *n_fds, size_t most);
int idm_child_unpack(struct idm_request *request, const int *fds,
		     size_t n_fds); /* -EMFILE: one is missing */

/* Whether the first process starts an assembler, or the second process, which becomes the program. */
bool idm_child_has_assembler(const struct idm_request *request);
bool idm_child_has_second(const struct idm_request *request);

/* Reports why idm_child_clone() failed. Returns `code`. */
int idm_child_diagnose_clone(int code, int cgroup, struct idm_error *err);

#endif

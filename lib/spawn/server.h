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
	int exit_signal;  /* until it executes something */
	bool other_pidns; /* of an orphan: the caller is not visible in its PID namespace */
	uint32_t inside;  /* the kernel makes it 0 when the child has left the caller's memory */
	char *stack;	  /* of IDM_CHILD_STACK_SIZE, its lowest byte */
	struct idm_child_server *server; /* NULL: it is the caller's own child */
};

#define IDM_CHILD_NOT_CLONED 0xffffffffU /* `inside` before the clone: no process has this number */

/*
 * clone.c. Clones the first process into `cgroup` (-1: the caller's). Returns 0 or -errno of clone(2).
 * All signals must be blocked: until exec, the memory and the handlers are those of the process that
 * clones.
 */
int idm_child_clone(struct idm_child *child, uint64_t flags, int cgroup);
void idm_child_await_leaving(struct idm_child *child); /* until the child has left the caller's memory */

/* Stores the capabilities of this process, which an exec would change. Returns 0 or -errno. */
long idm_child_store_capabilities(struct idm_request *request);

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

/* A program that the library carries in itself: an ELF file, made when the library is built. */
struct idm_carried_program {
	const char *name;
	const unsigned char *file;
	unsigned int size;
};

/*
 * Executes it from a memory file, as an orphan. All signals are blocked in it. It has no environment,
 * and `fds` as its first descriptors (-1: none). If exec would remove the caller's capabilities, it has
 * them as ambient ones. Returns a pidfd. *other_pidns: the caller is not visible in its PID namespace.
 */
int idm_child_start_carried(const struct idm_carried_program *program, const int fds[3],
			    bool *other_pidns, enum idm_error_step step, struct idm_error *err);

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

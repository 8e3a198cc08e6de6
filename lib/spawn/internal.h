/* SPDX-License-Identifier: MIT */
/* What the rooms of idm_child_start() share. */
#ifndef IDM_SPAWN_INTERNAL_H
#define IDM_SPAWN_INTERNAL_H

#include "idmount.h"
#include "lib/spawn/executor/request.h"

/* The stage (spawn/executor/main.c) as it is executed: an ELF file. Made when the library is built. */
extern const unsigned char idm_executor[];
extern const unsigned int idm_executor_size;

/* Copies the options into *own, and looks whether they go together. */
int idm_child_take_options(struct idm_child_options *own, const struct idm_child_options *options,
			   struct idm_error *err);

/* -EINVAL for what only a child of the caller's own can be, or have. */
int idm_child_check_for_server(const struct idm_child_options *o, struct idm_error *err);

/*
 * User namespaces that the child needs besides those in the options; -1: none. `assembly` is where its
 * root is put together, if the caller's own is no good for that; it is one of the options' or made for
 * the map. `child` is the child's.
 */
struct idm_child_userns {
	int assembly, child;
	int own; /* made for the map, to be closed */
};

/* nested-userns.c */
int idm_child_open_userns(struct idm_child_userns *userns, const struct idm_child_options *o,
			  struct idm_error *err);
void idm_child_close_userns(struct idm_child_userns *userns);

/* The job that the options make, to free(). What begins with the clone itself is in *clone_flags. */
int idm_child_make_request(const struct idm_child_options *o, const struct idm_child_userns *userns,
			   struct idm_request **job, uint64_t *clone_flags, struct idm_error *err);

struct idm_child {
	struct idm_request *job;
	int job_fd;   /* the job in its memory file, or -1 */
	int stage_fd; /* the stage in its own, until it is not needed any more */
	int cwd_fd;   /* the caller's working directory, for a server; or -1 */
	int pidfd;
	pid_t pid;
	int exit_signal; /* until it executes something */
	uint32_t inside; /* the kernel makes it 0 when the child has left our memory */
	char *stack;
	struct idm_child_server *server; /* NULL: it is the caller's own child */
};

/*
 * Clones the first process into `cgroup` (-1: the caller's). -errno of clone(2). It makes system calls
 * only, so a forked copy of a program with threads can call it.
 */
int idm_child_clone(struct idm_child *child, uint64_t flags, int cgroup);
void idm_child_await_leaving(struct idm_child *child); /* until the child has left our memory */
int idm_child_make_stack(struct idm_child *child);
void idm_child_free_stack(struct idm_child *child);

/*
 * A process that clones the first process in the caller's stead. It reaps that process and the others
 * that come of the job. The caller still directs them, by the locks on the job's file: so the server
 * never waits for what a child does in its namespaces.
 */
struct idm_child_server {
	pid_t pid; /* the program's, in the caller's PID namespace */
	/* Sets the child's pidfd and pid. The child has left the server's memory by then. */
	int (*clone)(struct idm_child_server *server, struct idm_child *child, uint64_t flags,
		     int cgroup, struct idm_error *err);
};

/* As idm_child_start(). A process that failed may not be reaped yet when it returns. */
int idm_child_start_by(struct idm_child_server *server, const struct idm_child_options *options,
		       struct idm_error *err);

/*
 * packet.c: a job on its way to the server, and there. Packed, every descriptor is a place among
 * `fds`, which *n_fds are in use of already. -E2BIG: they are more than `most`.
 */
int idm_child_pack(struct idm_request *job, int *fds, size_t *n_fds, size_t most);
int idm_child_unpack(struct idm_request *job, const int *fds,
		     size_t n_fds); /* -EMFILE: one is not there */

/* Whether the first process starts an assembler, or the second process, which becomes the program. */
bool idm_child_has_assembler(const struct idm_request *job);
bool idm_child_has_second(const struct idm_request *job);

/* The capabilities of this process, which the stage has to have, too. */
void idm_child_put_own_capabilities(struct idm_request *job);

/* Why the child says that it has failed, or why it is gone without having said so. */
int idm_child_diagnose(const struct idm_child_options *o, struct idm_request *job,
		       struct idm_error *err);
int idm_child_diagnose_clone(int code, int cgroup, struct idm_error *err);

#endif

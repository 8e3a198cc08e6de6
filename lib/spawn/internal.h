/* SPDX-License-Identifier: MIT */
/* Shared by the files of idm_child_start(). The fork server uses server.h only. */
#ifndef IDM_SPAWN_INTERNAL_H
#define IDM_SPAWN_INTERNAL_H

#include "idmount.h"
#include "lib/spawn/executor/request.h"
#include "lib/spawn/request-block.h"
#include "lib/spawn/server.h"

/* The ELF file of the executor (spawn/executor/main.c), made when the library is built. */
extern const unsigned char idm_executor[];
extern const unsigned int idm_executor_size;

/* Copies the options into *own, and checks that they fit together. */
int idm_child_copy_options(struct idm_child_options *own, const struct idm_child_options *options,
			   struct idm_error *err);

/* Returns a copy of mount `i`, with the defaults of members that the caller's header lacks. */
struct idm_child_mount idm_child_get_mount(const struct idm_child_options *o, size_t i);

/* Fails with -EINVAL for options that require a child of the caller. */
int idm_child_check_for_server(const struct idm_child_options *o, struct idm_error *err);

/*
 * User namespaces that the child needs besides those in the options, or -1. `assembly` is where its root
 * is assembled, if the caller lacks CAP_SYS_ADMIN. It is one of the options', or made for the map.
 * `child` is the one that the program runs in.
 */
struct idm_child_userns {
	int assembly, child;
	int own; /* made for the map, to be closed */
};

/* nested-userns.c */
int idm_child_open_userns(struct idm_child_userns *userns, const struct idm_child_options *o,
			  struct idm_error *err);
void idm_child_close_userns(struct idm_child_userns *userns);

/* Makes a request of the options; the caller frees it. *clone_flags are for the clone itself. */
int idm_child_make_request(const struct idm_child_options *o, const struct idm_child_userns *userns,
			   struct idm_request **request, uint64_t *clone_flags, struct idm_error *err);

/* request-fds.c. A negative number is no error. */
int idm_child_check_open(int fd, enum idm_error_step which, struct idm_error *err);
int idm_request_add_fds(struct idm_block *block, const struct idm_child_options *o,
			const struct idm_child_userns *userns, struct idm_error *err);

/* request-namespaces.c: the namespaces to join, then those to create. The order matters. */
int idm_request_add_joins(struct idm_block *block, const struct idm_child_options *o,
			  const struct idm_child_userns *userns, struct idm_error *err);
void idm_request_add_namespaces(struct idm_block *block, const struct idm_child_options *o,
				uint64_t *clone_flags);

/* request-mounts.c */
int idm_request_add_mounts(struct idm_block *block, const struct idm_child_options *o,
			   struct idm_error *err);
int idm_request_add_root(struct idm_block *block, const struct idm_child_options *o,
			 struct idm_error *err);

/* request-credentials.c: IDs and capabilities; the seccomp filter. */
void idm_request_add_identity(struct idm_block *block, const struct idm_child_options *o);
int idm_request_add_filter(struct idm_block *block, const struct idm_child_options *o,
			   struct idm_error *err);

/* request-files.c: the files in memory, and a server's descriptor of the caller's working directory. */
int idm_child_open_program(const struct idm_carried_program *program, struct idm_error *err);
int idm_child_open_files(struct idm_child *child, struct idm_error *err);
int idm_child_open_cwd(const struct idm_child_options *o, struct idm_child *child,
		       struct idm_error *err);
void idm_child_close_files(struct idm_child *child);

/* await-executor.c */
int idm_child_await_executor(struct idm_child *child, struct idm_error *err);
void idm_child_reap_assembler(const struct idm_child *child);
void idm_child_read_report(struct idm_child *child);
void idm_child_kill_and_reap(const struct idm_child *child, int pidfd);

/* Turns the child's report into an error. Without a report the child was killed. */
int idm_child_diagnose(const struct idm_child_options *o, struct idm_request *request,
		       struct idm_error *err);

/* All that a message about a failed child depends on. */
struct idm_child_question {
	const struct idm_child_options *o;
	struct idm_request *request;
	const struct idm_child_report *report;
	int code;
	enum idm_error_step step;
	const char *subject;
	struct idm_error *err;
};

/* mounts-diag.c. Each returns whether it has set the error. */
bool idm_child_diagnose_pivot(const struct idm_child_question *q);
bool idm_child_diagnose_root(const struct idm_child_question *q);
bool idm_child_diagnose_child_mount(const struct idm_child_question *q);
bool idm_child_diagnose_mount_target(const struct idm_child_question *q);

#endif

/* SPDX-License-Identifier: MIT */
/* What the files of idm_child_start() share, and the fork server does not use. See server.h. */
#ifndef IDM_SPAWN_INTERNAL_H
#define IDM_SPAWN_INTERNAL_H

#include "idmount.h"
#include "lib/spawn/executor/request.h"
#include "lib/spawn/request-block.h"
#include "lib/spawn/server.h"

/* The executor (spawn/executor/main.c) as it is executed: an ELF file. Made when the library is built.
 */
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

/* The request that the options make, to free(). What begins with the clone itself is in *clone_flags. */
int idm_child_make_request(const struct idm_child_options *o, const struct idm_child_userns *userns,
			   struct idm_request **request, uint64_t *clone_flags, struct idm_error *err);

/* request-fds.c. A negative number is no error. */
int idm_child_check_open(int fd, enum idm_error_step which, struct idm_error *err);
int idm_request_add_fds(struct idm_block *block, const struct idm_child_options *o,
			const struct idm_child_userns *userns, struct idm_error *err);

/* request-namespaces.c: those to join, then those to make. */
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

/* The capabilities of this process, which the executor has to have, too. */
void idm_child_put_own_capabilities(struct idm_request *request);

/* request-files.c: the files in memory, and a server's descriptor of the caller's working directory. */
int idm_child_open_files(struct idm_child *child, struct idm_error *err);
int idm_child_open_cwd(const struct idm_child_options *o, struct idm_child *child,
		       struct idm_error *err);
void idm_child_close_files(struct idm_child *child);

/* await-executor.c */
int idm_child_await_executor(struct idm_child *child, struct idm_error *err);
void idm_child_reap_assembler(const struct idm_child *child);
void idm_child_read_report(struct idm_child *child);
void idm_child_kill_and_reap(const struct idm_child *child, int pidfd);

/* Why the child says that it has failed, or why it is gone without having said so. */
int idm_child_diagnose(const struct idm_child_options *o, struct idm_request *request,
		       struct idm_error *err);

/* What a message about a failed child depends on. */
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
bool idm_child_diagnose_deleted_root(const struct idm_child_question *q);
bool idm_child_diagnose_child_mount(const struct idm_child_question *q);
bool idm_child_diagnose_mount_target(const struct idm_child_question *q);

#endif

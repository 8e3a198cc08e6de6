/* SPDX-License-Identifier: MIT */
/* What the rooms of idm_child_start() share. */
#ifndef IDM_CHILD_H
#define IDM_CHILD_H

#include "child-job.h"
#include "idmount.h"

/* The stage (child-stage.c) as it is executed: an ELF file. Made when the library is built. */
extern const unsigned char idm_child_stage[];
extern const unsigned int idm_child_stage_size;

/* Copies the options into *own, and looks whether they go together. */
int idm_child_take_options(struct idm_child_options *own, const struct idm_child_options *options,
			   struct idm_error *err);

/*
 * User namespaces that the child needs besides those in the options; -1: none. `assembly` is where its
 * root is put together, if the caller's own is no good for that; it is one of the options' or made for
 * the map. `child` is the child's.
 */
struct idm_child_userns {
	int assembly, child;
	int own; /* made for the map, to be closed */
};

/* child-userns.c */
int idm_child_open_userns(struct idm_child_userns *userns, const struct idm_child_options *o,
			  struct idm_error *err);
void idm_child_close_userns(struct idm_child_userns *userns);

/* The job that the options make, to free(). What begins with the clone itself is in *clone_flags. */
int idm_child_make_job(const struct idm_child_options *o, const struct idm_child_userns *userns,
		       struct idm_job **job, uint64_t *clone_flags, struct idm_error *err);

/* Clones the child into `cgroup` (-1: the caller's). Fills in what idm_child_left() needs. */
struct idm_child {
	struct idm_job *job;
	int job_fd;    /* the job in its memory file, or -1 */
	int *stage_fd; /* the stage in its own, closed when it is not needed any more */
	int pidfd;
	pid_t pid;
	uint32_t inside; /* the kernel makes it 0 when the child has left our memory */
	char *stack;
};

int idm_child_clone(struct idm_child *child, uint64_t flags, int cgroup, struct idm_error *err);
void idm_child_free_stack(struct idm_child *child);

/* Why the child says that it has failed, or why it is gone without having said so. */
int idm_child_why(const struct idm_child_options *o, struct idm_job *job, struct idm_error *err);
int idm_child_why_no_clone(int code, int cgroup, struct idm_error *err);

#endif

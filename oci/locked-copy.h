/* SPDX-License-Identifier: MIT */
#ifndef IDM_OCI_LOCKED_COPY_H
#define IDM_OCI_LOCKED_COPY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "idmount.h"

struct placing;

/* In memory that all sides see. */
struct locking {
	const struct placing *placings;
	size_t n;
	int userns;
	pid_t caller;
	bool ready;	      /* the child has entered the copy */
	int namespace, stage; /* the copy, and the directory of the trees in there */
	enum idm_error_step step;
	size_t which; /* of the error; n: of none */
	int locked[]; /* the clones; -1: none */
};

/* The name of a tree on the stage. */
struct stage_name {
	char text[24];
};

struct stage_name name_on_stage(size_t i);

/*
 * Attaches the trees of all placings to a stage, in a mount namespace that the kernel has copied for the
 * user namespace. Sets `namespace` and `stage`. Returns 0 or -errno.
 */
int make_locked_copy(struct locking *l);

#endif

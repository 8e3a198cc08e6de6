/* SPDX-License-Identifier: MIT */
/* Where a tree is to be attached: found or made, and unmade. */
#ifndef IDM_TARGET_H
#define IDM_TARGET_H

#include <stdbool.h>
#include <sys/types.h>

#include "idmount.h"

struct idm_target {
	int fd;		   /* O_PATH */
	struct made *made; /* what was created for it, the deepest first */
};

/*
 * Opens `path` (flags: IDM_ATTACH_*; with IN_ROOT below dirfd), creating it with IDM_ATTACH_MKDIR if it
 * is missing: as a directory or an empty file. Refuses a symbolic link without IDM_ATTACH_FOLLOW, and
 * what is not of the wanted kind. On failure nothing is left.
 */
int idm_target_open(struct idm_target *target, int dirfd, const char *path, unsigned int flags,
		    bool directory, struct idm_error *err);

/*
 * What idm_target_open() created, the i-th from the top down: its name in the directory *parent; NULL
 * after the last.
 */
const char *idm_target_made(const struct idm_target *target, size_t i, int *parent, bool *directory);

/* Removes what idm_target_open() created, as far as it is still empty. */
void idm_target_unmake(struct idm_target *target);

/* Releases the target; what was created stays. */
void idm_target_close(struct idm_target *target);

#endif

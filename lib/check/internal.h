/* SPDX-License-Identifier: MIT */
/* The parts of idm_check_path(). */
#ifndef IDM_CHECK_INTERNAL_H
#define IDM_CHECK_INTERNAL_H

#include "idmount.h"

/* The trees of a check. Both are detached. */
struct idm_trial {
	int plain;		   /* the source without a map */
	int tree;		   /* the source with this map: */
	const struct idm_map *map; /* exchanges the caller's fsuid, fsgid with other IDs */
	const char *path;
	bool rdonly; /* the source's mount is read-only */
};

/*
 * Creates a nameless file through the tree, and checks its owner as seen and on disk. Sets
 * check->writable and check->disk_id_checked. If it is not writable, sets err.
 */
void idm_check_write(const struct idm_trial *trial, struct idm_check_result *check,
		     struct idm_error *err);

#endif

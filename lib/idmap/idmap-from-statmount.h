/* SPDX-License-Identifier: MIT */
/*
 * The map of a mount, as statmount(2) reports it. The kernel leaves out an entry unless all of it is
 * within one range of the caller's user namespace, and does not say that it did.
 */
#ifndef IDM_IDMAP_IDMAP_FROM_STATMOUNT_H
#define IDM_IDMAP_IDMAP_FROM_STATMOUNT_H

#include "idmount.h"

struct idm_statmount;

/*
 * Adds what is in the answer, which has to be whole. Adds the sides that the kernel knows of to *told.
 * Returns 0 or -errno, and fills in no error.
 */
int idm_map_add_statmount(struct idm_map *map, const struct idm_statmount *m, unsigned int *told);

/* The sides that have an entry for every disk ID there is, so that none can be missing. */
unsigned int idm_map_full_sides(const struct idm_map *map);

/*
 * The sides on which the caller's user namespace has all IDs, in one range: then no entry can reach out
 * of it. The initial one has. A side whose file in /proc cannot be read is not among them.
 */
unsigned int idm_sides_without_gaps(void);

#endif

/* SPDX-License-Identifier: MIT */
/* The IDs that the caller's user namespace has, and the rows that they are in. */
#ifndef IDM_IDMAP_OWN_IDS_H
#define IDM_IDMAP_OWN_IDS_H

#include "idmount.h"

/*
 * Reads the rows of the calling thread's own uid_map or gid_map, as the kernel holds them: neighbours
 * are not merged. `disk` is the ID inside. To free(); *n is 0 for a namespace without a map.
 */
int idm_own_mappings(unsigned int kind, struct idm_entry **rows, size_t *n, struct idm_error *err);

/*
 * Makes *cut one side of `map` with its entries cut at the borders of the caller's rows. It is for
 * printing only, since such a side is not canonical. The kernel wants this because it maps each row of a
 * new namespace through one row of the parent's map. IDs that the caller does not have stay as they are.
 * -E2BIG: that is more than the kernel accepts.
 */
int idm_map_split(const struct idm_map *map, unsigned int kind, struct idm_map **cut,
		  struct idm_error *err);

#endif

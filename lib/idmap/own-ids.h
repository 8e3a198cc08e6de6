/* SPDX-License-Identifier: MIT */
/* The ids that the caller's user namespace has, and the pieces that they lie in. */
#ifndef IDM_IDMAP_OWN_IDS_H
#define IDM_IDMAP_OWN_IDS_H

#include "idmount.h"

/*
 * Reads the rows of the calling thread's own uid_map or gid_map, as the kernel holds them: neighbours
 * are not merged. `disk` is the id inside. To free(); *n is 0 for a namespace without a map.
 */
int idm_own_mappings(unsigned int kind, struct idm_entry **rows, size_t *n, struct idm_error *err);

/*
 * Makes *cut one side of `map` with its entries cut at the borders of the caller's rows. It is for
 * printing only, since such a side is not canonical. The kernel wants this because it maps each row of a
 * new namespace through one row of the parent's map. What the caller has not stays as it is.
 * -E2BIG: that is more than the kernel takes.
 */
int idm_map_split(const struct idm_map *map, unsigned int kind, struct idm_map **cut,
		  struct idm_error *err);

#endif

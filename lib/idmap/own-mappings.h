/* SPDX-License-Identifier: MIT */
/* The IDs of the caller's user namespace, and the mappings of its own map. */
#ifndef IDM_IDMAP_OWN_MAPPINGS_H
#define IDM_IDMAP_OWN_MAPPINGS_H

#include "idmap.h"

/*
 * Prints one side of `map` with its entries cut at the borders of the caller's own mappings. The kernel
 * requires this, because it maps each line of a new namespace through one mapping of the parent. IDs
 * that do not exist in the caller's user namespace stay as they are. -E2BIG: the text exceeds the
 * kernel's limits.
 */
int idm_map_print_split(const struct idm_map *map, unsigned int kind, struct idm_kernel_text *text,
			struct idm_error *err);

#endif

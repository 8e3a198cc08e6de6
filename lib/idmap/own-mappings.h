/* SPDX-License-Identifier: MIT */
/* The IDs of the caller's user namespace, and the mappings of its own map. */
#ifndef IDM_IDMAP_OWN_MAPPINGS_H
#define IDM_IDMAP_OWN_MAPPINGS_H

#include <stdbool.h>

#include "idmap.h"

/*
 * Prints one side of `map` with its entries cut at the borders of the caller's own mappings. The kernel
 * requires this, because it maps each line of a new namespace through one mapping of the parent. IDs
 * that do not exist in the caller's user namespace stay as they are. -E2BIG: the text exceeds the
 * kernel's limits.
 */
int idm_map_print_split(const struct idm_map *map, unsigned int kind, struct idm_kernel_text *text,
			struct idm_error *err);

/*
 * Translates an ID of the caller's user namespace to its parent's: the host's ID, unless namespaces are
 * nested. -ENOENT: the namespace lacks the ID.
 */
int idm_find_outer_id(unsigned int kind, uint32_t id, uint32_t *outer);

/* Finds the first seen ID of the map that the caller's user namespace lacks. False: it lacks none. */
bool idm_find_lacking_id(const struct idm_map *map, unsigned int kind, uint32_t *lacking);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef IDM_IDMAP_SUBID_LACK_H
#define IDM_IDMAP_SUBID_LACK_H

#include <stdbool.h>

#include "idmount.h"

/*
 * Finds the first ID of the map's seen column that is neither `own` nor in a range of the owner. False:
 * none is, or the ranges cannot be read.
 */
bool idm_find_other_id(const struct idm_map *map, unsigned int kind, const char *owner, uint32_t own,
		       uint32_t *other);

#endif

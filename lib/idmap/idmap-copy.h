/* SPDX-License-Identifier: MIT */
#ifndef IDM_IDMAP_IDMAP_COPY_H
#define IDM_IDMAP_IDMAP_COPY_H

#include <stddef.h>

#include "idmount.h"

/* Copies a map, which may be NULL. NULL with a map: out of memory. */
static inline struct idm_map *idm_copy_map_or_null(const struct idm_map *map)
{
	struct idm_map *copy;

	return map && idm_map_copy(map, &copy) == 0 ? copy : NULL;
}

#endif

/* SPDX-License-Identifier: MIT */
/* Facts about the entries of a plan that the command reports, but the public API does not show. */
#ifndef IDM_OCI_PLAN_VIEW_H
#define IDM_OCI_PLAN_VIEW_H

#include <stdbool.h>
#include <stddef.h>

#include "idmount.h"

/* The number of entries. */
size_t count_plan_entries(const struct idm_plan *plan);

/*
 * The attributes that idm_plan_harden() added because of an ID, to any entry. *target, which the plan
 * owns, is that of the first such entry, or NULL.
 */
uint32_t find_hardened_entries(const struct idm_plan *plan, const char **target);

/* A directory in which the container stores files. The plan owns all that it points to. */
struct plan_store {
	struct idm_path path;
	const struct idm_map *map;     /* NULL: none */
	uint32_t attr_set, attr_clear; /* IDM_ATTR_* of the mount */
};

/*
 * The source of a bind, or the upper directory of an overlay that stores the IDs of its layers. Returns
 * false for any other entry.
 */
bool get_plan_store(const struct idm_plan *plan, size_t i, enum idm_upper_ids upper_ids,
		    struct plan_store *store);

#endif

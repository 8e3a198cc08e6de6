/* SPDX-License-Identifier: MIT */
/* The user namespace of the engine: that of the caller. */
#ifndef IDM_OCI_ENGINE_H
#define IDM_OCI_ENGINE_H

#include <stdbool.h>

#include "idmount.h"

/*
 * Returns whether an ordinary user runs the engine: it is in a user namespace, and root's files in /etc
 * are those of another root.
 */
bool is_rootless_engine(void);

/* Adds each ID of the user namespace as itself. Adds nothing in the initial one. */
int add_engine_ids(struct idm_map *map, struct idm_error *err);

/*
 * Makes *map, whose IDs on disk count on the host, of a map whose IDs on disk count in this user
 * namespace. IDs that it lacks are left out.
 */
int count_disk_ids_on_host(const struct idm_map *inside, struct idm_map **map, struct idm_error *err);

/* The same for the seen IDs. */
int count_seen_ids_on_host(const struct idm_map *inside, struct idm_map **map, struct idm_error *err);

#endif

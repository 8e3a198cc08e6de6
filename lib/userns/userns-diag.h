/* SPDX-License-Identifier: MIT */
/* Why the kernel refused a user namespace or its map, found out by looking. Each returns `code`. */
#ifndef IDM_USERNS_USERNS_DIAG_H
#define IDM_USERNS_USERNS_DIAG_H

#include <stdbool.h>

#include "idmount.h"

int idm_diagnose_no_userns(int code, struct idm_error *err);
int idm_diagnose_map_refused(const struct idm_map *map, unsigned int kind, int code,
			     struct idm_error *err);

/*
 * For a caller in the initial user namespace: fails with -EPERM if the map leads to an ID that
 * newuidmap(1) does not let the caller have. Returns 0 also where that cannot be told.
 */
int idm_diagnose_other_id(const struct idm_map *map, struct idm_error *err);

/*
 * Adds the hint that grants an ID on disk of one or both kinds, which the host counts, to the caller of
 * a user namespace. For ID 0 the hint names the ID on the host. No hint if the caller's name or that ID
 * is not known.
 */
void idm_hint_disk_id(unsigned int kinds, uint32_t id, struct idm_error *err);

#endif

/* SPDX-License-Identifier: MIT */
/* Namespaces that the command itself moves into. An error names the filter or limit that refused it. */
#ifndef IDM_OCI_NEW_NAMESPACES_H
#define IDM_OCI_NEW_NAMESPACES_H

#include "idmount.h"

/* Moves this process into a new user namespace. Returns 0 or a negative errno. */
int enter_new_userns(struct idm_error *err);

/*
 * Before that: fails with -EPERM if the map leads to an ID that is not the user's. Returns 0 also where
 * that cannot be told.
 */
int check_own_ids(const struct idm_map *map, struct idm_error *err);

/*
 * Moves this process into a new mount namespace, whose mounts are private. Returns 0 or a negative
 * errno.
 */
int enter_new_mount_namespace(struct idm_error *err);

#endif

/* SPDX-License-Identifier: MIT */
/* Namespaces that the command itself moves into. An error names the filter or limit that refused it. */
#ifndef IDM_OCI_NEW_NAMESPACES_H
#define IDM_OCI_NEW_NAMESPACES_H

#include "idmount.h"

/* Moves this process into a new user namespace. Returns 0 or a negative errno. */
int enter_new_userns(struct idm_error *err);

/*
 * Moves this process into a new mount namespace, whose mounts are private. Returns 0 or a negative
 * errno.
 */
int enter_new_mount_namespace(struct idm_error *err);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef IDM_OCI_LOCK_TREES_H
#define IDM_OCI_LOCK_TREES_H

#include <stddef.h>

#include "idmount.h"

struct placing;

/*
 * Opens the user namespace that owns a mount namespace as *userns, or sets that to -1 if it is the
 * caller's own. `name` is the container's, for errors. Returns 0 or -errno.
 */
int open_other_owner(int mount_namespace, int *userns, const char *name, struct idm_error *err);

/*
 * Replaces each tree by a copy that the kernel has locked for `userns`. Its processes keep the
 * attributes and the nested mounts of these trees, and nothing propagates from there. Returns 0 or
 * -errno.
 */
int lock_trees(struct placing *placings, size_t n, int userns, struct idm_error *err);

#endif

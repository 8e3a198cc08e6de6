/* SPDX-License-Identifier: MIT */
#ifndef IDM_OCI_RUNTIME_MOUNTS_H
#define IDM_OCI_RUNTIME_MOUNTS_H

#include <stddef.h>

#include "idmount.h"

struct mount_tables;
struct placing;

/*
 * Checks by the container's table of mounts that exchange_mounts() loses none of them, and leaves no
 * unmapped copy. The trees have to exist, and are not attached yet. Returns 0 or -errno: nothing has
 * changed.
 */
int check_runtime_mounts(const struct placing *placings, size_t n, const struct mount_tables *where,
			 struct idm_error *err);

#endif

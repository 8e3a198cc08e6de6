/* SPDX-License-Identifier: MIT */
/* Copies of what the listing reports, which outlive its callback. */
#ifndef IDM_LIST_MOUNT_COPY_H
#define IDM_LIST_MOUNT_COPY_H

#include "idmount.h"

/* Copies a mount with its strings and its map. NULL: out of memory. */
struct idm_mount_info *idm_copy_mount_info(const struct idm_mount_info *mount);

/* Frees such a copy, which may be NULL. */
void idm_free_mount_info(void *copy);

#endif

/* SPDX-License-Identifier: MIT */
/* A new mount of a filesystem, by descriptor. */
#ifndef IDM_ROOTFS_FILESYSTEM_H
#define IDM_ROOTFS_FILESYSTEM_H

#include "lib/plan/plan.h"

/*
 * Opens the filesystem of an entry as a detached, unmapped mount with the attributes `attr`
 * (IDM_ATTR_*).
 */
int idm_filesystem_open(const struct idm_plan_entry *entry, uint32_t attr, struct idm_error *err);

#endif

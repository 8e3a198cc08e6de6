/* SPDX-License-Identifier: MIT */
#ifndef IDM_LIST_MOUNT_POINT_H
#define IDM_LIST_MOUNT_POINT_H

#include "idmount.h"

/*
 * Returns where a mount is in the filesystem of the mount that it is on, whatever part of that is
 * mounted. The caller frees it. NULL: out of memory, or its directory was renamed while both were
 * listed.
 */
char *idm_path_in_filesystem(const struct idm_mount_info *mount, const struct idm_mount_info *parent);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The mounter of an overlay: the kernel creates files in the upper and the work directory with the
 * credentials of the process that mounts.
 */
#ifndef IDM_CLI_OVERLAYFS_MOUNTER_H
#define IDM_CLI_OVERLAYFS_MOUNTER_H

#include "idmount.h"

/*
 * Becomes the owner of files that the map shows for ID 0 of the image. Whiteouts then belong to that
 * ID on disk, as without a map. All capabilities stay. Returns 0 or -errno.
 */
int become_image_root(const struct idm_map *mappings);

/* Becomes the engine's root again. */
void become_engine_root(void);

#endif

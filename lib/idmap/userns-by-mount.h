/* SPDX-License-Identifier: MIT */
#ifndef IDM_IDMAP_USERNS_BY_MOUNT_H
#define IDM_IDMAP_USERNS_BY_MOUNT_H

#include "idmount.h"

/*
 * Reads the map of a user namespace from a mount that has it. Returns the map, which the caller frees,
 * or NULL if this kernel, namespace or caller has no such way.
 */
struct idm_map *idm_read_userns_by_mount(int userns_fd);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef IDM_MOUNT_SERVICE_TREE_H
#define IDM_MOUNT_SERVICE_TREE_H

#include <stdbool.h>

#include "idmount.h"

#define IDM_HINT_SINGLE_MOUNT "choose a directory without mounts below it: idmountd maps one mount"

/*
 * Whether idmountd can do more than the caller: not in the initial user namespace. True where that
 * cannot be told (no /proc), since the service makes sure itself.
 */
bool idm_service_can_help(void);

/*
 * Has the service ID-map the detached tree, which must be one mount without a map, and makes sure that
 * it did. `source` is what the caller calls it. After a failure the tree may be mapped or not. Returns
 * 0, or -errno. 1: no service runs, and *err is unchanged.
 */
int idm_service_map_tree(int tree_fd, int userns_fd, const char *source, struct idm_error *err);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef IDM_LIST_IDMAP_FROM_MOUNT_H
#define IDM_LIST_IDMAP_FROM_MOUNT_H

#include "idmount.h"

struct idm_mount_map {
	enum idm_map_state state;
	struct idm_map *map; /* a copy, which the caller frees; or NULL */
};

/* Copies the map of the mount that `fd` is on, whatever its state is. Errors as idm_list_path(). */
int idm_copy_mount_map(int fd, struct idm_mount_map *found, struct idm_error *err);

#endif

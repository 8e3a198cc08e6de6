/* SPDX-License-Identifier: MIT */
/* The IDs of a container, while a runtime creates it. */
#ifndef IDM_CLI_COMMON_CONTAINER_USERNS_H
#define IDM_CLI_COMMON_CONTAINER_USERNS_H

#include <sys/types.h>

#include "idmount.h"

/*
 * Reads the map of the container's user namespace into *map, which the caller frees. The disk column has
 * the container's IDs. The seen column has the IDs of this process's user namespace. *map is NULL if
 * `pid` is in that namespace too. Returns DONE, or reports.
 */
int read_container_userns(pid_t pid, struct idm_map **map);

#endif

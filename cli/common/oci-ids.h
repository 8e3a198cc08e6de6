/* SPDX-License-Identifier: MIT */
/* Which IDs a container has, while a runtime creates it. */
#ifndef IDM_CLI_COMMON_OCI_IDS_H
#define IDM_CLI_COMMON_OCI_IDS_H

#include <sys/types.h>

#include "idmount.h"

/*
 * The map of the container's user namespace in *map, the caller's to free: its IDs in the disk column,
 * ours in the seen column. NULL: the process is in our user namespace. Returns DONE, or reports.
 */
int read_container_ids(pid_t pid, struct idm_map **map);

#endif

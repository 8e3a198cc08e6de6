/* SPDX-License-Identifier: MIT */
#ifndef IDM_OCI_CONTAINER_MAP_H
#define IDM_OCI_CONTAINER_MAP_H

#include "idmount.h"

/*
 * Reads the map of the container that a config.json describes, which the caller frees. Fails with
 * -ENOENT if the container has none, or if the file does not exist.
 */
int read_container_map(const char *file, struct idm_map **map, struct idm_error *err);

#endif

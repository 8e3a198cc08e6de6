/* SPDX-License-Identifier: MIT */
#ifndef IDM_OCI_CONTAINER_MAP_H
#define IDM_OCI_CONTAINER_MAP_H

#include <stddef.h>

#include "idmount.h"

/*
 * Reads the map of the container that a config.json describes, which the caller frees. Fails with
 * -ENOENT if the container has none.
 */
int read_container_map(const char *text, size_t length, struct idm_map **map, struct idm_error *err);

#endif

/* SPDX-License-Identifier: MIT */
/* Lists of mounts that other programs wrote. */
#ifndef IDM_SPEC_READ_H
#define IDM_SPEC_READ_H

#include "reader.h"

/* Both functions add the mounts of `whole` until one fails. */
int idm_plan_read_containerd(const struct idm_plan_reader *reader, const struct idm_json *whole);
int idm_plan_read_oci(const struct idm_plan_reader *reader, const struct idm_json *whole);

/*
 * Finds the map of the container that a config.json describes. The map is linux.uidMappings and
 * linux.gidMappings. A container without mappings that joins a user namespace has the map of that. Fails
 * with -ENOENT if the container has no map. The caller frees the map.
 */
int idm_oci_map(const char *text, size_t length, struct idm_map **map, struct idm_error *err);

#endif

/* SPDX-License-Identifier: MIT */
/* Lists of mounts that other programs wrote. */
#ifndef IDM_SPEC_READ_H
#define IDM_SPEC_READ_H

#include "reader.h"

/* Both add the mounts of `whole` until one fails. */
int idm_plan_read_containerd(const struct idm_plan_reader *reader, const struct idm_json *whole);
int idm_plan_read_oci(const struct idm_plan_reader *reader, const struct idm_json *whole);

/*
 * The map of the container that a config.json describes, which the caller frees: linux.uidMappings and
 * linux.gidMappings, or if it joins a user namespace, and has no rows, the map of that. -ENOENT: none.
 */
int idm_oci_map(const char *text, size_t length, struct idm_map **map, struct idm_error *err);

#endif

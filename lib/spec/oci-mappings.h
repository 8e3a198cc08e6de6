/* SPDX-License-Identifier: MIT */
/* uidMappings and gidMappings, of a container and of a mount. */
#ifndef IDM_SPEC_OCI_MAPPINGS_H
#define IDM_SPEC_OCI_MAPPINGS_H

#include "json.h"

/* Rejects keys that differ from these only in their case. */
int idm_oci_check_keys(const struct idm_json *object, const char *const *known, struct idm_error *err);
#define IDM_OCI_KEYS(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* Reads the uidMappings and gidMappings of `object`. If it has neither, *map stays NULL. */
int idm_oci_read_maps(const struct idm_json *object, struct idm_map **map, struct idm_error *err);
bool idm_oci_is_empty(const struct idm_map *map);

/* Reads the mappings of a mount, which must not be empty. */
int idm_oci_read_mappings(const struct idm_json *mount, struct idm_map **map, struct idm_error *err);

#endif

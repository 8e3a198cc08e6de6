/* SPDX-License-Identifier: MIT */
/* uidMappings and gidMappings, of a container and of a mount. */
#ifndef IDM_SPEC_OCI_MAPPINGS_H
#define IDM_SPEC_OCI_MAPPINGS_H

#include "json.h"

/* Refuses keys that differ from these in their case only. */
int idm_oci_check_keys(const struct idm_json *object, const char *const *known, struct idm_error *err);
#define IDM_OCI_KEYS(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* The uidMappings and gidMappings of `object`; *map stays NULL where there are none. */
int idm_oci_read_maps(const struct idm_json *object, struct idm_map **map, struct idm_error *err);
bool idm_oci_is_empty(const struct idm_map *map);

/* Those of a mount, which have to say something. */
int idm_oci_read_mappings(const struct idm_json *mount, struct idm_map **rows, struct idm_error *err);

/* Whether the option of a mount is about a map: idmap, ridmap, and those with a map behind it. */
bool idm_oci_is_map_word(const char *word);

#endif

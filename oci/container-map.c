// SPDX-License-Identifier: MIT
#include "container-map.h"

#include "lib/spec/read.h"

int read_container_map(const char *text, size_t length, struct idm_map **map, struct idm_error *err)
{
	return idm_oci_map(text, length, map, err);
}

// SPDX-License-Identifier: MIT
#include "container-map.h"

#include <stdlib.h>

#include "config-file.h"
#include "lib/spec/read.h"

int read_container_map(const char *file, struct idm_map **map, struct idm_error *err)
{
	struct config_file config;
	int r = read_config_file(file, IDM_STEP_READ_MAP, &config, err);

	if (r == 0)
		r = idm_oci_map(config.text, config.length, map, err);
	free(config.text);
	return r;
}

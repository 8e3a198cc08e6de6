/* SPDX-License-Identifier: MIT */
/* The map that a mount of a config.json asks for, by its own mappings or by its options. */
#ifndef IDM_OCI_MAP_REQUEST_H
#define IDM_OCI_MAP_REQUEST_H

#include <stdbool.h>

#include "idmount.h"
#include "lib/spec/json.h"

struct map_request {
	const char *scope; /* "idmap", "ridmap", or NULL: as far as the mount is bound */
	char *map;	   /* NULL: the container's own */
	bool any;
	bool mappings; /* the map is that of uidMappings and gidMappings */
	bool sides;    /* the map is that of uidmap= and gidmap=, which are added together */
};

/*
 * Reads the request of a mount into one that begins as {0}. Mappings without a scope are for that mount
 * alone, as in runtimes. The caller frees the map.
 */
int read_map_request(struct map_request *q, const struct idm_json *mount, struct idm_error *err);

#endif

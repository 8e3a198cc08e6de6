/* SPDX-License-Identifier: MIT */
/* The layer of an overlay that a file comes from. */
#ifndef IDM_CLI_EXPLAIN_LAYER_H
#define IDM_CLI_EXPLAIN_LAYER_H

#include <limits.h>

#include "verdict.h"

struct layer_file {
	char path[PATH_MAX]; /* of the file in the layer, as the caller reaches it; "": not visible */
	unsigned int lower;  /* 1: the top lower layer; 0: the upper one */
	struct idm_map *map; /* of the mount that the layer is on; NULL: none */
	bool map_unseen;
	uint32_t uid, gid; /* on disk in the layer */
};

/* Whether the last place of a path is on an overlay. */
bool is_on_overlay(const struct verdict *v);

/* Call free_layer_file() afterwards. */
void find_layer_file(const struct verdict *v, struct layer_file *file);
void free_layer_file(struct layer_file *file);

#endif

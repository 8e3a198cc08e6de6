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
	bool has_options;  /* of the overlay: they are known */
	bool userxattr;	   /* one of them */
};

bool is_on_overlay(const struct verdict *v);

/* Call free_layer_file() afterwards. */
void find_layer_file(const struct verdict *v, struct layer_file *file);
void free_layer_file(struct layer_file *file);

/* ---- layer-verdict.c ---- */

/*
 * Judges an access that the overlay itself allows: the process that mounted it also requires it, in the
 * layer. Changes the verdict if that is refused. Returns false if the layer or the mounter is not known.
 * IDM_ACCESS_UNLINK at a directory on the way is about a file in it.
 */
bool judge_layer(struct verdict *v);

#endif

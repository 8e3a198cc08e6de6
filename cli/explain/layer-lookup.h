/* SPDX-License-Identifier: MIT */
/* The layers of an overlay that have a file. */
#ifndef IDM_CLI_EXPLAIN_LAYER_LOOKUP_H
#define IDM_CLI_EXPLAIN_LAYER_LOOKUP_H

#include "layer-options.h"

struct layer_entry {
	unsigned int layer; /* 0: the upper one; 1: the top lower one */
	char *path;
};

/* Directories that the overlay merges, the top one first. A file is alone, or above its data. */
struct layer_stack {
	struct layer_entry *list;
	size_t n;
	bool is_incomplete; /* others may be below, in layers that are not visible */
	bool upper_unseen;  /* the upper layer may have the file, too */
};

/*
 * Looks the path up in the layers as the overlay does, from its root directory on. Call
 * free_layer_stack() afterwards.
 */
void look_up_in_layers(const struct overlay_layers *layers, const char *path, struct layer_stack *stack);
void free_layer_stack(struct layer_stack *stack);

/* A detached mount has no path, as the layers of idmount overlay. */
int open_layer_path(const char *layer);

#endif

/* SPDX-License-Identifier: MIT */
/* The option -L: layers of an overlay. */
#ifndef IDM_CLI_COMMON_LAYER_OPTIONS_H
#define IDM_CLI_COMMON_LAYER_OPTIONS_H

#include "idmount.h"

struct layer_list {
	struct idm_path *lower, *data; /* of the current directory; each list: the top one first */
	size_t n_lower, n_data;
};

/*
 * Adds the layers of "DIR[:DIR]...", an argument of the command line. Changes the argument, and keeps
 * using it.
 */
int add_layers(struct layer_list *layers, char *list);

void layer_list_free(struct layer_list *layers);

#endif

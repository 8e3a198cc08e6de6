/* SPDX-License-Identifier: MIT */
/* The layers that the options of an overlay name. */
#ifndef IDM_CLI_EXPLAIN_LAYER_OPTIONS_H
#define IDM_CLI_EXPLAIN_LAYER_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Attributes of the overlay in its layers, as opaque and redirect. */
enum layer_marks { MARKS_USED, MARKS_UNSEEN, MARKS_UNUSED };

struct overlay_layers {
	bool is_known;		/* the options are visible */
	bool userxattr;		/* one of them */
	bool has_data_layer;	/* data-only; it is not in the list */
	enum layer_marks marks; /* the reader of the options sets it */
	char *upper;		/* NULL: none */
	char **lower;		/* the top one first */
	size_t n_lower;
};

/* Those of the mount of process `pid` (0: the caller) with the number `id`. Call free_overlay_layers()
 * afterwards. */
void read_overlay_layers(pid_t pid, uint64_t id, struct overlay_layers *layers);
void free_overlay_layers(struct overlay_layers *layers);

#endif

/* SPDX-License-Identifier: MIT */
/* Whether a user other than root and the caller can replace a name on the way to a file. */
#ifndef IDM_CLI_EXPLAIN_EXPOSED_WAY_H
#define IDM_CLI_EXPLAIN_EXPOSED_WAY_H

#include <stdbool.h>
#include <stdint.h>

struct exposed_way {
	bool is_exposed; /* the name of the last place, or one before */
	bool is_open;	 /* each name in that place */
	bool is_sticky;	 /* names in that place: to their owners */
};

/* Notes the next place: its mode with the type, and its owner as the mount shows it. */
void note_place_on_way(struct exposed_way *way, uint32_t mode, uint32_t owner);

#endif

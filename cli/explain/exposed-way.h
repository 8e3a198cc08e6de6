/* SPDX-License-Identifier: MIT */
/* Whether a user other than root and the caller can replace a name on the way to a file. */
#ifndef IDM_CLI_EXPLAIN_EXPOSED_WAY_H
#define IDM_CLI_EXPLAIN_EXPOSED_WAY_H

#include <stdbool.h>
#include <stdint.h>

struct exposed_way {
	bool is_exposed;       /* the name of the last place, or one before */
	bool is_open;	       /* each name in that place */
	bool is_sticky;	       /* names in that place: to their owners */
	uint64_t mount;	       /* the ID of the last mount */
	bool is_mount_exposed; /* the name of its mount point, or one before */
};

struct way_place {
	uint32_t mode;	      /* with the type */
	uint32_t shown, disk; /* the owner; IDM_EXPLAIN_NO_ID: none, or not visible */
	uint64_t mount;	      /* its ID; 0: not known */
	bool is_foreign;      /* a server, or a filesystem of a user namespace, can say what it likes */
};

void note_place_on_way(struct exposed_way *way, const struct way_place *place);

#endif

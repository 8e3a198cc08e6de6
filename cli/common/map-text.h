/* SPDX-License-Identifier: MIT */
/* A map in a few words, for a cell of a table: "1000→2000, rest kept". */
#ifndef IDM_CLI_COMMON_MAP_TEXT_H
#define IDM_CLI_COMMON_MAP_TEXT_H

#include "idmount.h"

/* Returns the text, to be freed. `kinds` are IDM_UID, IDM_GID or both. NULL: out of memory. */
char *summarize_map(const struct idm_map *map, unsigned int kinds);

#endif

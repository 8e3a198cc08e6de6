/* SPDX-License-Identifier: MIT */
#ifndef IDM_CLI_COMMON_DRAW_MAP_H
#define IDM_CLI_COMMON_DRAW_MAP_H

#include <stdbool.h>

#include "idmount.h"

/*
 * Draws a map for a person: the uid and the gid side beside each other, and the IDs left out. Returns
 * false if memory is lacking; nothing is drawn then.
 */
bool draw_map(const struct idm_map *map);

#endif

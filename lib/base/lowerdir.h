/* SPDX-License-Identifier: MIT */
/* The list of layers in overlayfs's own notation. */
#ifndef IDM_BASE_LOWERDIR_H
#define IDM_BASE_LOWERDIR_H

#include <stdbool.h>

/*
 * Splits a list in place and calls `each` for every layer: "a:b::c", the top one first; \: stands for a
 * colon, \\ for a backslash; what follows a double colon is data-only. Ends with the first value that is
 * not 0 and returns that; -EINVAL if a colon has no layer on one side.
 */
int idm_split_lowerdir(char *list, int (*each)(char *path, bool data_only, void *data), void *data);

/* Cuts the next piece off, in place, up to a separator that has no backslash before it. */
char *idm_next_piece(char **rest, char separator);

#endif

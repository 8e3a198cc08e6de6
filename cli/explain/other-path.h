/* SPDX-License-Identifier: MIT */
/* Other paths to a file: on another mount of its filesystem, which the caller sees. */
#ifndef IDM_CLI_EXPLAIN_OTHER_PATH_H
#define IDM_CLI_EXPLAIN_OTHER_PATH_H

#include "verdict.h"

/*
 * Writes a path of the caller to the same file, on a mount that is writable and has no map. False: the
 * caller sees none, or the map of the mount that the file is on is not known.
 */
bool find_other_path(const struct verdict *v, char *path, size_t size);

/* The same for the root directory of the mount that the file is on. */
bool find_other_mount_root(const struct verdict *v, char *path, size_t size);

#endif

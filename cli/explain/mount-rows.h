/* SPDX-License-Identifier: MIT */
/* The mounts of a process, and paths in their filesystems. */
#ifndef IDM_CLI_EXPLAIN_MOUNT_ROWS_H
#define IDM_CLI_EXPLAIN_MOUNT_ROWS_H

#include <stdio.h>

#include "verdict.h"

FILE *open_mountinfo(pid_t pid); /* or NULL; 0: the caller */

/* The options of the filesystem, as "rw,user_id=0"; NULL: not known. The caller frees them. */
char *read_super_options(const struct verdict *v);

/* The path of the file from the root directory of its filesystem, or NULL. `path` keeps it. */
const char *find_path_below(const struct verdict *v, char *path, size_t size);

/*
 * Whether a mount of the process is on the file, by another mount of the same filesystem. The kernel
 * then removes it on no mount.
 */
bool is_covered_elsewhere(const struct verdict *v);

#endif

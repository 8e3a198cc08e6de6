/* SPDX-License-Identifier: MIT */
#ifndef IDM_CLI_COMMON_MOUNT_ROOT_H
#define IDM_CLI_COMMON_MOUNT_ROOT_H

#include <stdbool.h>

/*
 * Returns whether a mount has its root at the path, or at the descriptor `dirfd` if the path is empty.
 * Before Linux 5.8 no path is known to be one.
 */
bool is_mount_root(int dirfd, const char *path);

#endif

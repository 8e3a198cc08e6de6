/* SPDX-License-Identifier: MIT */
#ifndef IDM_OCI_OPEN_INSIDE_H
#define IDM_OCI_OPEN_INSIDE_H

/*
 * Opens a path below the root filesystem `root_fd`, whatever links are in there. Returns a descriptor,
 * which is close-on-exec, or -errno.
 */
int open_inside(int root_fd, const char *path, int flags);

#endif

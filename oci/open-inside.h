/* SPDX-License-Identifier: MIT */
#ifndef IDM_OCI_OPEN_INSIDE_H
#define IDM_OCI_OPEN_INSIDE_H

/*
 * Opens a path below the root filesystem `root_fd`; no link leads out of it. Returns a close-on-exec
 * descriptor, or -errno.
 */
int open_inside(int root_fd, const char *path, int flags);

#endif

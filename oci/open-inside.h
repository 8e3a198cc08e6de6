/* SPDX-License-Identifier: MIT */
#ifndef IDM_OCI_OPEN_INSIDE_H
#define IDM_OCI_OPEN_INSIDE_H

#include <stdint.h>

/*
 * Opens a path below the root filesystem `root_fd`; no link leads out of it. Returns a close-on-exec
 * descriptor, or -errno.
 */
int open_inside(int root_fd, const char *path, int flags);

/* Opens a path below a directory, and follows no link. `resolve` are further flags of openat2(2). */
int open_below(int directory, const char *path, int flags, uint64_t resolve);

#endif

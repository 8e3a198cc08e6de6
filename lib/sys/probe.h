/* SPDX-License-Identifier: MIT */
/*
 * Throw-away kernel objects to find things out with. They are detached: no other process can see
 * them, and closing the descriptor removes them.
 */
#ifndef IDM_SYS_PROBE_H
#define IDM_SYS_PROBE_H

#include <stdbool.h>

#include "idmount.h"

/* A new, empty tmpfs. -errno as fsopen(2), fsconfig(2), fsmount(2). */
int idm_probe_tmpfs(void);

/* ID-maps a detached mount. 0 or -errno as mount_setattr(2). */
int idm_probe_map(int tree, int userns_fd);

/*
 * A copy of the mount at `source`, ID-mapped unless userns_fd is -1. `flags` are IDM_TREE_RECURSIVE and
 * IDM_TREE_REMAP, which mean what they mean to idm_tree_open(); others are ignored.
 */
int idm_probe_clone(int source, int userns_fd, unsigned int flags);

/*
 * Whether a detached mount may be attached at all: 0, or -EPERM if a filter or a security module refuses
 * that. Nothing is attached: it is asked to be put on itself, which the kernel refuses as the last.
 */
int idm_probe_attach(int tree);

/* A copy without the map that the source has. -ENOSYS before Linux 6.15. */
int idm_probe_clone_unmapped(int source);

#endif

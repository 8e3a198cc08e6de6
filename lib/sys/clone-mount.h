/* SPDX-License-Identifier: MIT */
#ifndef IDM_SYS_CLONE_MOUNT_H
#define IDM_SYS_CLONE_MOUNT_H

#include <stdbool.h>

struct mount_attr;

/*
 * A detached copy of the mount at `path`, with the attributes. `flags` are those of open_tree(2), with
 * OPEN_TREE_CLONE. `remap`: a map in `attr` replaces one that the source has. Returns a descriptor or
 * -errno: -EPERM also if the source is mapped and `remap` is not set.
 */
int idm_clone_mount(int dirfd, const char *path, unsigned int flags, const struct mount_attr *attr,
		    bool remap);

/* The same in one call, or not at all: -ENOSYS before Linux 6.15. */
int idm_clone_mount_at_once(int dirfd, const char *path, unsigned int flags,
			    const struct mount_attr *attr);

#endif

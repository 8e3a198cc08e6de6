/* SPDX-License-Identifier: MIT */
/* What the kernel tells about one mount; for messages and checks. */
#ifndef IDM_LIST_MOUNT_QUERY_H
#define IDM_LIST_MOUNT_QUERY_H

#include <stdbool.h>

struct idm_mount_props {
	bool visible;	 /* in the caller's mount namespace; if not, the next three are not known */
	bool mapped;	 /* ID-mapped */
	bool rdonly;	 /* the mount is read-only, whatever its filesystem is */
	bool unbindable; /* may not be copied */
	char fstype[64]; /* with the subtype: "fuse.sshfs"; a number if it has no name here */
};

/* Looks at the mount that `fd` (which may be O_PATH) is on. */
void idm_query_mount(int fd, struct idm_mount_props *props);

/*
 * Calls `each` for every mount of the caller's namespace whose mount point is below what `fd` names,
 * with the descriptor of its root (O_PATH) and its path, until it returns true. Mounts that others cover
 * are passed over. Returns whether one returned true.
 */
bool idm_query_mounts_below(int fd, bool (*each)(int mount_fd, const char *path, void *data),
			    void *data);

/*
 * Whether a recursive copy of what `fd` names would have more than one mount: 1 or 0. -ENODATA: that
 * cannot be known, because the caller's mount namespace does not show the mount, or /proc is missing.
 */
int idm_has_mounts_below(int fd);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Unmounts exactly the mount that is meant. umount2(2) accepts a path only, and the owner of a directory
 * on the way can make it lead elsewhere between a check and the call.
 */
#ifndef IDM_MOUNT_UMOUNT_FD_H
#define IDM_MOUNT_UMOUNT_FD_H

#include <stdbool.h>
#include <stdint.h>

/* Whether what is on top of where the descriptor points can be unmounted by it: there is a /proc that
 * is this process's. */
bool idm_can_unmount_fd(int fd);

/*
 * These may need a child. -ECHILD: they cannot have one, see idm_procfs_check_init().
 */

/* Detaches a mount by a descriptor of its root, lazily. Returns 0 or -errno. */
int idm_detach_mount(int mount_fd);

/*
 * Unmounts the mount with this ID (as it is listed), if it is on top at `target` (relative to dirfd),
 * which is a path without links. -EXDEV: another mount is there. Else 0 or -errno; links are not
 * followed as the last component.
 */
int idm_unmount_by_id(int dirfd, const char *target, uint64_t id, int flags);

/*
 * umount2(2) of what `target` leads to from a directory. -EXDEV: that was in use, and is no longer there.
 */
int idm_unmount_at(int dirfd, const char *target, int flags);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef IDM_MOUNT_REPLACED_H
#define IDM_MOUNT_REPLACED_H

#include "idmount.h"

/*
 * Finds out what the lazy unmount of the mount at `target_fd`, which has mounts on it, does elsewhere in
 * the caller's mount namespace. Returns
 *
 * 1: If the mount and those on it become private first, nothing elsewhere is unmounted.
 * 0: They must stay as they are, since peers of the mount that it is on have copies of all of them.
 * Those copies alone are unmounted with them. -EBUSY: Others are unmounted, too, in both cases.
 */
int idm_check_peers_of_replaced(int target_fd, const char *path, struct idm_error *err);

#endif

/* SPDX-License-Identifier: MIT */
/* A map on top of the one that a mount has already. */
#ifndef IDM_MOUNT_ON_TOP_H
#define IDM_MOUNT_ON_TOP_H

#include "idmount.h"

/*
 * A user namespace with the map of the mount that `source` is on, and behind it the map of `userns_fd`.
 * `path` is the source's for messages. -ENODATA: that mount has no map, and no error is filled in.
 */
int idm_userns_on_top(int source, const char *path, int userns_fd, struct idm_error *err);

#endif

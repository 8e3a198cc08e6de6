/* SPDX-License-Identifier: MIT */
#ifndef IDM_CLI_OVERLAYFS_MOUNT_OVERLAY_H
#define IDM_CLI_OVERLAYFS_MOUNT_OVERLAY_H

#include "options.h"

/*
 * Prepares the layers, see layers.h, and mounts the overlay. Without a map, or with one that changes
 * nothing, it requires no service. Returns DONE, or reports and returns FAILED.
 */
int mount_requested_overlay(struct overlay_request *q, const char *target);

/* The same for a map, in a mount namespace of its own, as on kernels before Linux 6.15. */
int mount_overlay_as_before_615(struct overlay_request *q, const char *target);

#endif

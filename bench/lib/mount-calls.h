/* SPDX-License-Identifier: MIT */
/* The calls of Linux 6.8 that list mounts, by their numbers. */
#ifndef IDM_LIB_MOUNT_CALLS_H
#define IDM_LIB_MOUNT_CALLS_H

#include <stddef.h>
#include <stdint.h>

#define ALL_MOUNTS UINT64_MAX /* of the mount namespace */

/* The IDs of the mounts below this one; dies if that fails. Returns their number. */
size_t call_listmount(uint64_t below, uint64_t *ids, size_t n);

/* 0, or -1 with errno. `what` is STATMOUNT_*. */
int call_statmount(uint64_t id, uint64_t what, void *answer, size_t size);

/* The unique ID of the mount that a descriptor, or a path, is on; dies if that fails. */
uint64_t find_mount_id(int dirfd, const char *path);

#endif

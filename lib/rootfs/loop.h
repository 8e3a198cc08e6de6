/* SPDX-License-Identifier: MIT */
/* A file as a block device. */
#ifndef IDM_ROOTFS_LOOP_H
#define IDM_ROOTFS_LOOP_H

#include <stdbool.h>

#include "idmount.h"

struct idm_loop_name {
	char text[32]; /* "/dev/loop7" */
};

/*
 * Creates a loop device for the file at `path`. Returns a descriptor of it, and sets its name. The
 * device lives as long as the descriptor is open or a filesystem is mounted from it. After that the
 * kernel removes it.
 */
int idm_loop_open(int dirfd, const char *path, bool rdonly, struct idm_loop_name *name,
		  struct idm_error *err);

#endif

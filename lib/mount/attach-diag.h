/* SPDX-License-Identifier: MIT */
/* Why a tree could not be put at a target: move_mount(2) does not say which of the two is at fault. */
#ifndef IDM_MOUNT_ATTACH_DIAG_H
#define IDM_MOUNT_ATTACH_DIAG_H

#include <stdbool.h>
#include <sys/types.h>

#include "idmount.h"

/* Fills in *err if the tree or the target itself is at fault; else returns false, with *err as it was.
 */
bool idm_diagnose_not_put(int code, int tree_fd, int target_fd, const char *path, struct idm_error *err);

/* A tree that is a file, of this type, does not go on the directory `path`. Returns `code`. */
int idm_diagnose_not_on_directory(int code, mode_t type, const char *path, struct idm_error *err);

/* The hint about a source that is a block device. */
void idm_hint_block_device(struct idm_error *err);

#endif

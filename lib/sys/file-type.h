/* SPDX-License-Identifier: MIT */
#ifndef IDM_SYS_FILE_TYPE_H
#define IDM_SYS_FILE_TYPE_H

#include <stdbool.h>
#include <sys/types.h>

#include "idmount.h"

/*
 * What `fd` (which may be O_PATH) is, as in st_mode, without asking the server of a filesystem. 0 or
 * -errno. Also of a FUSE filesystem that does not admit the caller; then what is no directory is said to
 * be a file.
 */
int idm_file_type(int fd, mode_t *type);

/*
 * Whether `fd` is on a filesystem of a block device. Only the initial user namespace mounts such a type.
 * False for btrfs, too, which has no device of its own.
 */
bool idm_is_on_block_device(int fd);

/* Adds why, to an error about a FUSE filesystem that does not admit the caller. Returns `code`. */
int idm_hint_admission(int code, int fd, struct idm_error *err);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef IDM_SYS_FILE_XATTR_H
#define IDM_SYS_FILE_XATTR_H

#include <stddef.h>
#include <sys/types.h>

/*
 * Reads an extended attribute of the file that `fd` refers to, which may be O_PATH. Requires /proc:
 * fgetxattr(2) and getxattrat(2) reject such a descriptor. Returns the length or -errno.
 */
ssize_t idm_sys_getxattr(int fd, const char *name, void *buf, size_t size);

#endif

// SPDX-License-Identifier: MIT
/* Extended attributes. */
#include <stdio.h>
#include <sys/xattr.h>

#include "syscall-result.h"
#include "syscall.h"

ssize_t idm_sys_getxattr(int fd, const char *name, void *buf, size_t size)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/thread-self/fd/%d", fd);
	return CALL(getxattr(path, name, buf, size));
}

// SPDX-License-Identifier: MIT
#include "open-inside.h"

#include "lib/sys/syscall.h"

int open_inside(int root_fd, const char *path, int flags)
{
	return idm_sys_openat2(root_fd, path, flags, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

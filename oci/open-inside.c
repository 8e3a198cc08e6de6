// SPDX-License-Identifier: MIT
#include "open-inside.h"

#include "lib/sys/syscall.h"

int open_inside(int root_fd, const char *path, int flags)
{
	return idm_sys_openat2(root_fd, path, flags, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

int open_below(int directory, const char *path, int flags, uint64_t resolve)
{
	return idm_sys_openat2(directory, path, flags, 0,
			       resolve | RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
}

// SPDX-License-Identifier: MIT
#include "mount-root.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef STATX_INO
#include <linux/stat.h> /* musl before 1.2.5 has no statx(2) */
#endif

bool is_mount_root(int dirfd, const char *path)
{
	struct statx st;

	return syscall(SYS_statx, dirfd, path, AT_EMPTY_PATH, 0, &st) == 0 &&
	       st.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

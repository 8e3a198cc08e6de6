// SPDX-License-Identifier: MIT
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "run.h"

bool run_is_null_device(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
}

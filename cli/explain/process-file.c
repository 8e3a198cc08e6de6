// SPDX-License-Identifier: MIT
#include "process-file.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>

int open_process_file(pid_t pid, const char *name, int flags)
{
	char path[PATH_MAX + 64], number[16] = "self";

	if (pid)
		snprintf(number, sizeof(number), "%d", (int)pid);
	snprintf(path, sizeof(path), "/proc/%s/%s", number, name);
	return open(path, flags | O_CLOEXEC);
}

// SPDX-License-Identifier: MIT
#include "path-below.h"

#include <stddef.h>
#include <string.h>

const char *idm_path_below(const char *path, const char *directory)
{
	size_t n = strcmp(directory, "/") == 0 ? 0 : strlen(directory);

	if (strncmp(path, directory, n) != 0 || (path[n] && path[n] != '/'))
		return NULL;
	return path[n] ? path + n + 1 : path + n;
}

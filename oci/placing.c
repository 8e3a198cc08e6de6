// SPDX-License-Identifier: MIT
#include "placing.h"

#include <stdio.h>
#include <string.h>

void name_placing(const struct placing *p, char *name, size_t size)
{
	if (p->mapped)
		idm_plan_entry_name(&p->step, name, size);
	else
		snprintf(name, size, "/%s", p->destination);
}

const char *get_path_below(const char *path, const char *directory)
{
	size_t n = strcmp(directory, "/") == 0 ? 0 : strlen(directory);

	if (strncmp(path, directory, n) != 0 || (path[n] && path[n] != '/'))
		return NULL;
	return path[n] ? path + n + 1 : path + n;
}

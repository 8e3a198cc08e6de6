// SPDX-License-Identifier: MIT
#include "mount-point.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/path-below.h"

char *idm_path_in_filesystem(const struct idm_mount_info *mount, const struct idm_mount_info *parent)
{
	const char *rest = idm_path_below(mount->target, parent->target);
	const char *root = strcmp(parent->root, "/") == 0 ? "" : parent->root;
	char *path;

	return rest && asprintf(&path, "%s/%s", root, rest) >= 0 ? path : NULL;
}

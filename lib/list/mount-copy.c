// SPDX-License-Identifier: MIT
#include "mount-copy.h"

#include <stdlib.h>
#include <string.h>

#include "lib/idmap/idmap-copy.h"

struct idm_mount_info *idm_copy_mount_info(const struct idm_mount_info *mount)
{
	struct idm_mount_info *copy = malloc(sizeof(*copy));

	if (!copy)
		return NULL;
	*copy = *mount;
	copy->target = strdup(mount->target);
	copy->source = strdup(mount->source);
	copy->root = strdup(mount->root);
	copy->fstype = strdup(mount->fstype);
	copy->map = idm_copy_map_or_null(mount->map);
	if (copy->target && copy->source && copy->root && copy->fstype && !copy->map == !mount->map)
		return copy;
	idm_free_mount_info(copy);
	return NULL;
}

void idm_free_mount_info(void *copy)
{
	struct idm_mount_info *mount = copy;

	if (!mount)
		return;
	free((char *)mount->target);
	free((char *)mount->source);
	free((char *)mount->root);
	free((char *)mount->fstype);
	idm_map_free((struct idm_map *)mount->map);
	free(mount);
}

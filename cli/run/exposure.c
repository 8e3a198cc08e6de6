// SPDX-License-Identifier: MIT
#include <fcntl.h>

#include "run.h"

/* An ordinary user cannot create files of the host's root. Layers do not change. */
void run_find_exposure(struct run_request *q)
{
	const struct mount_options mount_options = { .set = q->read_only ? IDM_ATTR_RDONLY : 0 };
	const struct idm_path place = { AT_FDCWD, q->rootfs ? q->rootfs : q->upper };

	if (!q->rootless && !q->ephemeral && place.path)
		look_for_exposure(&q->exposed, &place, q->maps.map, &mount_options);
}

// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <unistd.h>

#include "cli/common/report.h"
#include "run.h"

/* Layers do not change. */
static void look_at_root(struct run_request *q)
{
	const struct mount_options mount_options = { .set = q->read_only ? IDM_ATTR_RDONLY : 0 };
	const struct idm_path place = { AT_FDCWD, q->rootfs ? q->rootfs : q->upper };

	if (!q->ephemeral && place.path)
		look_for_exposure(&q->exposed, &place, run_map_of_root(q), &mount_options);
}

static int look_at_bind(struct run_request *q, const struct run_bind *b)
{
	const struct idm_path source = { AT_FDCWD, b->source };
	struct idm_map *map;
	int status = run_map_of_bind(q, b, &map);

	if (status != DONE)
		return status;
	look_for_exposure(&q->exposed, &source, map, &b->mount_options);
	idm_map_free(map);
	return DONE;
}

/* An ordinary user cannot create files of the host's root, but lets the container create its own. */
int run_find_exposure(struct run_request *q)
{
	int status = DONE;

	q->exposed.owner = geteuid();
	look_at_root(q);
	for (size_t i = 0; i < q->n_binds && status == DONE; i++)
		status = look_at_bind(q, &q->binds[i]);
	return status;
}

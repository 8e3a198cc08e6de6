// SPDX-License-Identifier: MIT
/* The IDs that the caller's user namespace has. */
#include <unistd.h>

#include "facts.h"
#include "lib/base/error.h"
#include "lib/idmap/idmap.h"
#include "lib/sys/fail-errno.h"

static const enum idm_error_step step = IDM_STEP_EXPLAIN;

static int add_identities(struct idm_map *map, unsigned int kind, const struct idm_side *side,
			  struct idm_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < side->n; i++) {
		const struct idm_entry *e = &side->entries[i];
		const struct idm_entry same = { e->disk, e->disk, e->count };

		r = idm_map_add(map, kind, &same, 1, err);
	}
	return r;
}

static int add_inside_column(struct idm_map *ids, const struct idm_map *map, struct idm_error *err)
{
	int r = add_identities(ids, IDM_UID, &map->uid, err);

	return r < 0 ? r : add_identities(ids, IDM_GID, &map->gid, err);
}

int idm_collect_own_ids(struct idm_map **ids, struct idm_error *err)
{
	AUTO_MAP struct idm_map *map = NULL;
	int r = idm_map_new(ids);

	r = r < 0 ? r : idm_map_new(&map);
	if (r < 0)
		return idm_fail_errno(err, r, step, NULL);
	r = idm_map_add_pid(map, getpid(), err);
	return r < 0 ? r : add_inside_column(*ids, map, err);
}

/* Of another namespace the kernel only shows IDs that the caller's has. Returns false if all are such.
 */
static bool has_outside_side(const struct idm_map *map, unsigned int kind, const struct idm_map *ids)
{
	const struct idm_side *side = kind == IDM_UID ? &map->uid : &map->gid;
	uint32_t id;

	for (size_t i = 0; i < side->n; i++)
		if (idm_map_to_seen(ids, kind, side->entries[i].seen, &id) < 0 ||
		    idm_map_to_seen(ids, kind, side->entries[i].seen + side->entries[i].count - 1, &id) <
			    0)
			return true;
	return false;
}

bool idm_has_outside_ids(const struct idm_map *map, const struct idm_map *ids)
{
	return has_outside_side(map, IDM_UID, ids) || has_outside_side(map, IDM_GID, ids);
}

// SPDX-License-Identifier: MIT
/*
 * The maps of the root filesystem and of binds. A bind's map leads to IDs of the container; the kernel
 * requires those that this process sees.
 */
#include "cli/common/report.h"
#include "run.h"

/* In a namespace with the container's IDs the owners of the root filesystem are right already. */
const struct idm_map *run_map_of_root(const struct run_request *q)
{
	if (q->rootless)
		return q->root_mapped ? q->disk_map : NULL;
	return q->maps.map;
}

/*
 * Returns whether the container lacks an ID of the entry's seen column. *missing is the first such
 * ID.
 */
static bool lacks_seen_id(const struct idm_map *container, unsigned int kind, const struct idm_entry *e,
			  uint32_t *missing)
{
	const struct idm_entry *have;
	size_t n = idm_map_entries(container, kind, &have);
	uint64_t at = e->seen, end = at + e->count;

	/* The entries are sorted by their IDs inside. */
	for (size_t i = 0; i < n && at < end && have[i].disk <= at; i++)
		if (at - have[i].disk < have[i].count)
			at = (uint64_t)have[i].disk + have[i].count;
	*missing = (uint32_t)at;
	return at < end;
}

static int check_entries(const struct run_bind *b, unsigned int kind, const struct idm_map *container)
{
	const struct idm_entry *e;
	size_t n = idm_map_entries(b->map, kind, &e);
	uint32_t missing;

	for (size_t i = 0; i < n; i++)
		if (lacks_seen_id(container, kind, &e[i], &missing))
			return report_usage(
				"--bind %s:%s: map entry %c:%u:%u:%u: the container has no %s %u",
				b->source, b->target, kind == IDM_UID ? 'u' : 'g', e[i].disk, e[i].seen,
				e[i].count, kind == IDM_UID ? "user" : "group", missing);
	return DONE;
}

static int complete_bind_map(const struct run_bind *b, const struct idm_map *container,
			     struct idm_map **map)
{
	if (idm_map_copy(b->map, map) == 0 &&
	    (!b->keep_rest || idm_map_keep_rest_within(*map, IDM_BOTH, container, NULL) == 0) &&
	    idm_map_compose(*map, container) == 0)
		return DONE;
	idm_map_free(*map);
	*map = NULL;
	return out_of_memory();
}

static int convert_bind_map(const struct run_bind *b, const struct idm_map *container,
			    struct idm_map **map)
{
	int status = check_entries(b, IDM_UID, container);

	if (status == DONE)
		status = check_entries(b, IDM_GID, container);
	return status == DONE ? complete_bind_map(b, container, map) : status;
}

/*
 * The map of "idmap", as of a root filesystem. For an ordinary user the map with the user's own IDs
 * leaves all owners as they are. Then the service is not needed.
 */
static int copy_container_map(const struct run_request *q, const struct run_bind *b,
			      struct idm_map **map)
{
	const struct idm_map *own = q->rootless ? q->disk_map : q->maps.map;

	if (q->rootless && !b->mapped_flags && q->keeps_owners)
		return DONE;
	return idm_map_copy(own, map) < 0 ? out_of_memory() : DONE;
}

int run_map_of_bind(const struct run_request *q, const struct run_bind *b, struct idm_map **map)
{
	*map = NULL;
	if (b->map)
		return convert_bind_map(b, q->maps.map, map);
	return b->container_map ? copy_container_map(q, b, map) : DONE;
}

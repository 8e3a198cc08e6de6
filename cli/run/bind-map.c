// SPDX-License-Identifier: MIT
/* A bind's map leads to IDs of the container; the kernel requires those that this process sees. */
#include "cli/common/report.h"
#include "run.h"

/*
 * Returns whether the container lacks_id an ID of the entry's seen column. *missing is the first such
 * ID.
 */
static bool lacks_id(const struct idm_map *container, unsigned int kind, const struct idm_entry *e,
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
		if (lacks_id(container, kind, &e[i], &missing))
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

int run_map_of_bind(const struct run_bind *b, const struct idm_map *container, struct idm_map **map)
{
	int status = check_entries(b, IDM_UID, container);

	*map = NULL;
	if (status == DONE)
		status = check_entries(b, IDM_GID, container);
	return status == DONE ? complete_bind_map(b, container, map) : status;
}

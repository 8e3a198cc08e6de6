// SPDX-License-Identifier: MIT
/* Finds an ID of a map that its owner lacks: the one that newuidmap(1) refuses. */
#include "subid-lack.h"

#include <errno.h>

/* Where the range of the owner that has the ID ends; the ID itself: none has it. */
static uint64_t skip_range(const struct idm_map *ranges, unsigned int kind, uint64_t id)
{
	const struct idm_entry *e;
	size_t n = idm_map_entries(ranges, kind, &e);

	for (size_t i = 0; i < n; i++)
		if (id >= e[i].seen && id - e[i].seen < e[i].count)
			return (uint64_t)e[i].seen + e[i].count;
	return id;
}

static bool find_in_entry(const struct idm_map *ranges, unsigned int kind, const struct idm_entry *entry,
			  uint32_t own, uint32_t *other)
{
	uint64_t id = entry->seen, end = id + entry->count, next;

	while (id < end) {
		next = id == own ? id + 1 : skip_range(ranges, kind, id);
		if (next == id) {
			*other = (uint32_t)id;
			return true;
		}
		id = next;
	}
	return false;
}

/* An owner without ranges has an empty map. */
static struct idm_map *read_ranges(const char *owner)
{
	struct idm_map *ranges;
	int r = idm_map_new(&ranges);

	if (r < 0)
		return NULL;
	r = idm_map_add_subid(ranges, owner, NULL);
	if (r == 0 || r == -ENOENT)
		return ranges;
	idm_map_free(ranges);
	return NULL;
}

bool idm_find_other_id(const struct idm_map *map, unsigned int kind, const char *owner, uint32_t own,
		       uint32_t *other)
{
	struct idm_map *ranges = read_ranges(owner);
	const struct idm_entry *e;
	size_t n = ranges ? idm_map_entries(map, kind, &e) : 0;
	bool found = false;

	for (size_t i = 0; i < n && !found; i++)
		found = find_in_entry(ranges, kind, &e[i], own, other);
	idm_map_free(ranges);
	return found;
}

// SPDX-License-Identifier: MIT
/* Which set-user-ID and device files a mount must not honour, as its map says. */
#include <stddef.h>

#include "idmount.h"
#include "lib/base/cancel.h"

struct search {
	const struct idm_map *container; /* NULL: seen IDs are judged as they are */
	bool root_alone;		 /* only another ID that appears as root's counts */
	unsigned int kind;
	struct idm_hardening_info found;
};

/* Root comes first, as the one that can do most; else the first one counts. */
static void judge_id(struct search *s, uint32_t disk, uint32_t seen)
{
	if (disk == seen || (s->root_alone && seen))
		return;
	if (!s->found.kind || (s->found.seen && !seen))
		s->found = (struct idm_hardening_info){ s->kind, disk, seen };
}

static void judge_outside_id(struct search *s, uint32_t disk, uint32_t seen)
{
	if (!s->found.kind && !s->root_alone)
		s->found = (struct idm_hardening_info){ s->kind, disk, seen };
}

/* The row of the container that the caller's ID is in, or the next one behind it, or NULL. */
static const struct idm_entry *find_row_from(const struct search *s, uint64_t id)
{
	const struct idm_entry *rows, *found = NULL;
	size_t n = idm_map_entries(s->container, s->kind, &rows);

	for (size_t i = 0; i < n; i++)
		if (id < (uint64_t)rows[i].seen + rows[i].count &&
		    (!found || rows[i].seen < found->seen))
			found = &rows[i];
	return found;
}

/* Row by row, in the IDs of the container. One that it does not have is another's, by its number. */
static void judge_entry_inside(struct search *s, const struct idm_entry *e)
{
	uint64_t end = (uint64_t)e->seen + e->count, seen = e->seen;

	while (seen < end) {
		const struct idm_entry *row = find_row_from(s, seen);
		uint32_t disk = (uint32_t)(e->disk + (seen - e->seen));

		if (row && seen >= row->seen) {
			judge_id(s, disk, (uint32_t)(row->disk + (seen - row->seen)));
			seen = (uint64_t)row->seen + row->count;
		} else {
			judge_outside_id(s, disk, (uint32_t)seen);
			seen = row ? row->seen : end;
		}
	}
}

static void judge_side(struct search *s, const struct idm_map *map, unsigned int kind)
{
	const struct idm_entry *entries;
	size_t n = idm_map_entries(map, kind, &entries);

	s->kind = kind;
	for (size_t i = 0; i < n; i++)
		if (s->container)
			judge_entry_inside(s, &entries[i]);
		else
			judge_id(s, entries[i].disk, entries[i].seen);
}

uint32_t idm_map_hardening(const struct idm_map *map, enum idm_harden_as as,
			   const struct idm_map *container, struct idm_hardening_info *why)
{
	HOLD_CANCEL;
	struct search s = { .container = container, .root_alone = as == IDM_HARDEN_ROOT };

	if (map) {
		judge_side(&s, map, IDM_UID);
		judge_side(&s, map, IDM_GID);
	}
	if (why)
		*why = s.found;
	if (s.found.kind)
		return IDM_ATTR_NOSUID | IDM_ATTR_NODEV;
	return as == IDM_HARDEN_MOUNT ? 0 : IDM_ATTR_NODEV;
}

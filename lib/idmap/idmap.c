// SPDX-License-Identifier: MIT
/* Maps: their canonical form and the algebra on it. Pure data; no system call is made here. */
#include "idmap.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arguments.h"
#include "lib/base/cancel.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/sys/fail-errno.h"

static const enum idm_error_step step_add = IDM_STEP_ADD_TO_MAP;

int idm_map_new(struct idm_map **map)
{
	HOLD_CANCEL;

	*map = calloc(1, sizeof(**map));
	return *map ? 0 : -ENOMEM;
}

static void clear_map(struct idm_map *map)
{
	free(map->uid.entries);
	free(map->gid.entries);
	*map = (struct idm_map){ 0 };
}

void idm_map_free(struct idm_map *map)
{
	HOLD_CANCEL;

	if (map)
		clear_map(map);
	free(map);
}

void idm_map_move(struct idm_map *to, struct idm_map *from)
{
	clear_map(to);
	*to = *from;
	*from = (struct idm_map){ 0 };
}

static int copy_side(struct idm_side *to, const struct idm_side *from)
{
	if (!from->n)
		return 0;
	to->entries = malloc(from->n * sizeof(*from->entries));
	if (!to->entries)
		return -ENOMEM;
	memcpy(to->entries, from->entries, from->n * sizeof(*from->entries));
	to->n = from->n;
	return 0;
}

int idm_map_copy(const struct idm_map *map, struct idm_map **copy)
{
	HOLD_CANCEL;
	int r = idm_map_new(copy);

	if (r == 0)
		r = copy_side(&(*copy)->uid, &map->uid);
	if (r == 0)
		r = copy_side(&(*copy)->gid, &map->gid);
	if (r < 0) {
		idm_map_free(*copy);
		*copy = NULL;
	}
	return r;
}

/* ---- canonical form ---- */

static int compare_disk(const void *a, const void *b)
{
	const struct idm_entry *x = a, *y = b;

	return (x->disk > y->disk) - (x->disk < y->disk);
}

static int compare_seen(const void *a, const void *b)
{
	const struct idm_entry *x = a, *y = b;

	return (x->seen > y->seen) - (x->seen < y->seen);
}

/* Sorts; most maps are in order already, and then a look is enough. */
static void sort_entries(struct idm_entry *e, size_t n, int (*order)(const void *, const void *))
{
	for (size_t i = 1; i < n; i++)
		if (order(&e[i - 1], &e[i]) > 0) {
			qsort(e, n, sizeof(*e), order);
			return;
		}
}

static const char *get_kind_prefix(unsigned int kinds)
{
	return kinds == IDM_UID ? "u:" : kinds == IDM_GID ? "g:" : "";
}

static int check_entry(const struct idm_entry *e, unsigned int kinds, struct idm_error *err)
{
	const char *why = NULL;
	char entry[48];

	if (e->count == 0)
		why = "expected a count of 1 or more, got 0";
	else if (e->disk + (uint64_t)e->count > IDM_ID_END)
		why = "the disk IDs exceed 4294967294, the last ID";
	else if (e->seen + (uint64_t)e->count > IDM_ID_END)
		why = "the seen IDs exceed 4294967294, the last ID";
	if (!why)
		return 0;
	snprintf(entry, sizeof(entry), "%s%u:%u:%u", get_kind_prefix(kinds), e->disk, e->seen, e->count);
	return idm_fail(err, -EINVAL, step_add, entry, "%s", why);
}

static int fail_overlap(const struct idm_entry *a, const struct idm_entry *b, unsigned int kind,
			const char *column, uint32_t id, struct idm_error *err)
{
	const char *p = get_kind_prefix(kind);
	char entry[48];

	snprintf(entry, sizeof(entry), "%s%u:%u:%u", p, b->disk, b->seen, b->count);
	return idm_fail(err, -EINVAL, step_add, entry, "overlaps %s%u:%u:%u: both have the %s ID %u", p,
			a->disk, a->seen, a->count, column, id);
}

static int check_disk_overlap(const struct idm_side *side, unsigned int kind, struct idm_error *err)
{
	for (size_t i = 1; i < side->n; i++) {
		const struct idm_entry *a = &side->entries[i - 1], *b = &side->entries[i];

		if (a->disk + (uint64_t)a->count > b->disk)
			return fail_overlap(a, b, kind, "disk", b->disk, err);
	}
	return 0;
}

static int check_seen_overlap(const struct idm_side *side, unsigned int kind, struct idm_error *err)
{
	AUTO_FREE struct idm_entry *e = NULL;
	bool ascending = true;

	for (size_t i = 1; i < side->n && ascending; i++)
		ascending = side->entries[i - 1].seen + (uint64_t)side->entries[i - 1].count <=
			    side->entries[i].seen;
	if (ascending)
		return 0;

	e = malloc(side->n * sizeof(*e));
	if (!e)
		return idm_fail_errno(err, -ENOMEM, step_add, NULL);
	memcpy(e, side->entries, side->n * sizeof(*e));
	sort_entries(e, side->n, compare_seen);
	for (size_t i = 1; i < side->n; i++)
		if (e[i - 1].seen + (uint64_t)e[i - 1].count > e[i].seen)
			return fail_overlap(&e[i - 1], &e[i], kind, "seen", e[i].seen, err);
	return 0;
}

static void merge_neighbours(struct idm_side *side)
{
	size_t last = 0;

	for (size_t i = 1; i < side->n; i++) {
		struct idm_entry *a = &side->entries[last], *b = &side->entries[i];

		if (a->disk + a->count == b->disk && a->seen + a->count == b->seen)
			a->count += b->count;
		else
			side->entries[++last] = *b;
	}
	if (side->n)
		side->n = last + 1;
}

/* Makes `to` the canonical union of a side and n entries that are each valid. */
static int unite_side(struct idm_side *to, const struct idm_side *side, const struct idm_entry *entries,
		      size_t n, unsigned int kind, struct idm_error *err)
{
	int r;

	to->entries = reallocarray(NULL, side->n + n, sizeof(*entries));
	if (!to->entries)
		return idm_fail_errno(err, -ENOMEM, step_add, NULL);
	if (side->n)
		memcpy(to->entries, side->entries, side->n * sizeof(*entries));
	memcpy(to->entries + side->n, entries, n * sizeof(*entries));
	to->n = side->n + n;

	sort_entries(to->entries, to->n, compare_disk);
	r = check_disk_overlap(to, kind, err);
	if (r == 0)
		r = check_seen_overlap(to, kind, err);
	if (r == 0)
		merge_neighbours(to);
	return r;
}

int idm_map_add(struct idm_map *map, unsigned int kinds, const struct idm_entry *entries, size_t n,
		struct idm_error *err)
{
	HOLD_CANCEL;
	struct idm_map new = { 0 };
	int r = 0;

	if (!kinds || kinds & ~IDM_BOTH)
		return idm_fail(err, -EINVAL, step_add, NULL, "unknown kinds 0x%x", kinds);
	if (!n)
		return 0;
	r = idm_check_array(entries, n, "entries", "entries", step_add, err);
	for (size_t i = 0; i < n && r == 0; i++)
		r = check_entry(&entries[i], kinds, err);
	if (r == 0 && kinds & IDM_UID)
		r = unite_side(&new.uid, &map->uid, entries, n, IDM_UID, err);
	if (r == 0 && kinds & IDM_GID)
		r = unite_side(&new.gid, &map->gid, entries, n, IDM_GID, err);
	if (r < 0) {
		clear_map(&new);
		return r;
	}
	/* Both sides are good: only now is the map touched. */
	if (kinds & IDM_UID) {
		free(map->uid.entries);
		map->uid = new.uid;
	}
	if (kinds & IDM_GID) {
		free(map->gid.entries);
		map->gid = new.gid;
	}
	return 0;
}

/* ---- algebra ---- */

/* Adds the identity on [from, to) to the list, if there is anything in it. */
static void append_rest(struct idm_entry *rest, size_t *n, uint64_t from, uint64_t to)
{
	if (from < to)
		rest[(*n)++] = (struct idm_entry){ (uint32_t)from, (uint32_t)from,
						   (uint32_t)(to - from) };
}

/* The identity entries for every ID that is in neither column; at most 2n + 1 of them. */
static int list_rest(const struct idm_side *side, struct idm_entry **rest, size_t *n)
{
	AUTO_FREE struct idm_entry *seen = calloc(side->n + 1, sizeof(*seen));
	uint64_t free_from = 0;
	size_t d = 0, s = 0;

	*n = 0;
	*rest = calloc(2 * side->n + 1, sizeof(**rest));
	if (!seen || !*rest)
		return -ENOMEM;
	if (side->n)
		memcpy(seen, side->entries, side->n * sizeof(*seen));
	sort_entries(seen, side->n, compare_seen);

	/* Walks both columns in ascending order at once. */
	while (d < side->n || s < side->n) {
		bool disk_next = s == side->n || (d < side->n && side->entries[d].disk < seen[s].seen);
		const struct idm_entry *e = disk_next ? &side->entries[d++] : &seen[s++];
		uint64_t start = disk_next ? e->disk : e->seen;

		append_rest(*rest, n, free_from, start);
		if (start + e->count > free_from)
			free_from = start + e->count;
	}
	append_rest(*rest, n, free_from, IDM_ID_END);
	return 0;
}

static void invert_side(struct idm_side *side)
{
	for (size_t i = 0; i < side->n; i++) {
		struct idm_entry *e = &side->entries[i];

		*e = (struct idm_entry){ e->seen, e->disk, e->count };
	}
	/* Neighbours in both columns were merged before, so there is nothing new to merge. */
	sort_entries(side->entries, side->n, compare_disk);
}

void idm_map_invert(struct idm_map *map)
{
	HOLD_CANCEL;

	invert_side(&map->uid);
	invert_side(&map->gid);
}

/* The first entry of a canonical side that ends after `disk`. */
static size_t find_disk(const struct idm_side *side, uint32_t disk)
{
	size_t low = 0, high = side->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct idm_entry *e = &side->entries[middle];

		if (e->disk + (uint64_t)e->count <= disk)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Appends the composition of `a` with the entries of `then`. Returns the number of pieces. */
static size_t append_composed(const struct idm_entry *a, const struct idm_side *then,
			      struct idm_entry *out)
{
	uint64_t end = a->seen + (uint64_t)a->count;
	size_t n = 0;

	for (size_t i = find_disk(then, a->seen); i < then->n; i++) {
		const struct idm_entry *b = &then->entries[i];
		uint64_t from = a->seen > b->disk ? a->seen : b->disk;
		uint64_t b_end = b->disk + (uint64_t)b->count;
		uint64_t to = end < b_end ? end : b_end;

		if (b->disk >= end)
			break;
		if (out)
			out[n] = (struct idm_entry){ a->disk + (uint32_t)(from - a->seen),
						     b->seen + (uint32_t)(from - b->disk),
						     (uint32_t)(to - from) };
		n++;
	}
	return n;
}

static int compose_side(struct idm_map *to, unsigned int kind, const struct idm_side *first,
			const struct idm_side *then)
{
	AUTO_FREE struct idm_entry *pieces = NULL;
	size_t n = 0;

	for (size_t i = 0; i < first->n; i++)
		n += append_composed(&first->entries[i], then, NULL);
	if (!n)
		return 0;
	pieces = reallocarray(NULL, n, sizeof(*pieces));
	if (!pieces)
		return -ENOMEM;
	n = 0;
	for (size_t i = 0; i < first->n; i++)
		n += append_composed(&first->entries[i], then, pieces + n);
	return idm_map_add(to, kind, pieces, n, NULL);
}

/* The IDs that `within` has in its disk column, each as itself; sorted, but neighbours are apart. */
static int list_identity(const struct idm_side *within, struct idm_side *ids)
{
	ids->entries = reallocarray(NULL, within->n + 1, sizeof(*ids->entries));
	if (!ids->entries)
		return -ENOMEM;
	for (ids->n = 0; ids->n < within->n; ids->n++) {
		const struct idm_entry *e = &within->entries[ids->n];

		ids->entries[ids->n] = (struct idm_entry){ e->disk, e->disk, e->count };
	}
	return 0;
}

static int keep_rest_of_side(struct idm_map *map, unsigned int kind, const struct idm_map *within)
{
	AUTO_FREE struct idm_entry *entries = NULL, *identity = NULL;
	struct idm_side rest = { 0 }, ids = { 0 };
	int r = list_rest(idm_map_side(map, kind), &entries, &rest.n);

	if (r == 0)
		r = list_identity(idm_map_side(within, kind), &ids);
	rest.entries = entries;
	identity = ids.entries; /* analyzer: for the cleanup */
	return r < 0 ? r : compose_side(map, kind, &rest, &ids);
}

int idm_map_keep_rest_within(struct idm_map *map, unsigned int kinds, const struct idm_map *within,
			     struct idm_error *err)
{
	HOLD_CANCEL;
	struct idm_map *new;
	int r;

	if (!kinds || kinds & ~IDM_BOTH)
		return idm_fail(err, -EINVAL, IDM_STEP_KEEP_REST, NULL, "unknown kinds 0x%x", kinds);
	r = idm_map_copy(map, &new);
	if (r == 0 && kinds & IDM_UID)
		r = keep_rest_of_side(new, IDM_UID, within);
	if (r == 0 && kinds & IDM_GID)
		r = keep_rest_of_side(new, IDM_GID, within);
	if (r == 0)
		idm_map_move(map, new);
	idm_map_free(new);
	return r < 0 ? idm_fail_errno(err, r, IDM_STEP_KEEP_REST, NULL) : 0;
}

int idm_map_compose(struct idm_map *map, const struct idm_map *then)
{
	HOLD_CANCEL;
	struct idm_map new = { 0 };
	int r = compose_side(&new, IDM_UID, &map->uid, &then->uid);

	if (r == 0)
		r = compose_side(&new, IDM_GID, &map->gid, &then->gid);
	if (r == 0)
		idm_map_move(map, &new);
	clear_map(&new);
	return r;
}

int idm_map_to_seen(const struct idm_map *map, unsigned int kind, uint32_t disk, uint32_t *to)
{
	const struct idm_side *side = idm_map_side(map, kind);
	size_t i;

	if (!side)
		return -EINVAL;
	i = find_disk(side, disk);
	if (i == side->n || side->entries[i].disk > disk)
		return -ENOENT;
	*to = side->entries[i].seen + (disk - side->entries[i].disk);
	return 0;
}

int idm_map_to_disk(const struct idm_map *map, unsigned int kind, uint32_t seen, uint32_t *to)
{
	const struct idm_side *side = idm_map_side(map, kind);

	if (!side)
		return -EINVAL;
	for (size_t i = 0; i < side->n; i++) {
		const struct idm_entry *e = &side->entries[i];

		if (seen >= e->seen && seen - e->seen < e->count) {
			*to = e->disk + (seen - e->seen);
			return 0;
		}
	}
	return -ENOENT;
}

static bool are_sides_equal(const struct idm_side *a, const struct idm_side *b)
{
	return a->n == b->n &&
	       (!a->n || memcmp(a->entries, b->entries, a->n * sizeof(*a->entries)) == 0);
}

bool idm_map_equal(const struct idm_map *a, const struct idm_map *b)
{
	return are_sides_equal(&a->uid, &b->uid) && are_sides_equal(&a->gid, &b->gid);
}

size_t idm_map_entries(const struct idm_map *map, unsigned int kind, const struct idm_entry **entries)
{
	const struct idm_side *side = idm_map_side(map, kind);

	*entries = side ? side->entries : NULL;
	return side ? side->n : 0;
}

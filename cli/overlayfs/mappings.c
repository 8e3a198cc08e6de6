// SPDX-License-Identifier: MIT
#include "mappings.h"

#include <errno.h>
#include <stdlib.h>

#include "cli/common/report.h"
#include "lib/base/array.h"
#include "lib/base/macros.h"

#define PER_TRIPLE 3

/* ---- the text ---- */

/* Reads decimal digits, and the colon behind them. Returns false for anything else. */
static bool read_triple_number(const char **text, uint32_t *number)
{
	const char *c = *text;
	uint64_t n = 0;

	for (; *c >= '0' && *c <= '9' && n <= UINT32_MAX; c++)
		n = n * 10 + (uint64_t)(*c - '0');
	if (c == *text || n > UINT32_MAX || (*c && *c != ':'))
		return false;
	*text = *c ? c + 1 : c;
	*number = (uint32_t)n;
	return true;
}

static bool read_triple(const char **text, struct idm_entry *entry)
{
	return read_triple_number(text, &entry->disk) && read_triple_number(text, &entry->seen) &&
	       read_triple_number(text, &entry->count);
}

int add_triples(struct idm_map *map, unsigned int kind, const char *option, const char *text)
{
	const char *rest = *text == ':' ? text + 1 : text;
	struct idm_error err;

	do {
		struct idm_entry entry;

		if (!read_triple(&rest, &entry))
			return report_usage("%s: expected CONTAINER:HOST:COUNT, got \"%s\"", option,
					    text);
		if (idm_map_add(map, kind, &entry, 1, &err) < 0)
			return report_usage("%s: %s", option, err.message);
	} while (*rest);
	return DONE;
}

/* ---- the rest of the IDs ---- */

/* IDs of one column, in ascending order. The seen IDs of the entries are not used. */
struct id_ranges {
	struct idm_entry *v;
	size_t n;
};

static int append_range(struct id_ranges *ranges, uint64_t first, uint64_t end)
{
	struct idm_entry *new;

	if (first >= end)
		return DONE;
	new = idm_array_append(&ranges->v, &ranges->n, sizeof(*new));
	if (!new)
		return out_of_memory();
	*new = (struct idm_entry){ .disk = (uint32_t)first, .count = (uint32_t)(end - first) };
	return DONE;
}

static uint64_t end_of(const struct idm_entry *entry)
{
	return (uint64_t)entry->disk + entry->count;
}

/* Appends what is left of the range when the disk IDs of `used` are removed. */
static int subtract_used(struct id_ranges *rest, const struct idm_entry *range,
			 const struct idm_map *used, unsigned int kind)
{
	const struct idm_entry *u;
	size_t n = idm_map_entries(used, kind, &u);
	uint64_t at = range->disk, end = end_of(range);
	int status = DONE;

	for (; n && status == DONE; u++, n--) {
		if (end_of(u) <= at || u->disk >= end)
			continue;
		status = append_range(rest, at, u->disk);
		at = end_of(u);
	}
	return status == DONE ? append_range(rest, at, end) : status;
}

/* Finds the IDs of `own` that the disk column of `used` lacks. */
static int find_rest(struct id_ranges *rest, const struct idm_map *own, const struct idm_map *used,
		     unsigned int kind)
{
	const struct idm_entry *e;
	size_t n = idm_map_entries(own, kind, &e);
	int status = DONE;

	for (; n && status == DONE; e++, n--)
		status = subtract_used(rest, e, used, kind);
	return status;
}

/* Returns the end of the range of `own` that has the ID, or 0. */
static uint64_t end_of_own_range(const struct idm_map *own, unsigned int kind, uint64_t id)
{
	const struct idm_entry *e;
	size_t n = idm_map_entries(own, kind, &e);

	for (; n; e++, n--)
		if (id >= e->disk && id < end_of(e))
			return end_of(e);
	return 0;
}

/* Checks that this user namespace has all IDs in the disk column of `used`. */
static int check_own(const struct idm_map *used, const struct idm_map *own, unsigned int kind)
{
	const struct idm_entry *u;
	size_t n = idm_map_entries(used, kind, &u);

	for (; n; u++, n--)
		for (uint64_t at = u->disk, end; at < end_of(u); at = end) {
			end = end_of_own_range(own, kind, at);
			if (!end)
				return report_failure(
					"%s: expected IDs of this user namespace, got %llu",
					kind == IDM_UID ? "uidmapping" : "gidmapping",
					(unsigned long long)at);
		}
	return DONE;
}

/* ---- pairs ---- */

static int add_pair(struct idm_map *map, unsigned int kind, const struct idm_entry *pair)
{
	struct idm_error err;

	return idm_map_add(map, kind, pair, 1, &err) < 0 ? report_error(&err) : DONE;
}

static void remove_first(struct idm_entry *range, uint32_t count)
{
	range->disk += count;
	range->count -= count;
}

/* Both have the same number of IDs: the map is one-to-one, and both columns are from one set. */
static int pair_ranges(struct idm_map *map, unsigned int kind, struct id_ranges *disk,
		       struct id_ranges *seen)
{
	struct idm_entry *d = disk->v, *s = seen->v;
	int status = DONE;

	while (status == DONE && d < disk->v + disk->n && s < seen->v + seen->n) {
		uint32_t count = d->count < s->count ? d->count : s->count;

		status = add_pair(map, kind, &(struct idm_entry){ d->disk, s->disk, count });
		remove_first(d, count);
		remove_first(s, count);
		d += !d->count;
		s += !s->count;
	}
	return status;
}

#define OVERFLOW_ID 65534

/*
 * The engine's root creates files in the mount. If the container lacks ID 0 of this user namespace, they
 * belong to the ID on disk that no program has.
 */
static int pair_engine_root(struct idm_map *map, const struct idm_map *own, unsigned int kind)
{
	const struct idm_entry root = { OVERFLOW_ID, 0, 1 }, *entries;
	uint32_t other;

	if (!idm_map_entries(map, kind, &entries) || idm_map_to_disk(map, kind, 0, &other) == 0 ||
	    idm_map_to_seen(map, kind, OVERFLOW_ID, &other) == 0 || !end_of_own_range(own, kind, 0) ||
	    !end_of_own_range(own, kind, OVERFLOW_ID))
		return DONE;
	return add_pair(map, kind, &root);
}

static int complete_side(struct idm_map *map, const struct idm_map *own, struct idm_map *inverse,
			 unsigned int kind)
{
	struct id_ranges disk = { 0 }, seen = { 0 };
	int status = find_rest(&disk, own, map, kind);

	if (status == DONE)
		status = find_rest(&seen, own, inverse, kind);
	if (status == DONE)
		status = pair_ranges(map, kind, &disk, &seen);
	free(disk.v);
	free(seen.v);
	return status;
}

/* Both columns have only IDs of this user namespace. */
static int check_columns(const struct idm_map *map, const struct idm_map *inverse,
			 const struct idm_map *own)
{
	static const unsigned int kinds[] = { IDM_UID, IDM_GID };
	int status = DONE;

	for (size_t i = 0; i < ARRAY_SIZE(kinds) && status == DONE; i++) {
		status = check_own(map, own, kinds[i]);
		if (status == DONE)
			status = check_own(inverse, own, kinds[i]);
	}
	return status;
}

int complete_mappings(struct idm_map *map, const struct idm_map *own)
{
	__attribute__((cleanup(idm_map_freep))) struct idm_map *inverse = NULL;
	int status = pair_engine_root(map, own, IDM_UID);

	if (status == DONE)
		status = pair_engine_root(map, own, IDM_GID);
	if (status == DONE && idm_map_copy(map, &inverse) < 0)
		status = out_of_memory();
	if (status != DONE)
		return status;
	idm_map_invert(inverse);
	status = check_columns(map, inverse, own);
	if (status == DONE)
		status = complete_side(map, own, inverse, IDM_UID);
	return status == DONE ? complete_side(map, own, inverse, IDM_GID) : status;
}

static bool is_side_identity(const struct idm_map *map, unsigned int kind)
{
	const struct idm_entry *e;
	size_t n = idm_map_entries(map, kind, &e);

	for (; n; e++, n--)
		if (e->disk != e->seen)
			return false;
	return true;
}

bool is_identity(const struct idm_map *map)
{
	return is_side_identity(map, IDM_UID) && is_side_identity(map, IDM_GID);
}

// SPDX-License-Identifier: MIT
#include "own-mappings.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/cancel.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/base/read-file.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/procfs.h"
#include "lib/sys/syscall.h"

static const enum idm_error_step step_own = IDM_STEP_READ_OWN_MAP;

/* 340 lines of three columns, each at least 10 wide. */
#define MAP_TEXT_SIZE 16384

/* ---- the own map ---- */

/* The text of the calling thread's own map, which the caller frees. */
static int read_own_map(unsigned int kind, char **text, struct idm_error *err)
{
	const char *name = kind == IDM_UID ? "uid_map" : "gid_map";
	AUTO_CLOSE int fd = idm_procfs_open_self(name, step_own, err);
	size_t n;
	int r;

	if (fd < 0)
		return fd;
	r = idm_read_file(fd, MAP_TEXT_SIZE, text, &n);
	return r < 0 ? idm_fail_errno(err, r, step_own, r == -ENOMEM ? NULL : name) : 0;
}

/* The kernel sorts them by the ID inside only if they are more than five. */
static int compare_inside(const void *a, const void *b)
{
	const struct idm_entry *x = a, *y = b;

	return (x->disk > y->disk) - (x->disk < y->disk);
}

static size_t parse_own_map(const char *text, struct idm_entry *own)
{
	size_t n = 0;

	while (n < IDM_KERNEL_ENTRIES &&
	       sscanf(text, "%u %u %u", &own[n].disk, &own[n].seen, &own[n].count) == 3) {
		n++;
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
	qsort(own, n, sizeof(*own), compare_inside);
	return n;
}

/*
 * Reads the caller's own mappings as the kernel holds them: neighbours are not merged. `disk` is the ID
 * inside. To free(); *n is 0 for a namespace without a map.
 */
static int read_own_mappings(unsigned int kind, struct idm_entry **own, size_t *n, struct idm_error *err)
{
	AUTO_FREE char *text = NULL;
	int r = read_own_map(kind, &text, err);

	*own = NULL;
	*n = 0;
	if (r < 0)
		return r;
	*own = calloc(IDM_KERNEL_ENTRIES, sizeof(**own));
	if (!*own)
		return idm_fail_errno(err, -ENOMEM, step_own, NULL);
	*n = parse_own_map(text, *own);
	return 0;
}

/* ---- single IDs ---- */

/* Counts the IDs from `id` on in one mapping; `most` if `id` does not exist in the caller's namespace.
 */
static uint32_t count_until_border(const struct idm_entry *own, size_t n, uint32_t id, uint32_t most)
{
	for (size_t i = 0; i < n; i++)
		if (id >= own[i].disk && id - own[i].disk < own[i].count) {
			uint32_t rest = own[i].count - (id - own[i].disk);

			return rest < most ? rest : most;
		}
	return most;
}

static int translate_outward(const struct idm_entry *own, size_t n, uint32_t id, uint32_t *outer)
{
	for (size_t i = 0; i < n; i++)
		if (id >= own[i].disk && id - own[i].disk < own[i].count) {
			*outer = own[i].seen + (id - own[i].disk);
			return 0;
		}
	return -ENOENT;
}

int idm_find_outer_id(unsigned int kind, uint32_t id, uint32_t *outer)
{
	AUTO_FREE struct idm_entry *own = NULL;
	size_t n;
	int r = read_own_mappings(kind, &own, &n, NULL);

	return r < 0 ? r : translate_outward(own, n, id, outer);
}

/* Returns the first ID of the entry that no mapping has, or the end of the entry. */
static uint64_t find_lacking(const struct idm_entry *own, size_t n, const struct idm_entry *entry)
{
	uint64_t id = entry->seen, end = id + entry->count;
	uint32_t outer;

	for (size_t i = 0; i <= n && id < end; i++) {
		if (translate_outward(own, n, (uint32_t)id, &outer) < 0)
			break;
		id += count_until_border(own, n, (uint32_t)id, UINT32_MAX);
	}
	return id < end ? id : end;
}

bool idm_find_lacking_id(const struct idm_map *map, unsigned int kind, uint32_t *lacking)
{
	const struct idm_side *side = idm_map_side(map, kind);
	AUTO_FREE struct idm_entry *own = NULL;
	size_t n;

	if (read_own_mappings(kind, &own, &n, NULL) < 0)
		return false;
	/* analyzer: each kind has a side */
	for (size_t i = 0; i < side->n; i++) {
		const struct idm_entry *e = &side->entries[i];
		uint64_t id = find_lacking(own, n, e);

		*lacking = (uint32_t)id;
		if (id < (uint64_t)e->seen + e->count)
			return true;
	}
	return false;
}

/* ---- the cut ---- */

/* Each border cuts an entry at most once: a side of n becomes at most n + n_own pieces. */
static void cut_side(const struct idm_side *side, const struct idm_entry *own, size_t n_own,
		     struct idm_side *out)
{
	for (size_t i = 0; i < side->n; i++) {
		struct idm_entry rest = side->entries[i];

		while (rest.count) {
			uint32_t count = count_until_border(own, n_own, rest.seen, rest.count);

			out->entries[out->n++] = (struct idm_entry){ rest.disk, rest.seen, count };
			rest.disk += count;
			rest.seen += count;
			rest.count -= count;
		}
	}
}

/* Such a side is not canonical, so it is for printing only. */
static int print_cut_side(const struct idm_side *side, unsigned int kind, struct idm_kernel_text *text,
			  struct idm_error *err)
{
	const struct idm_map map = { *side, *side };
	const char *name = kind == IDM_UID ? "uid" : "gid";
	ssize_t bytes = idm_map_print(&map, IDM_FORMAT_KERNEL, kind, text->bytes, sizeof(text->bytes));

	text->n = (size_t)bytes;
	if (side->n <= IDM_KERNEL_ENTRIES && bytes <= IDM_KERNEL_BYTES)
		return 0;
	idm_fail(err, -E2BIG, IDM_STEP_CHECK_MAP, NULL,
		 "cut at the borders of this user namespace's own map, the %s entries are %zu lines of "
		 "%zd bytes; the kernel accepts %d lines and %d bytes",
		 name, side->n, bytes, IDM_KERNEL_ENTRIES, IDM_KERNEL_BYTES);
	idm_hint(err, "/proc/self/%s_map shows the borders", name);
	return -E2BIG;
}

int idm_map_print_split(const struct idm_map *map, unsigned int kind, struct idm_kernel_text *text,
			struct idm_error *err)
{
	const struct idm_side *side = idm_map_side(map, kind);
	AUTO_FREE struct idm_entry *own = NULL, *cut = NULL;
	struct idm_side out = { 0 };
	size_t n;
	int r = read_own_mappings(kind, &own, &n, err);

	if (r < 0)
		return r;
	/* analyzer: `kind` is IDM_UID or IDM_GID, so there is a side */
	out.entries = cut = reallocarray(NULL, side->n + n, sizeof(*cut));
	if (!cut)
		return idm_fail_errno(err, -ENOMEM, step_own, NULL);
	cut_side(side, own, n, &out);
	return print_cut_side(&out, kind, text, err);
}

/* ---- all that there are ---- */

static int add_own_ids(struct idm_map *ids, unsigned int kind)
{
	struct idm_entry all = { 0, 0, (uint32_t)IDM_ID_END };
	AUTO_FREE struct idm_entry *own = NULL;
	size_t n;
	int r = read_own_mappings(kind, &own, &n, NULL);

	if (r == -ENOMEM)
		return r;
	if (r < 0) /* without a procfs: the kernel refuses what is too much */
		return idm_map_add(ids, kind, &all, 1, NULL);
	for (size_t i = 0; i < n; i++)
		own[i].seen = own[i].disk; /* the ID outside may have no number here */
	return idm_map_add(ids, kind, own, n, NULL);
}

int idm_map_keep_rest(struct idm_map *map, unsigned int kinds, struct idm_error *err)
{
	HOLD_CANCEL;
	struct idm_map *ids;
	int r = idm_map_new(&ids);

	if (r == 0)
		r = add_own_ids(ids, IDM_UID);
	if (r == 0)
		r = add_own_ids(ids, IDM_GID);
	r = r < 0 ? idm_fail_errno(err, r, IDM_STEP_KEEP_REST, NULL)
		  : idm_map_keep_rest_within(map, kinds, ids, err);
	idm_map_free(ids);
	return r;
}

// SPDX-License-Identifier: MIT
#include "own-ids.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "idmap.h"
#include "lib/base/cancel.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/procfs.h"
#include "lib/sys/syscall.h"

static const enum idm_error_step step_own = IDM_STEP_READ_OWN_MAP;

/* 340 lines of three columns, each at least 10 wide. */
#define MAP_TEXT_SIZE 16384

/* ---- the rows ---- */

static ssize_t read_own_map(unsigned int kind, char *text, struct idm_error *err)
{
	const char *name = kind == IDM_UID ? "uid_map" : "gid_map";
	AUTO_CLOSE int fd = idm_procfs_open_self(name, step_own, err);
	size_t length = 0;
	ssize_t n = 1;

	if (fd < 0)
		return fd;
	while (n > 0 && length < MAP_TEXT_SIZE - 1) {
		n = idm_sys_read(fd, text + length, MAP_TEXT_SIZE - 1 - length);
		length += n > 0 ? (size_t)n : 0;
	}
	text[length] = '\0';
	return n < 0 ? idm_fail_errno(err, (int)n, step_own, name) : (ssize_t)length;
}

/* The kernel shows them sorted by the ID inside only if they are more than five. */
static int compare_inside(const void *a, const void *b)
{
	const struct idm_entry *x = a, *y = b;

	return (x->disk > y->disk) - (x->disk < y->disk);
}

static size_t parse_own_rows(const char *text, struct idm_entry *rows)
{
	size_t n = 0;

	while (n < IDM_KERNEL_ENTRIES &&
	       sscanf(text, "%u %u %u", &rows[n].disk, &rows[n].seen, &rows[n].count) == 3) {
		n++;
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
	qsort(rows, n, sizeof(*rows), compare_inside);
	return n;
}

int idm_own_mappings(unsigned int kind, struct idm_entry **rows, size_t *n, struct idm_error *err)
{
	AUTO_FREE char *text = calloc(1, MAP_TEXT_SIZE);
	AUTO_FREE struct idm_entry *e = calloc(IDM_KERNEL_ENTRIES, sizeof(*e));
	ssize_t length;

	*rows = NULL;
	*n = 0;
	if (!text || !e)
		return idm_fail_errno(err, -ENOMEM, step_own, NULL);
	length = read_own_map(kind, text, err);
	if (length < 0)
		return (int)length; /* analyzer: the cleanup frees e */
	*n = parse_own_rows(text, e);
	*rows = e;
	e = NULL;
	return 0;
}

/* ---- the cut ---- */

/* How many IDs from `id` on are in one row; `most` if the caller does not have `id`. */
static uint32_t count_until_border(const struct idm_entry *rows, size_t n, uint32_t id, uint32_t most)
{
	for (size_t i = 0; i < n; i++)
		if (id >= rows[i].disk && id - rows[i].disk < rows[i].count) {
			uint32_t rest = rows[i].count - (id - rows[i].disk);

			return rest < most ? rest : most;
		}
	return most;
}

/* An entry is cut once at most at each border: a side of n becomes n + n_rows pieces or less. */
static void cut_side(const struct idm_side *side, const struct idm_entry *rows, size_t n_rows,
		     struct idm_side *out)
{
	for (size_t i = 0; i < side->n; i++) {
		struct idm_entry rest = side->entries[i];

		while (rest.count) {
			uint32_t count = count_until_border(rows, n_rows, rest.seen, rest.count);

			out->entries[out->n++] = (struct idm_entry){ rest.disk, rest.seen, count };
			rest.disk += count;
			rest.seen += count;
			rest.count -= count;
		}
	}
}

/* Whether the rows of a cut side fit into the kernel's limits. */
static int check_cut_rows(const struct idm_map *cut, unsigned int kind, struct idm_error *err)
{
	const char *name = kind == IDM_UID ? "uid" : "gid";
	ssize_t bytes = idm_map_print(cut, IDM_FORMAT_KERNEL, kind, NULL, 0);
	size_t n = idm_map_side(cut, kind)->n;

	if (n <= IDM_KERNEL_ENTRIES && bytes <= IDM_KERNEL_BYTES)
		return 0;
	idm_fail(
		err, -E2BIG, IDM_STEP_CHECK_MAP, NULL,
		"cut at the borders of this user namespace's own map, the %s entries are %zu rows of %zd "
		"bytes; the kernel accepts %d rows and %d bytes",
		name, n, bytes, IDM_KERNEL_ENTRIES, IDM_KERNEL_BYTES);
	idm_hint(err, "/proc/self/%s_map shows the borders", name);
	return -E2BIG;
}

/* A map with nothing but this side, which it then owns. NULL: no memory. */
static struct idm_map *make_map_of_side(unsigned int kind, struct idm_side side)
{
	struct idm_map *map = NULL;

	if (side.entries && idm_map_new(&map) == 0)
		*(kind == IDM_UID ? &map->uid : &map->gid) = side;
	else
		free(side.entries);
	return map;
}

int idm_map_split(const struct idm_map *map, unsigned int kind, struct idm_map **cut,
		  struct idm_error *err)
{
	const struct idm_side *side = idm_map_side(map, kind);
	AUTO_FREE struct idm_entry *rows = NULL;
	struct idm_side out = { 0 };
	size_t n;
	int r = idm_own_mappings(kind, &rows, &n, err);

	if (r < 0)
		return r;
	out.entries = reallocarray(NULL, side->n + n, sizeof(*out.entries));
	if (out.entries)
		cut_side(side, rows, n, &out);
	*cut = make_map_of_side(kind, out);
	r = *cut ? check_cut_rows(*cut, kind, err) : idm_fail_errno(err, -ENOMEM, step_own, NULL);
	if (r < 0)
		idm_map_free(*cut);
	return r;
}

/* ---- all that there are ---- */

static int add_own_ids(struct idm_map *ids, unsigned int kind)
{
	struct idm_entry all = { 0, 0, (uint32_t)IDM_ID_END };
	AUTO_FREE struct idm_entry *rows = NULL;
	size_t n;
	int r = idm_own_mappings(kind, &rows, &n, NULL);

	if (r == -ENOMEM)
		return r;
	if (r < 0) /* without a procfs: the kernel refuses what is too much */
		return idm_map_add(ids, kind, &all, 1, NULL);
	for (size_t i = 0; i < n; i++)
		rows[i].seen = rows[i].disk; /* outside, it may have no number here */
	return idm_map_add(ids, kind, rows, n, NULL);
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

// SPDX-License-Identifier: MIT
#include "draw-map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columns.h"

/* One past the last ID. */
#define ID_END 4294967295ULL

/* "0-65535", or "7" for a range of one. */
struct range {
	char text[24];
};

static struct range range(uint64_t first, uint64_t count)
{
	struct range r;

	if (count == 1)
		snprintf(r.text, sizeof(r.text), "%llu", (unsigned long long)first);
	else
		snprintf(r.text, sizeof(r.text), "%llu-%llu", (unsigned long long)first,
			 (unsigned long long)(first + count - 1));
	return r;
}

/* A range of disk IDs and the IDs that are seen: an entry, or a gap between entries. */
struct row {
	struct range disk, seen;
};

struct side {
	const char *name;
	struct row *rows;
	size_t n;
	int disk_width, width;
};

static const char left_out[] = "left out";

static int longest(int width, const char *text)
{
	int n = (int)strlen(text);

	return n > width ? n : width;
}

static void add_map_row(struct side *s, uint64_t disk, uint64_t count, const struct idm_entry *entry)
{
	struct row *row = &s->rows[s->n++];

	row->disk = range(disk, count);
	if (entry)
		row->seen = range(entry->seen, count);
	else
		memcpy(row->seen.text, left_out, sizeof(left_out));
}

static void measure(struct side *s)
{
	s->disk_width = longest(0, s->name);
	s->width = longest(0, "seen");
	for (size_t i = 0; i < s->n; i++) {
		s->disk_width = longest(s->disk_width, s->rows[i].disk.text);
		s->width = longest(s->width, s->rows[i].seen.text);
	}
	s->width += s->disk_width + 4;
}

/* All disk IDs in order, so that a gap is shown between its neighbours. */
static bool make_rows(struct side *s, const struct idm_map *map, unsigned int kind, const char *name)
{
	const struct idm_entry *e;
	size_t n = idm_map_entries(map, kind, &e);
	uint64_t next = 0;

	*s = (struct side){ .name = name, .rows = calloc(2 * n + 1, sizeof(struct row)) };
	if (!s->rows)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (e[i].disk > next)
			add_map_row(s, next, e[i].disk - next, NULL);
		add_map_row(s, e[i].disk, e[i].count, &e[i]);
		next = e[i].disk + (uint64_t)e[i].count;
	}
	if (next < ID_END)
		add_map_row(s, next, ID_END - next, NULL);
	measure(s);
	return true;
}

/* Prints one row of one side, or nothing if the side has no such row. Returns its width. */
static int draw_row(const struct side *s, size_t i)
{
	const char *seen;

	if (i >= s->n)
		return 0;
	seen = s->rows[i].seen.text;
	return printf("%*s %s %s", s->disk_width, s->rows[i].disk.text,
		      strcmp(seen, left_out) == 0 ? "  " : "->", seen);
}

static void draw_heading(const struct side *uid, const struct side *gid)
{
	bool colours = use_colours();
	int n;

	fputs(colours ? "\033[1m" : "", stdout);
	n = printf("%*s    seen", uid->disk_width, uid->name);
	printf("%*s%*s    seen%s\n", uid->width - n + 4, "", gid->disk_width, gid->name,
	       colours ? "\033[0m" : "");
}

bool draw_map(const struct idm_map *map)
{
	struct side uid = { 0 }, gid = { 0 };
	bool good = make_rows(&uid, map, IDM_UID, "uid disk") &&
		    make_rows(&gid, map, IDM_GID, "gid disk");

	if (good)
		draw_heading(&uid, &gid);
	for (size_t i = 0; good && (i < uid.n || i < gid.n); i++) {
		int n = draw_row(&uid, i);

		if (i < gid.n)
			printf("%*s", uid.width - n + 4, "");
		draw_row(&gid, i);
		putchar('\n');
	}
	free(uid.rows);
	free(gid.rows);
	return good;
}

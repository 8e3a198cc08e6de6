// SPDX-License-Identifier: MIT
#include "map-text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columns.h"

/* The entries of one side, and the text so far. */
struct summary {
	const struct idm_entry *entries;
	size_t n;
	bool keeps_rest; /* the identity entries are all that --keep-rest would add */
	size_t parts;
	FILE *out;
};

static bool keeps_ids(const struct idm_entry *e)
{
	return e->disk == e->seen;
}

static bool has_kept_entry(const struct summary *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (keeps_ids(&s->entries[i]))
			return true;
	return false;
}

/* Adds the other entries alone to the map, and then the rest. Returns a negative number on failure. */
static int rebuild_with_rest(const struct summary *s, unsigned int kind, struct idm_map *map)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < s->n; i++)
		if (!keeps_ids(&s->entries[i]))
			r = idm_map_add(map, kind, &s->entries[i], 1, NULL);
	return r < 0 ? r : idm_map_keep_rest(map, kind, NULL);
}

/* A failure leaves the identity entries to be printed one by one. */
static bool keeps_rest(const struct summary *s, unsigned int kind)
{
	const struct idm_entry *entries;
	struct idm_map *map = NULL;
	bool same;

	if (!has_kept_entry(s) || idm_map_new(&map) < 0)
		return false;
	same = rebuild_with_rest(s, kind, map) == 0 && idm_map_entries(map, kind, &entries) == s->n &&
	       memcmp(entries, s->entries, s->n * sizeof(*entries)) == 0;
	idm_map_free(map);
	return same;
}

static void print_part(struct summary *s, const char *text)
{
	fprintf(s->out, "%s%s", s->parts++ ? ", " : "", text);
}

static void print_ids(FILE *out, uint32_t first, uint32_t count)
{
	fprintf(out, "%u", first);
	if (count > 1)
		fprintf(out, "-%u", first + (count - 1));
}

static void print_entry(struct summary *s, const struct idm_entry *e)
{
	print_part(s, "");
	print_ids(s->out, e->disk, e->count);
	if (keeps_ids(e)) {
		fputs(" kept", s->out);
		return;
	}
	fputs(use_utf8() ? "→" : "->", s->out);
	print_ids(s->out, e->seen, e->count);
}

static void summarize_side(FILE *out, const struct idm_map *map, unsigned int kind)
{
	struct summary s = { .out = out };

	s.n = idm_map_entries(map, kind, &s.entries);
	s.keeps_rest = keeps_rest(&s, kind);
	for (size_t i = 0; i < s.n; i++)
		if (!s.keeps_rest || !keeps_ids(&s.entries[i]))
			print_entry(&s, &s.entries[i]);
	if (s.keeps_rest)
		print_part(&s, s.parts ? "rest kept" : "all kept");
	if (!s.parts)
		fputs("nothing", out);
}

static bool sides_agree(const struct idm_map *map)
{
	const struct idm_entry *uid, *gid;
	size_t n = idm_map_entries(map, IDM_UID, &uid);

	return n == idm_map_entries(map, IDM_GID, &gid) &&
	       (!n || memcmp(uid, gid, n * sizeof(*uid)) == 0);
}

static void summarize_sides(FILE *out, const struct idm_map *map, unsigned int kinds)
{
	if (kinds != IDM_BOTH || sides_agree(map)) {
		summarize_side(out, map, kinds & IDM_UID ? IDM_UID : IDM_GID);
		return;
	}
	fputs("uid ", out);
	summarize_side(out, map, IDM_UID);
	fputs("; gid ", out);
	summarize_side(out, map, IDM_GID);
}

char *summarize_map(const struct idm_map *map, unsigned int kinds)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	bool failed;

	if (!out)
		return NULL;
	summarize_sides(out, map, kinds);
	failed = ferror(out);
	if (fclose(out) == 0 && !failed)
		return text; /* where libc is glibc, this alone says that memory was not enough */
	free(text);
	return NULL;
}

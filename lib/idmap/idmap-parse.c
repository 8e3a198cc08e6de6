// SPDX-License-Identifier: MIT
/*
 * Text to map, every dialect. Each dialect only cuts the text into entries and fields; numbers, names
 * and the way into the map are the same for all. Nothing is added before all of the text is good.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "idmap-entry.h"
#include "idmap.h"
#include "lib/base/cancel.h"
#include "lib/base/error.h"
#include "lib/sys/fail-errno.h"

static const enum idm_error_step step_parse = IDM_STEP_PARSE_MAP;

/* ---- dialects ---- */

/* uidmap=… and gidmap=…: the side holds until the other one is named. */
static unsigned int skip_side_name(struct idm_slice *text)
{
	return idm_slice_skip_prefix(text, "uidmap=")	? IDM_UID
	       : idm_slice_skip_prefix(text, "gidmap=") ? IDM_GID
							: 0;
}

/* Skips one separator with blanks around it, or past blanks; the end counts as one too. */
static bool skip_separator(struct idm_slice *text, const char *separators)
{
	bool blank = idm_slice_skip_blanks(text);

	if (text->n && strchr(separators, *text->p)) {
		idm_slice_skip(text, 1);
		idm_slice_skip_blanks(text);
		return text->n > 0;
	}
	return blank || !text->n;
}

static int parse_lists(struct idm_map_parser *ps, struct idm_slice text)
{
	const struct idm_slice all = text;
	unsigned int side = 0;
	int r;

	idm_slice_skip_blanks(&text);
	do {
		unsigned int named = skip_side_name(&text);
		struct idm_slice entry;

		if (named)
			side = named;
		entry = idm_slice_cut(&text, side ? " \t\n\v\f\r,;" : " \t\n\v\f\r,+");
		ps->entry = entry;
		if (!entry.n) {
			ps->entry = all;
			return idm_refuse_entry(ps, -EINVAL, "expected an entry%s",
						text.n ? " before a separator" : " at the end");
		}
		r = side ? idm_parse_triple(ps, entry, side, ":") : idm_parse_entry(ps, entry);
		if (r < 0)
			return r;
		if (!skip_separator(&text, side ? ",;" : ",+")) {
			ps->entry = all;
			return idm_refuse_entry(ps, -EINVAL, "expected an entry at the end");
		}
	} while (text.n);
	return 0;
}

/* Skips the sign of an entry whose second column counts in the container's user namespace. */
static int skip_relative_sign(struct idm_map_parser *ps, struct idm_slice *entry)
{
	ps->entry = *entry;
	ps->relative = idm_slice_skip_prefix(entry, "@");
	return !ps->relative || ps->container
		       ? 0
		       : idm_refuse_entry(ps, -EINVAL,
					  "\"@\" is relative to a container's user namespace, "
					  "and no container exists here");
}

static int parse_crun_section(struct idm_map_parser *ps, struct idm_slice section)
{
	unsigned int kind = idm_slice_skip_prefix(&section, "uids=")   ? IDM_UID
			    : idm_slice_skip_prefix(&section, "gids=") ? IDM_GID
								       : 0;

	ps->entry = section;
	if (!kind)
		return idm_refuse_entry(ps, -EINVAL, "expected uids= or gids= as start of a section");
	for (;;) {
		struct idm_slice entry = idm_slice_cut(&section, "#");
		int r = skip_relative_sign(ps, &entry);

		if (r == 0)
			r = idm_parse_triple(ps, entry, kind, "-");
		if (r < 0 || !section.n)
			return r;
		idm_slice_skip(&section, 1);
	}
}

/* [idmap=]uids=C-H-S#C-H-S;gids=C-H-S */
static int parse_crun(struct idm_map_parser *ps, struct idm_slice text)
{
	idm_slice_skip_prefix(&text, "idmap=");
	for (;;) {
		struct idm_slice section = idm_slice_cut(&text, ";");
		int r = parse_crun_section(ps, section);

		if (r < 0 || !text.n)
			return r;
		idm_slice_skip(&text, 1);
	}
}

/* The blanks that the kernel's isspace() knows; 0xa0 is its Latin-1 no-break space. */
#define KERNEL_BLANKS " \t\v\f\r\n\xa0"

static int parse_kernel_line(struct idm_map_parser *ps, struct idm_slice line, unsigned int kind)
{
	uint32_t v[3];

	ps->entry = line;
	for (size_t i = 0; i < 3; i++) {
		struct idm_slice field;

		while (line.n && strchr(KERNEL_BLANKS, *line.p))
			idm_slice_skip(&line, 1);
		field = idm_slice_cut(&line, KERNEL_BLANKS);
		if (!idm_slice_to_id(field, &v[i]))
			return idm_refuse_number(ps, field);
	}
	while (line.n && strchr(KERNEL_BLANKS, *line.p))
		idm_slice_skip(&line, 1);
	if (line.n)
		return idm_refuse_entry(ps, -EINVAL, "expected three numbers, got more");
	return idm_append_entry(ps, kind, (struct idm_entry){ v[0], v[1], v[2] });
}

static int parse_kernel(struct idm_map_parser *ps, struct idm_slice text, unsigned int kind)
{
	do {
		int r = parse_kernel_line(ps, idm_slice_cut(&text, "\n"), kind);

		if (r < 0)
			return r;
		if (text.n)
			idm_slice_skip(&text, 1); /* a final newline is optional, and the only one */
	} while (text.n);
	return 0;
}

/* ---- into the map ---- */

static int commit_entries(struct idm_map_parser *ps, struct idm_map *map)
{
	struct idm_map *new;
	int r = idm_map_copy(map, &new);

	if (r < 0)
		return idm_fail_errno(ps->err, r, step_parse, NULL);
	r = idm_map_add(new, IDM_UID, ps->uid.entries, ps->uid.n, ps->err);
	if (r == 0)
		r = idm_map_add(new, IDM_GID, ps->gid.entries, ps->gid.n, ps->err);
	if (r == 0)
		idm_map_move(map, new);
	idm_map_free(new);
	return r;
}

static int finish_parse(struct idm_map_parser *ps, struct idm_map *map, int r)
{
	if (r == 0)
		r = commit_entries(ps, map);
	free(ps->uid.entries);
	free(ps->gid.entries);
	return r;
}

/* In the dialect of crun each entry has a sign of its own. In the others, the first one is for all. */
static int parse_dialect(struct idm_map_parser *ps, struct idm_slice text)
{
	struct idm_slice form = text;
	int r;

	if (idm_slice_skip_prefix(&form, "idmap=") || idm_slice_skip_prefix(&form, "uids=") ||
	    idm_slice_skip_prefix(&form, "gids="))
		return parse_crun(ps, text);
	r = skip_relative_sign(ps, &text);
	return r < 0 ? r : parse_lists(ps, text);
}

static int parse_text(struct idm_map_parser *ps, struct idm_map *map, const char *text)
{
	struct idm_slice all = { text, strlen(text) };

	ps->entry = all;
	idm_slice_skip_blanks(&all);
	if (!all.n)
		return idm_fail(ps->err, -EINVAL, step_parse, NULL, "the map is empty");
	return finish_parse(ps, map, parse_dialect(ps, all));
}

int idm_map_parse_text(struct idm_map *map, const char *text, bool lookup, struct idm_error *err)
{
	struct idm_map_parser ps = { .err = err, .lookup = lookup };

	return parse_text(&ps, map, text);
}

int idm_map_parse_owned_by(struct idm_map *map, const char *text, const struct idm_ids *owner,
			   struct idm_error *err)
{
	struct idm_map_parser ps = { .err = err, .lookup = true, .owner = owner };

	return parse_text(&ps, map, text);
}

int idm_map_parse_inside(struct idm_map *map, const char *text, const struct idm_map *container,
			 struct idm_error *err)
{
	struct idm_map_parser ps = { .err = err, .container = container };

	return parse_text(&ps, map, text);
}

int idm_map_parse_kernel(struct idm_map *map, unsigned int kind, const char *text, struct idm_error *err)
{
	HOLD_CANCEL;
	struct idm_map_parser ps = { .err = err };

	if (kind != IDM_UID && kind != IDM_GID)
		return idm_fail(err, -EINVAL, step_parse, NULL, "unknown kind 0x%x", kind);
	return finish_parse(&ps, map, parse_kernel(&ps, (struct idm_slice){ text, strlen(text) }, kind));
}

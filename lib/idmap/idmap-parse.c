// SPDX-License-Identifier: MIT
/*
 * Text to map, every dialect. Each dialect only cuts the text into entries and fields; numbers, names
 * and the way into the map are the same for all. Nothing is added before all of the text is good.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "idmap.h"
#include "lib/base/array.h"
#include "lib/base/cancel.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/syscall.h"
#include "nss.h"

static const enum idm_error_step step_parse = IDM_STEP_PARSE_MAP;

/* A piece of the text, not NUL-terminated. */
struct slice {
	const char *p;
	size_t n;
};

/* For "%.*s". Longer than any string of struct idm_error, so that there it is seen to be cut. */
#define LONGEST_QUOTE 1000
#define QUOTED(s) (int)((s).n > LONGEST_QUOTE ? LONGEST_QUOTE : (s).n), (s).p

struct list {
	struct idm_entry *entries;
	size_t n;
};

struct parser {
	struct list uid, gid;
	struct idm_error *err;
	struct slice entry; /* the one being read, for messages */
	bool lookup;
	const struct idm_ids *owner;	 /* of the source; NULL: it is not known */
	const struct idm_map *container; /* NULL: no container exists */
	bool relative;			 /* the second column counts in the container */
};

static int refuse_entry(struct parser *ps, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int refuse_entry(struct parser *ps, int code, const char *format, ...)
{
	char subject[LONGEST_QUOTE + 1], reason[LONGEST_QUOTE + 64];
	va_list args;

	snprintf(subject, sizeof(subject), "%.*s", QUOTED(ps->entry));
	va_start(args, format);
	vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
	return idm_fail(ps->err, code, step_parse, subject, "%s", reason);
}

/* ---- pieces ---- */

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* How much of a text is before the first of the separators. By hand: pieces are a few characters long.
 */
static size_t find_length_before(struct slice s, const char *separators)
{
	uint64_t set[4] = { 0 }; /* a bit for each character there is */
	size_t n = 0;

	if (!separators[1]) {
		while (n < s.n && s.p[n] != separators[0])
			n++;
		return n;
	}
	for (const unsigned char *c = (const unsigned char *)separators; *c; c++)
		set[*c >> 6] |= (uint64_t)1 << (*c & 63);
	for (; n < s.n; n++) {
		unsigned char c = (unsigned char)s.p[n];

		if (set[c >> 6] >> (c & 63) & 1)
			return n;
	}
	return n;
}

/* Cuts off and returns what is before the first of the separators; *rest then begins with it. */
static struct slice cut_piece(struct slice *rest, const char *separators)
{
	size_t n = find_length_before(*rest, separators);
	struct slice piece = { rest->p, n };

	rest->p += n;
	rest->n -= n;
	return piece;
}

static void skip_bytes(struct slice *s, size_t n)
{
	s->p += n;
	s->n -= n;
}

static bool skip_blanks(struct slice *s)
{
	size_t n = 0;

	while (n < s->n && is_blank(s->p[n]))
		n++;
	skip_bytes(s, n);
	return n > 0;
}

static bool skip_prefix(struct slice *s, const char *prefix)
{
	size_t n = strlen(prefix);

	if (s->n < n || memcmp(s->p, prefix, n) != 0)
		return false;
	skip_bytes(s, n);
	return true;
}

static bool is_word(struct slice s, const char *word)
{
	return s.n == strlen(word) && memcmp(s.p, word, s.n) == 0;
}

/* An unsigned decimal that fits in 32 bits: digits and nothing else. */
static bool parse_decimal(struct slice s, uint32_t *value)
{
	uint64_t v = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(s.p[i] - '0');
		if (v > UINT32_MAX)
			return false;
	}
	*value = (uint32_t)v;
	return s.n > 0;
}

static bool is_account_name(struct slice s)
{
	return s.n &&
	       ((s.p[0] >= 'a' && s.p[0] <= 'z') || (s.p[0] >= 'A' && s.p[0] <= 'Z') || s.p[0] == '_');
}

static bool is_all_digits(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	return s.n > 0;
}

static int refuse_number(struct parser *ps, struct slice field)
{
	if (is_all_digits(field))
		return refuse_entry(ps, -EINVAL, "\"%.*s\" does not fit in 32 bits", QUOTED(field));
	if (!field.n)
		return refuse_entry(ps, -EINVAL, "expected a number, got none");
	if (is_word(field, "*"))
		return refuse_entry(
			ps, -EINVAL,
			"expected a number, got \"*\": no two IDs can be seen as one, nor one ID as two");
	return refuse_entry(ps, -EINVAL, "expected a number, got \"%.*s\"", QUOTED(field));
}

/* ---- entries ---- */

static int append_counted(struct parser *ps, struct list *list, struct idm_entry entry)
{
	struct idm_entry *new = idm_array_append(&list->entries, &list->n, sizeof(entry));

	if (!new)
		return idm_fail_errno(ps->err, -ENOMEM, step_parse, NULL);
	*new = entry;
	return 0;
}

static const struct idm_entry *find_row(const struct idm_side *side, uint64_t id)
{
	for (size_t i = 0; i < side->n; i++)
		if (id >= side->entries[i].disk &&
		    id < (uint64_t)side->entries[i].disk + side->entries[i].count)
			return &side->entries[i];
	return NULL;
}

/* Splits an entry at the rows of the container's map, which needs several for it. */
static int append_relative(struct parser *ps, struct list *list, struct idm_entry entry)
{
	bool uid = list == &ps->uid;
	const struct idm_side *side = idm_map_side(ps->container, uid ? IDM_UID : IDM_GID);
	uint32_t done = 0;
	int r = 0;

	while (r == 0 && done < entry.count) {
		uint64_t id = (uint64_t)entry.seen + done;
		const struct idm_entry *row = find_row(side, id);
		struct idm_entry part = { entry.disk + done, 0, entry.count - done };
		uint64_t in_row;

		if (!row)
			return refuse_entry(ps, -EINVAL, "the container's user namespace lacks %s %llu",
					    uid ? "uid" : "gid", (unsigned long long)id);
		in_row = (uint64_t)row->disk + row->count - id;
		part.seen = row->seen + (uint32_t)(id - row->disk);
		part.count = in_row < part.count ? (uint32_t)in_row : part.count;
		done += part.count;
		r = append_counted(ps, list, part);
	}
	return r;
}

/* An entry without a meaning is left to idm_map_add(), which refuses it. */
static int append_entry(struct parser *ps, struct list *list, struct idm_entry entry)
{
	bool counts = entry.count && (uint64_t)entry.disk + entry.count <= IDM_ID_END;

	return ps->relative && counts ? append_relative(ps, list, entry)
				      : append_counted(ps, list, entry);
}

static int append_to_sides(struct parser *ps, unsigned int kinds, struct idm_entry entry)
{
	int r = 0;

	if (kinds & IDM_UID)
		r = append_entry(ps, &ps->uid, entry);
	if (r == 0 && kinds & IDM_GID)
		r = append_entry(ps, &ps->gid, entry);
	return r;
}

/* Turns a field into the uid and gid that it stands for; a number stands for both. */
static int resolve_ids(struct parser *ps, struct slice field, unsigned int kinds, struct idm_ids *ids)
{
	char name[256];
	int r;

	if (parse_decimal(field, &ids->uid)) {
		ids->gid = ids->uid;
		return 0;
	}
	if (!is_account_name(field))
		return refuse_number(ps, field);
	if (!ps->lookup)
		return refuse_entry(ps, -EINVAL,
				    "expected a number, got \"%.*s\"; names are not looked up here",
				    QUOTED(field));
	if (field.n >= sizeof(name))
		return refuse_entry(ps, -EINVAL, "the name is too long");
	snprintf(name, sizeof(name), "%.*s", (int)field.n, field.p);
	r = kinds == IDM_GID ? idm_nss_find_group(name, &ids->gid) : idm_nss_find_user(name, ids);
	if (r == -ENOENT)
		return refuse_entry(ps, r, "unknown %s \"%s\"", kinds == IDM_GID ? "group" : "user",
				    name);
	if (r < 0)
		return refuse_entry(ps, r, "the name service failed on \"%s\": %s", name,
				    idm_errno_text(-r));
	return 0;
}

static int resolve_disk_ids(struct parser *ps, struct slice field, unsigned int kinds,
			    struct idm_ids *ids)
{
	if (!ps->owner || !is_word(field, "owner"))
		return resolve_ids(ps, field, kinds, ids);
	*ids = *ps->owner;
	return 0;
}

/* "alice:100000:65536" is a line of /etc/subuid. */
static int refuse_count_of_name(struct parser *ps, const struct slice *f)
{
	refuse_entry(ps, -EINVAL, "expected a count of 1 for a name");
	if (is_all_digits(f[1]) && !is_word(f[0], "owner"))
		idm_hint(ps->err, "auto:%.*s stands for the ranges in /etc/subuid and /etc/subgid",
			 QUOTED(f[0]));
	return -EINVAL;
}

static int add_fields(struct parser *ps, unsigned int kinds, const struct slice *f, size_t n)
{
	struct idm_ids disk = { 0 }, seen = { 0 };
	uint32_t count = 1;
	int r = resolve_disk_ids(ps, f[0], kinds, &disk);

	if (r == 0)
		r = resolve_ids(ps, f[1], kinds, &seen);
	if (r < 0)
		return r;
	if (n == 3 && !parse_decimal(f[2], &count))
		return refuse_number(ps, f[2]);
	if (count != 1 && !(is_all_digits(f[0]) && is_all_digits(f[1])))
		return refuse_count_of_name(ps, f);
	if (kinds & IDM_UID)
		r = append_entry(ps, &ps->uid, (struct idm_entry){ disk.uid, seen.uid, count });
	if (r == 0 && kinds & IDM_GID)
		r = append_entry(ps, &ps->gid, (struct idm_entry){ disk.gid, seen.gid, count });
	return r;
}

static unsigned int find_kinds(struct slice word)
{
	static const struct {
		const char *word;
		unsigned int kinds;
	} table[] = {
		{ "u", IDM_UID },   { "uid", IDM_UID }, { "g", IDM_GID },
		{ "gid", IDM_GID }, { "b", IDM_BOTH },	{ "both", IDM_BOTH },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (is_word(word, table[i].word))
			return table[i].kinds;
	return 0;
}

/* Cuts an entry into fields; returns their number, or more than `max` when there are too many. */
static size_t cut_fields(struct slice entry, const char *separator, struct slice *fields, size_t max)
{
	size_t n = 0;

	for (;;) {
		struct slice field = cut_piece(&entry, separator);

		if (n == max)
			return max + 1;
		fields[n++] = field;
		if (!entry.n)
			return n;
		skip_bytes(&entry, 1);
	}
}

/* [KIND:]DISK:SEEN[:COUNT] */
static int parse_own_entry(struct parser *ps, struct slice entry)
{
	struct slice f[4];
	size_t n = cut_fields(entry, ":", f, ARRAY_SIZE(f));
	unsigned int kinds = find_kinds(f[0]);
	size_t first = kinds ? 1 : 0;

	ps->entry = entry;
	if (n - first < 2 || n - first > 3)
		return refuse_entry(ps, -EINVAL, "expected [u:|g:|b:]DISK:SEEN[:COUNT]");
	return add_fields(ps, kinds ? kinds : IDM_BOTH, f + first, n - first);
}

/* An entry of a dialect that has numbers only, always three of them. */
static int parse_triple(struct parser *ps, struct slice entry, unsigned int kinds, const char *separator)
{
	struct slice f[3];
	uint32_t v[3];

	ps->entry = entry;
	if (cut_fields(entry, separator, f, 3) != 3)
		return refuse_entry(ps, -EINVAL, "expected DISK%sSEEN%sCOUNT", separator, separator);
	for (size_t i = 0; i < 3; i++)
		if (!parse_decimal(f[i], &v[i]))
			return refuse_number(ps, f[i]);
	return append_to_sides(ps, kinds, (struct idm_entry){ v[0], v[1], v[2] });
}

/* ---- dialects ---- */

/* uidmap=… and gidmap=…: the side holds until the other one is named. */
static unsigned int skip_side_name(struct slice *text)
{
	return skip_prefix(text, "uidmap=") ? IDM_UID : skip_prefix(text, "gidmap=") ? IDM_GID : 0;
}

/* Skips one separator with blanks around it, or past blanks; the end counts as one too. */
static bool skip_separator(struct slice *text, const char *separators)
{
	bool blank = skip_blanks(text);

	if (text->n && strchr(separators, *text->p)) {
		skip_bytes(text, 1);
		skip_blanks(text);
		return text->n > 0;
	}
	return blank || !text->n;
}

static int parse_lists(struct parser *ps, struct slice text)
{
	const struct slice all = text;
	unsigned int side = 0;
	int r;

	skip_blanks(&text);
	do {
		unsigned int named = skip_side_name(&text);
		struct slice entry;

		if (named)
			side = named;
		entry = cut_piece(&text, side ? " \t\n\v\f\r,;" : " \t\n\v\f\r,+");
		ps->entry = entry;
		if (!entry.n) {
			ps->entry = all;
			return refuse_entry(ps, -EINVAL, "expected an entry%s",
					    text.n ? " before a separator" : " at the end");
		}
		r = side ? parse_triple(ps, entry, side, ":") : parse_own_entry(ps, entry);
		if (r < 0)
			return r;
		if (!skip_separator(&text, side ? ",;" : ",+")) {
			ps->entry = all;
			return refuse_entry(ps, -EINVAL, "expected an entry at the end");
		}
	} while (text.n);
	return 0;
}

/* Skips the sign of an entry whose second column counts in the container's user namespace. */
static int skip_relative_sign(struct parser *ps, struct slice *entry)
{
	ps->entry = *entry;
	ps->relative = skip_prefix(entry, "@");
	return !ps->relative || ps->container
		       ? 0
		       : refuse_entry(ps, -EINVAL,
				      "\"@\" is relative to a container's user namespace, "
				      "and no container exists here");
}

static int parse_crun_section(struct parser *ps, struct slice section)
{
	unsigned int kind = skip_prefix(&section, "uids=")   ? IDM_UID
			    : skip_prefix(&section, "gids=") ? IDM_GID
							     : 0;

	ps->entry = section;
	if (!kind)
		return refuse_entry(ps, -EINVAL, "expected uids= or gids= as start of a section");
	for (;;) {
		struct slice entry = cut_piece(&section, "#");
		int r = skip_relative_sign(ps, &entry);

		if (r == 0)
			r = parse_triple(ps, entry, kind, "-");
		if (r < 0 || !section.n)
			return r;
		skip_bytes(&section, 1);
	}
}

/* [idmap=]uids=C-H-S#C-H-S;gids=C-H-S */
static int parse_crun(struct parser *ps, struct slice text)
{
	skip_prefix(&text, "idmap=");
	for (;;) {
		struct slice section = cut_piece(&text, ";");
		int r = parse_crun_section(ps, section);

		if (r < 0 || !text.n)
			return r;
		skip_bytes(&text, 1);
	}
}

/* The blanks that the kernel's isspace() knows; 0xa0 is its Latin-1 no-break space. */
#define KERNEL_BLANKS " \t\v\f\r\n\xa0"

static int parse_kernel_line(struct parser *ps, struct slice line, unsigned int kind)
{
	uint32_t v[3];

	ps->entry = line;
	for (size_t i = 0; i < 3; i++) {
		struct slice field;

		while (line.n && strchr(KERNEL_BLANKS, *line.p))
			skip_bytes(&line, 1);
		field = cut_piece(&line, KERNEL_BLANKS);
		if (!parse_decimal(field, &v[i]))
			return refuse_number(ps, field);
	}
	while (line.n && strchr(KERNEL_BLANKS, *line.p))
		skip_bytes(&line, 1);
	if (line.n)
		return refuse_entry(ps, -EINVAL, "expected three numbers, got more");
	return append_to_sides(ps, kind, (struct idm_entry){ v[0], v[1], v[2] });
}

static int parse_kernel(struct parser *ps, struct slice text, unsigned int kind)
{
	do {
		int r = parse_kernel_line(ps, cut_piece(&text, "\n"), kind);

		if (r < 0)
			return r;
		if (text.n)
			skip_bytes(&text, 1); /* a final newline is optional, and the only one */
	} while (text.n);
	return 0;
}

/* ---- into the map ---- */

static int commit_entries(struct parser *ps, struct idm_map *map)
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

static int finish_parse(struct parser *ps, struct idm_map *map, int r)
{
	if (r == 0)
		r = commit_entries(ps, map);
	free(ps->uid.entries);
	free(ps->gid.entries);
	return r;
}

/* In the dialect of crun each entry has a sign of its own. In the others, the first one is for all. */
static int parse_dialect(struct parser *ps, struct slice text)
{
	struct slice form = text;
	int r;

	if (skip_prefix(&form, "idmap=") || skip_prefix(&form, "uids=") || skip_prefix(&form, "gids="))
		return parse_crun(ps, text);
	r = skip_relative_sign(ps, &text);
	return r < 0 ? r : parse_lists(ps, text);
}

static int parse_text(struct parser *ps, struct idm_map *map, const char *text)
{
	struct slice all = { text, strlen(text) };

	ps->entry = all;
	skip_blanks(&all);
	if (!all.n)
		return idm_fail(ps->err, -EINVAL, step_parse, NULL, "the map is empty");
	return finish_parse(ps, map, parse_dialect(ps, all));
}

int idm_map_parse_text(struct idm_map *map, const char *text, bool lookup, struct idm_error *err)
{
	struct parser ps = { .err = err, .lookup = lookup };

	return parse_text(&ps, map, text);
}

int idm_map_parse_owned_by(struct idm_map *map, const char *text, const struct idm_ids *owner,
			   struct idm_error *err)
{
	struct parser ps = { .err = err, .lookup = true, .owner = owner };

	return parse_text(&ps, map, text);
}

int idm_map_parse_inside(struct idm_map *map, const char *text, const struct idm_map *container,
			 struct idm_error *err)
{
	struct parser ps = { .err = err, .container = container };

	return parse_text(&ps, map, text);
}

int idm_map_parse_kernel(struct idm_map *map, unsigned int kind, const char *text, struct idm_error *err)
{
	HOLD_CANCEL;
	struct parser ps = { .err = err };

	if (kind != IDM_UID && kind != IDM_GID)
		return idm_fail(err, -EINVAL, step_parse, NULL, "unknown kind 0x%x", kind);
	return finish_parse(&ps, map, parse_kernel(&ps, (struct slice){ text, strlen(text) }, kind));
}

// SPDX-License-Identifier: MIT
#include "idmap-entry.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "idmap.h"
#include "lib/base/array.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/sys/fail-errno.h"
#include "nss.h"

static const enum idm_error_step step_parse = IDM_STEP_PARSE_MAP;

int idm_refuse_entry(struct idm_map_parser *ps, int code, const char *format, ...)
{
	char subject[IDM_LONGEST_QUOTE + 1], reason[IDM_LONGEST_QUOTE + 64];
	va_list args;

	snprintf(subject, sizeof(subject), "%.*s", IDM_QUOTED(ps->entry));
	va_start(args, format);
	vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
	return idm_fail(ps->err, code, step_parse, subject, "%s", reason);
}

int idm_refuse_number(struct idm_map_parser *ps, struct idm_slice field)
{
	if (idm_slice_is_digits(field))
		return idm_refuse_entry(ps, -EINVAL, "\"%.*s\" does not fit in 32 bits",
					IDM_QUOTED(field));
	if (!field.n)
		return idm_refuse_entry(ps, -EINVAL, "expected a number, got none");
	if (idm_slice_is(field, "*"))
		return idm_refuse_entry(
			ps, -EINVAL,
			"expected a number, got \"*\": no two IDs can be seen as one, nor one ID as two");
	return idm_refuse_entry(ps, -EINVAL, "expected a number, got \"%.*s\"", IDM_QUOTED(field));
}

static bool is_account_name(struct idm_slice s)
{
	return s.n &&
	       ((s.p[0] >= 'a' && s.p[0] <= 'z') || (s.p[0] >= 'A' && s.p[0] <= 'Z') || s.p[0] == '_');
}

static int append_counted(struct idm_map_parser *ps, struct idm_entry_list *list, struct idm_entry entry)
{
	struct idm_entry *new = idm_array_append(&list->entries, &list->n, sizeof(entry));

	if (!new)
		return idm_fail_errno(ps->err, -ENOMEM, step_parse, NULL);
	*new = entry;
	return 0;
}

static const struct idm_entry *find_container_row(const struct idm_side *side, uint64_t id)
{
	for (size_t i = 0; i < side->n; i++)
		if (id >= side->entries[i].disk &&
		    id < (uint64_t)side->entries[i].disk + side->entries[i].count)
			return &side->entries[i];
	return NULL;
}

/* Splits an entry at the rows of the container's map, which needs several for it. */
static int append_relative(struct idm_map_parser *ps, struct idm_entry_list *list,
			   struct idm_entry entry)
{
	bool uid = list == &ps->uid;
	const struct idm_side *side = idm_map_side(ps->container, uid ? IDM_UID : IDM_GID);
	uint32_t done = 0;
	int r = 0;

	while (r == 0 && done < entry.count) {
		uint64_t id = (uint64_t)entry.seen + done;
		const struct idm_entry *row = find_container_row(side, id);
		struct idm_entry part = { entry.disk + done, 0, entry.count - done };
		uint64_t in_row;

		if (!row)
			return idm_refuse_entry(ps, -EINVAL,
						"the container's user namespace lacks %s %llu",
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
static int append_to_side(struct idm_map_parser *ps, struct idm_entry_list *list, struct idm_entry entry)
{
	bool counts = entry.count && (uint64_t)entry.disk + entry.count <= IDM_ID_END;

	return ps->relative && counts ? append_relative(ps, list, entry)
				      : append_counted(ps, list, entry);
}

int idm_append_entry(struct idm_map_parser *ps, unsigned int kinds, struct idm_entry entry)
{
	int r = 0;

	if (kinds & IDM_UID)
		r = append_to_side(ps, &ps->uid, entry);
	if (r == 0 && kinds & IDM_GID)
		r = append_to_side(ps, &ps->gid, entry);
	return r;
}

/* Turns a field into the uid and gid that it stands for; a number stands for both. */
static int resolve_ids(struct idm_map_parser *ps, struct idm_slice field, unsigned int kinds,
		       struct idm_ids *ids)
{
	char name[256];
	int r;

	if (idm_slice_to_id(field, &ids->uid)) {
		ids->gid = ids->uid;
		return 0;
	}
	if (!is_account_name(field))
		return idm_refuse_number(ps, field);
	if (!ps->lookup)
		return idm_refuse_entry(ps, -EINVAL,
					"expected a number, got \"%.*s\"; names are not looked up here",
					IDM_QUOTED(field));
	if (field.n >= sizeof(name))
		return idm_refuse_entry(ps, -EINVAL, "the name is too long");
	snprintf(name, sizeof(name), "%.*s", (int)field.n, field.p);
	r = kinds == IDM_GID ? idm_nss_find_group(name, &ids->gid) : idm_nss_find_user(name, ids);
	if (r == -ENOENT)
		return idm_refuse_entry(ps, r, "unknown %s \"%s\"", kinds == IDM_GID ? "group" : "user",
					name);
	if (r < 0)
		return idm_refuse_entry(ps, r, "the name service failed on \"%s\": %s", name,
					idm_errno_text(-r));
	return 0;
}

static int resolve_disk_ids(struct idm_map_parser *ps, struct idm_slice field, unsigned int kinds,
			    struct idm_ids *ids)
{
	if (!ps->owner || !idm_slice_is(field, "owner"))
		return resolve_ids(ps, field, kinds, ids);
	*ids = *ps->owner;
	return 0;
}

/* "alice:100000:65536" is a line of /etc/subuid. */
static int refuse_count_of_name(struct idm_map_parser *ps, const struct idm_slice *f)
{
	idm_refuse_entry(ps, -EINVAL, "expected a count of 1 for a name");
	if (idm_slice_is_digits(f[1]) && !idm_slice_is(f[0], "owner"))
		idm_hint(ps->err, "auto:%.*s stands for the ranges in /etc/subuid and /etc/subgid",
			 IDM_QUOTED(f[0]));
	return -EINVAL;
}

static int add_fields(struct idm_map_parser *ps, unsigned int kinds, const struct idm_slice *f, size_t n)
{
	struct idm_ids disk = { 0 }, seen = { 0 };
	uint32_t count = 1;
	int r = resolve_disk_ids(ps, f[0], kinds, &disk);

	if (r == 0)
		r = resolve_ids(ps, f[1], kinds, &seen);
	if (r < 0)
		return r;
	if (n == 3 && !idm_slice_to_id(f[2], &count))
		return idm_refuse_number(ps, f[2]);
	if (count != 1 && !(idm_slice_is_digits(f[0]) && idm_slice_is_digits(f[1])))
		return refuse_count_of_name(ps, f);
	if (kinds & IDM_UID)
		r = append_to_side(ps, &ps->uid, (struct idm_entry){ disk.uid, seen.uid, count });
	if (r == 0 && kinds & IDM_GID)
		r = append_to_side(ps, &ps->gid, (struct idm_entry){ disk.gid, seen.gid, count });
	return r;
}

static unsigned int find_kinds(struct idm_slice word)
{
	static const struct {
		const char *word;
		unsigned int kinds;
	} table[] = {
		{ "u", IDM_UID },   { "uid", IDM_UID }, { "g", IDM_GID },
		{ "gid", IDM_GID }, { "b", IDM_BOTH },	{ "both", IDM_BOTH },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (idm_slice_is(word, table[i].word))
			return table[i].kinds;
	return 0;
}

/* "0 100000 65536" is a line of /proc/PID/uid_map: its blanks are taken for ends of entries. */
static int refuse_field_number(struct idm_map_parser *ps, size_t n)
{
	idm_refuse_entry(ps, -EINVAL, "expected [u:|g:|b:]DISK:SEEN[:COUNT]");
	if (n < 2)
		idm_hint(ps->err,
			 "colons separate the numbers of an entry (0:100000:65536); blanks, commas "
			 "and + separate entries");
	return -EINVAL;
}

int idm_parse_entry(struct idm_map_parser *ps, struct idm_slice entry)
{
	struct idm_slice f[4];
	size_t n = idm_slice_cut_fields(entry, ":", f, ARRAY_SIZE(f));
	unsigned int kinds = find_kinds(f[0]);
	size_t first = kinds ? 1 : 0;

	ps->entry = entry;
	if (n - first < 2 || n - first > 3)
		return refuse_field_number(ps, n - first);
	return add_fields(ps, kinds ? kinds : IDM_BOTH, f + first, n - first);
}

int idm_parse_triple(struct idm_map_parser *ps, struct idm_slice entry, unsigned int kinds,
		     const char *separator)
{
	struct idm_slice f[3];
	uint32_t v[3];

	ps->entry = entry;
	if (idm_slice_cut_fields(entry, separator, f, 3) != 3)
		return idm_refuse_entry(ps, -EINVAL, "expected DISK%sSEEN%sCOUNT", separator, separator);
	for (size_t i = 0; i < 3; i++)
		if (!idm_slice_to_id(f[i], &v[i]))
			return idm_refuse_number(ps, f[i]);
	return idm_append_entry(ps, kinds, (struct idm_entry){ v[0], v[1], v[2] });
}

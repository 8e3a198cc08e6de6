// SPDX-License-Identifier: MIT
/* Map to text, every dialect, and the check against what fits into the kernel's own text. */
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>

#include "idmap.h"
#include "lib/base/error.h"

/*
 * Writes like snprintf(3), piece by piece: counts on past the end of the buffer. Not by snprintf itself,
 * since a map of 340 entries has 2040 numbers.
 */
struct out {
	char *buf;
	size_t size, length;
};

static void write_bytes(struct out *out, const char *text, size_t n)
{
	size_t space = out->length < out->size ? out->size - out->length : 0;

	if (space)
		memcpy(out->buf + out->length, text, n < space ? n : space);
	out->length += n;
}

static void write_text(struct out *out, const char *text)
{
	write_bytes(out, text, strlen(text));
}

static void write_number(struct out *out, uint32_t number)
{
	char digits[10];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	write_bytes(out, digits + at, sizeof(digits) - at);
}

static void end_text(struct out *out)
{
	if (out->size)
		out->buf[out->length < out->size ? out->length : out->size - 1] = '\0';
}

/* The numbers of an entry with what is before, between and behind them. */
static void write_entry(struct out *out, const struct idm_entry *e, const char *const around[4])
{
	write_text(out, around[0]);
	write_number(out, e->disk);
	write_text(out, around[1]);
	write_number(out, e->seen);
	write_text(out, around[2]);
	write_number(out, e->count);
	write_text(out, around[3]);
}

/* The entries of one side, with `between` between them and `colon` inside. */
static void write_entries(struct out *out, const struct idm_side *side, const char *prefix,
			  const char *colon, const char *between)
{
	const char *const around[] = { prefix, colon, colon, "" };

	for (size_t i = 0; i < side->n; i++) {
		if (i)
			write_text(out, between);
		write_entry(out, &side->entries[i], around);
	}
}

/* u:… and g:… entries, or one list under `both` where both are wanted and agree. */
static void write_kinds(struct out *out, const struct idm_side *uid, const struct idm_side *gid,
			const char *both, const char *between)
{
	struct idm_map a = { *uid, *uid }, b = { *uid, *gid };

	if (uid->n && idm_map_equal(&a, &b)) {
		write_entries(out, uid, both, ":", between);
		return;
	}
	write_entries(out, uid, "u:", ":", between);
	if (uid->n && gid->n)
		write_text(out, between);
	write_entries(out, gid, "g:", ":", between);
}

/* Two lists behind a title each; a side without entries is left out. */
static void write_titled(struct out *out, const struct idm_side *uid, const struct idm_side *gid,
			 const char *const titles[2], const char *colon, const char *between,
			 const char *between_sides)
{
	if (uid->n)
		write_text(out, titles[0]);
	write_entries(out, uid, "", colon, between);
	if (uid->n && gid->n)
		write_text(out, between_sides);
	if (gid->n)
		write_text(out, titles[1]);
	write_entries(out, gid, "", colon, between);
}

static void write_kernel_lines(struct out *out, const struct idm_side *side)
{
	static const char *const around[] = { "", " ", " ", "\n" };

	for (size_t i = 0; i < side->n; i++)
		write_entry(out, &side->entries[i], around);
}

/* The rows of the OCI runtime specification: disk is its containerID, seen its hostID. */
static void write_oci_side(struct out *out, const char *key, const struct idm_side *side)
{
	static const char *const around[] = { "{\"containerID\":", ",\"hostID\":", ",\"size\":", "}" };

	write_text(out, key);
	for (size_t i = 0; i < side->n; i++) {
		if (i)
			write_text(out, ",");
		write_entry(out, &side->entries[i], around);
	}
	write_text(out, "]");
}

static void write_oci(struct out *out, const struct idm_side *uid, const struct idm_side *gid,
		      unsigned int kinds)
{
	write_text(out, "{");
	if (kinds & IDM_UID)
		write_oci_side(out, "\"uidMappings\":[", uid);
	if (kinds == IDM_BOTH)
		write_text(out, ",");
	if (kinds & IDM_GID)
		write_oci_side(out, "\"gidMappings\":[", gid);
	write_text(out, "}");
}

ssize_t idm_map_print(const struct idm_map *map, enum idm_format format, unsigned int kinds, char *buf,
		      size_t size)
{
	static const char *const containerd[] = { "uidmap=", "gidmap=" };
	static const char *const crun[] = { "uids=", "gids=" };
	static const struct idm_side none = { 0 };
	const struct idm_side *uid = kinds & IDM_UID ? &map->uid : &none;
	const struct idm_side *gid = kinds & IDM_GID ? &map->gid : &none;
	struct out out = { buf, size, 0 };

	if (!kinds || kinds & ~IDM_BOTH || (size && !buf))
		return -EINVAL;
	if (size)
		buf[0] = '\0';
	switch (format) {
	case IDM_FORMAT_TEXT:
		write_kinds(&out, uid, gid, "", ",");
		break;
	case IDM_FORMAT_UTIL_LINUX:
		write_kinds(&out, uid, gid, "b:", " ");
		break;
	case IDM_FORMAT_CONTAINERD:
		write_titled(&out, uid, gid, containerd, ":", ",", "\n");
		break;
	case IDM_FORMAT_CRUN:
		write_titled(&out, uid, gid, crun, "-", "#", ";");
		break;
	case IDM_FORMAT_KERNEL:
		if (kinds == IDM_BOTH)
			return -EINVAL;
		write_kernel_lines(&out, kinds == IDM_UID ? uid : gid);
		break;
	case IDM_FORMAT_OCI:
		write_oci(&out, uid, gid, kinds);
		break;
	default:
		return -EINVAL;
	}
	end_text(&out);
	return out.length > INT_MAX ? -EOVERFLOW : (ssize_t)out.length;
}

/* ---- the kernel's limits ---- */

/* Check and print are one act. Returns the length; `buf` may be NULL. */
static ssize_t print_within_limits(const struct idm_map *map, unsigned int kind, char *buf, size_t size,
				   struct idm_error *err)
{
	static const enum idm_error_step step = IDM_STEP_CHECK_MAP;
	const char *name = kind == IDM_UID ? "uid" : "gid";
	const struct idm_side *side = idm_map_side(map, kind);
	ssize_t bytes;

	/* analyzer: `kind` is IDM_UID or IDM_GID, so there is a side */
	if (!side->n) {
		idm_fail(err, -EINVAL, step, NULL,
			 "the map has no %s entries; the kernel requires both sides", name);
		idm_hint(err,
			 "add one such as %c:0:100000:65536, or idm_map_keep_rest() to let every %s "
			 "keep its "
			 "number",
			 name[0], name);
		return -EINVAL;
	}
	if (side->n > IDM_KERNEL_ENTRIES)
		return idm_fail(err, -E2BIG, step, NULL,
				"expected at most %d %s entries, which is the kernel's limit, got %zu",
				IDM_KERNEL_ENTRIES, name, side->n);
	bytes = idm_map_print(map, IDM_FORMAT_KERNEL, kind, buf, size);
	if (bytes > IDM_KERNEL_BYTES)
		return idm_fail(err, -E2BIG, step, NULL,
				"expected %s entries of at most %d bytes of text, which is the kernel's "
				"limit, got %zd",
				name, IDM_KERNEL_BYTES, bytes);
	return bytes;
}

int idm_map_print_kernel(const struct idm_map *map, unsigned int kind, struct idm_kernel_text *text,
			 struct idm_error *err)
{
	ssize_t bytes = print_within_limits(map, kind, text->bytes, sizeof(text->bytes), err);

	text->n = bytes < 0 ? 0 : (size_t)bytes;
	return bytes < 0 ? (int)bytes : 0;
}

int idm_map_check(const struct idm_map *map, struct idm_error *err)
{
	ssize_t bytes = print_within_limits(map, IDM_UID, NULL, 0, err);

	if (bytes >= 0)
		bytes = print_within_limits(map, IDM_GID, NULL, 0, err);
	return bytes < 0 ? (int)bytes : 0;
}

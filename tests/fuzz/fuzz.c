// SPDX-License-Identifier: MIT
#include "fuzz.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "lib/base/escape.h"
#include "lib/idmap/idmap.h"

/* The first standard error. libFuzzer closes it, and a tested program gets another one. */
static int messages = -1;

__attribute__((constructor)) static void keep_standard_error(void)
{
	messages = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
}

void fuzz_fail(const char *file, int line, const char *format, ...)
{
	va_list args;

	dprintf(messages, "%s:%d: ", file, line);
	va_start(args, format);
	vdprintf(messages, format, args);
	va_end(args);
	dprintf(messages, "\n");
	abort();
}

char *bytes_copy(const uint8_t *data, size_t size)
{
	char *copy = malloc(size ? size : 1);

	CHECK(copy);
	if (size)
		memcpy(copy, data, size);
	return copy;
}

char *text_copy(const uint8_t *data, size_t size)
{
	char *copy = strndup(size ? (const char *)data : "", size);

	CHECK(copy);
	return copy;
}

/* ---- errors ---- */

/* It is one line, without bytes that control a terminal or split a log entry. */
static bool is_printable(const char *s, size_t room)
{
	if (!memchr(s, '\0', room) || !idm_is_utf8(s))
		return false;
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f ||
		    (s[0] == '\xc2' && (unsigned char)s[1] < 0xa0))
			return false;
	return true;
}

#define CHECK_STRING(s)                                  \
	do {                                             \
		if (!is_printable(s, sizeof(s)))         \
			fuzz_fail(file, line, "%s", #s); \
	} while (0)

void check_error_at(const char *file, int line, int r, const struct idm_error *err)
{
	char subject[sizeof(err->message)], reason[sizeof(err->message)];

	if (r >= 0 || err->errnum != -r)
		fuzz_fail(file, line, "returned %d, and the error says %d", r, err->errnum);
	idm_error_part(err, err->subject, subject, sizeof(subject));
	idm_error_part(err, err->reason, reason, sizeof(reason));
	CHECK_STRING(err->hint);
	CHECK_STRING(err->message);
	if (!*idm_error_step_text(err->step) || !*reason)
		fuzz_fail(file, line, "\"%s\" does not say why", err->message);
	if (strncmp(err->message, subject, strlen(subject)) != 0 || !strstr(err->message, reason) ||
	    !strstr(err->message, idm_error_step_text(err->step)))
		fuzz_fail(file, line, "\"%s\" leaves out \"%s\"", err->message, reason);
}

/* ---- maps ---- */

struct idm_map *empty_map(void)
{
	struct idm_map *map;

	CHECK(idm_map_new(&map) == 0);
	return map;
}

struct idm_map *map_copy(const struct idm_map *map)
{
	struct idm_map *copy;

	CHECK(idm_map_copy(map, &copy) == 0);
	return copy;
}

char *map_text(const struct idm_map *map, enum idm_format format, unsigned int kinds)
{
	ssize_t n = idm_map_print(map, format, kinds, NULL, 0);
	char *text = n < 0 ? NULL : malloc((size_t)n + 1);

	CHECK(text);
	CHECK(idm_map_print(map, format, kinds, text, (size_t)n + 1) == n);
	CHECK(strlen(text) == (size_t)n);
	return text;
}

unsigned int sides_of(const struct idm_map *map)
{
	return (map->uid.n ? IDM_UID : 0) | (map->gid.n ? IDM_GID : 0);
}

/* Entries are sorted, merged and without overlap. Every ID is valid. */
static void check_side(const struct idm_side *side)
{
	for (size_t i = 0; i < side->n; i++) {
		const struct idm_entry *e = &side->entries[i];

		CHECK(e->count);
		CHECK(e->disk + (uint64_t)e->count <= IDM_ID_END);
		CHECK(e->seen + (uint64_t)e->count <= IDM_ID_END);
		if (!i)
			continue;
		CHECK(e[-1].disk + (uint64_t)e[-1].count <= e->disk);
		CHECK(e[-1].disk + e[-1].count != e->disk || e[-1].seen + e[-1].count != e->seen);
	}
}

static void check_translation(const struct idm_map *map, unsigned int kind)
{
	const struct idm_side *side = idm_map_side(map, kind);
	uint32_t to;

	for (size_t i = 0; i < side->n; i++) {
		const struct idm_entry *e = &side->entries[i];
		uint32_t last = e->count - 1;

		CHECK(idm_map_to_seen(map, kind, e->disk + last, &to) == 0 && to == e->seen + last);
		CHECK(idm_map_to_disk(map, kind, e->seen + last, &to) == 0 && to == e->disk + last);
	}
}

static void check_dialect(const struct idm_map *map, enum idm_format format)
{
	AUTO_FREE char *text = map_text(map, format, IDM_BOTH);
	AUTO_MAP struct idm_map *again = empty_map();
	struct idm_error err;

	if (idm_map_parse(again, text, 0, &err) < 0)
		FAIL("what was printed cannot be parsed: %s: %s", text, err.message);
	if (!idm_map_equal(map, again))
		FAIL("what was printed is parsed as another map: %s", text);
}

static void check_kernel_dialect(const struct idm_map *map, unsigned int kind)
{
	AUTO_FREE char *text = map_text(map, IDM_FORMAT_KERNEL, kind);
	AUTO_MAP struct idm_map *again = empty_map();
	struct idm_map side = { 0 };

	*(kind == IDM_UID ? &side.uid : &side.gid) = *idm_map_side(map, kind);
	CHECK(idm_map_parse_kernel(again, kind, text, NULL) == 0);
	CHECK(idm_map_equal(&side, again));
}

static void check_identity(const struct idm_side *identity, const struct idm_side *of)
{
	uint64_t ids = 0, all = 0;

	for (size_t i = 0; i < identity->n; i++) {
		CHECK(identity->entries[i].disk == identity->entries[i].seen);
		ids += identity->entries[i].count;
	}
	for (size_t i = 0; i < of->n; i++)
		all += of->entries[i].count;
	CHECK(ids == all);
}

static void check_algebra(const struct idm_map *map)
{
	AUTO_MAP struct idm_map *inverse = map_copy(map);
	AUTO_MAP struct idm_map *both = map_copy(map);

	idm_map_invert(inverse);
	check_side(&inverse->uid);
	check_side(&inverse->gid);
	CHECK(idm_map_compose(both, inverse) == 0);
	check_identity(&both->uid, &map->uid);
	check_identity(&both->gid, &map->gid);
	/* A composition with the identity changes nothing, on either side. */
	CHECK(idm_map_compose(both, map) == 0);
	CHECK(idm_map_equal(both, map));
	idm_map_invert(inverse);
	CHECK(idm_map_equal(inverse, map));
}

static void check_rest(const struct idm_map *map)
{
	struct idm_entry everything = { 0, 0, 4294967295U };
	const struct idm_map all = { { &everything, 1 }, { &everything, 1 } };
	AUTO_MAP struct idm_map *whole = map_copy(map);
	AUTO_MAP struct idm_map *twice = NULL;
	uint32_t to;

	CHECK(idm_map_keep_rest_within(whole, IDM_BOTH, &all, NULL) == 0);
	check_side(&whole->uid);
	check_side(&whole->gid);
	for (size_t i = 0; i < map->uid.n; i++)
		CHECK(idm_map_to_seen(whole, IDM_UID, map->uid.entries[i].disk, &to) == 0 &&
		      to == map->uid.entries[i].seen);
	twice = map_copy(whole);
	CHECK(idm_map_keep_rest_within(twice, IDM_BOTH, &all, NULL) == 0);
	CHECK(idm_map_equal(whole, twice));
}

void check_map(const struct idm_map *map)
{
	static const enum idm_format formats[] = { IDM_FORMAT_TEXT, IDM_FORMAT_CONTAINERD,
						   IDM_FORMAT_UTIL_LINUX, IDM_FORMAT_CRUN };
	unsigned int sides = sides_of(map);
	struct idm_error err;
	int r;

	check_side(&map->uid);
	check_side(&map->gid);
	check_translation(map, IDM_UID);
	check_translation(map, IDM_GID);
	for (size_t i = 0; sides && i < ARRAY_SIZE(formats); i++)
		check_dialect(map, formats[i]);
	if (sides & IDM_UID)
		check_kernel_dialect(map, IDM_UID);
	if (sides & IDM_GID)
		check_kernel_dialect(map, IDM_GID);
	check_algebra(map);
	check_rest(map);
	r = idm_map_check(map, &err);
	if (r < 0)
		CHECK_ERROR(r, &err);
	CHECK(r < 0 || sides == IDM_BOTH);
}

/* ---- bytes as numbers ---- */

uint64_t take_number(struct input *in, size_t bytes)
{
	uint64_t number = 0;

	for (size_t i = 0; i < bytes && in->left; i++) {
		number |= (uint64_t)*in->at++ << (8 * i);
		in->left--;
	}
	return number;
}

/* ---- files in memory ---- */

int memory_file(const void *content, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	CHECK(fd >= 0);
	CHECK(fchmod(fd, 0600) == 0);
	CHECK(write(fd, content, size) == (ssize_t)size);
	CHECK(lseek(fd, 0, SEEK_SET) == 0);
	return fd;
}

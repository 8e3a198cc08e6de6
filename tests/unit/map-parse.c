// SPDX-License-Identifier: MIT
/* Text to map: every dialect, good and bad. */
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/macros.h"
#include "lib/idmap/idmap.h"
#include "tests/lib/maps.h"

struct good {
	const char *text, *map;
};

static void parse_good(const struct good *g)
{
	AUTO_MAP struct idm_map *map = map_of("");
	struct idm_error err;
	int r = idm_map_parse(map, g->text, 0, &err);

	if (r < 0)
		fail_msg("\"%s\": %s", g->text, err.message);
	assert_map_at(HERE, g->text, map, g->map);
}

struct bad {
	const char *text, *subject, *reason;
};

/* Refused, with the entry named, and nothing of it in the map. */
static void parse_bad(const struct bad *b)
{
	AUTO_MAP struct idm_map *map = map_of("70000:80000:9");
	struct idm_error err;
	char what[300];

	snprintf(what, sizeof(what), "parse \"%s\"", b->text);
	assert_error_at(HERE, what, idm_map_parse(map, b->text, 0, &err), -EINVAL, &err, b->subject,
			NULL, b->reason);
	assert_int_equal(idm_map_parse(map, b->text, 0, NULL), -EINVAL);
	assert_map_at(HERE, b->text, map, "70000:80000:9");
}

#define EACH(function, table)                             \
	for (size_t i_ = 0; i_ < ARRAY_SIZE(table); i_++) \
	function(&(table)[i_])

TEST(own_words)
{
	static const struct good table[] = {
		{ "0:100000:65536", "0:100000:65536" },
		{ "0:100000", "0:100000:1" },
		{ "u:0:1:2", "u:0:1:2" },
		{ "uid:0:1:2", "u:0:1:2" },
		{ "g:0:1:2", "g:0:1:2" },
		{ "gid:0:1:2", "g:0:1:2" },
		{ "b:0:1:2", "0:1:2" },
		{ "both:0:1:2", "0:1:2" },
		{ "u:5:6", "u:5:6:1" },
		{ "b:5:6", "5:6:1" },
		{ "u:0:1:2,g:0:1:2", "0:1:2" },
		{ "u:0:1:2,g:0:1:3", "u:0:1:2,g:0:1:3" },
		{ "0:1:2,10:11:2", "0:1:2,10:11:2" },
		{ "10:11:2+0:1:2", "0:1:2,10:11:2" },
		{ "0:1:2 10:11:2", "0:1:2,10:11:2" },
		{ "0:1:2, 10:11:2 , 20:21:2", "0:1:2,10:11:2,20:21:2" },
		{ " \t0:1:2\n\n10:11:2\r\n", "0:1:2,10:11:2" },
		{ "\v0:1:2\f10:11:2", "0:1:2,10:11:2" },
		{ "b:0:0:1000 u:1000:1001 g:1000:1005",
		  "u:0:0:1000,u:1000:1001:1,g:0:0:1000,g:1000:1005:1" },
		{ "0:0:4294967295", "0:0:4294967295" },
		{ "4294967294:4294967294:1", "4294967294:4294967294:1" },
		{ "4294967294:0", "4294967294:0:1" },
		{ "0007:08:010", "7:8:10" },
	};

	EACH(parse_good, table);
}

TEST(own_words_refused)
{
	static const struct bad table[] = {
		{ "", "", "the map is empty" },
		{ " \t\n", "", "the map is empty" },
		{ "5", "5", "expected [u:|g:|b:]DISK:SEEN[:COUNT]" },
		{ "5:", "5:", "expected a number, got none" },
		{ ":", ":", "expected a number, got none" },
		{ ":1:2", ":1:2", "expected a number, got none" },
		{ "0::2", "0::2", "expected a number, got none" },
		{ "0:1:", "0:1:", "expected a number, got none" },
		{ "0:1:2:3", "0:1:2:3", "expected [u:|g:|b:]DISK:SEEN[:COUNT]" },
		{ "0:1:2:", "0:1:2:", "expected [u:|g:|b:]DISK:SEEN[:COUNT]" },
		{ "u", "u", "expected [u:|g:|b:]DISK:SEEN[:COUNT]" },
		{ "u:", "u:", "expected [u:|g:|b:]DISK:SEEN[:COUNT]" },
		{ "u:0", "u:0", "expected [u:|g:|b:]DISK:SEEN[:COUNT]" },
		{ "u:0:1:2:3", "u:0:1:2:3", "expected [u:|g:|b:]DISK:SEEN[:COUNT]" },
		{ "x:0:1", "x:0:1", "expected a number, got \"x\"" },
		{ "*:1000", "*:1000", "no two IDs can be seen as one" },
		{ "g:1000:*", "g:1000:*", "nor one ID as two" },
		{ "0:1,u:*:1000:1", "u:*:1000:1", "no two IDs can be seen as one" },
		{ "uidmap=*:0:1", "*:0:1", "no two IDs can be seen as one" },
		{ "uids=*-0-1", "*-0-1", "no two IDs can be seen as one" },
		{ "U:0:1:2", "U:0:1:2", "expected [u:|g:|b:]DISK:SEEN[:COUNT]" },
		{ "u:u:0:1", "u:u:0:1", "expected a number, got \"u\"" },
		{ "0:1:2x", "0:1:2x", "expected a number, got \"2x\"" },
		{ "0x10:1:2", "0x10:1:2", "expected a number, got \"0x10\"" },
		{ "-1:1:2", "-1:1:2", "expected a number, got \"-1\"" },
		{ "+1:1:2", "+1:1:2", "expected an entry before a separator" },
		{ "1e3:1:2", "1e3:1:2", "expected a number, got \"1e3\"" },
		{ "1.5:1:2", "1.5:1:2", "expected a number, got \"1.5\"" },
		{ "1_000:1:2", "1_000:1:2", "expected a number, got \"1_000\"" },
		{ "0:1:\xc2\xb2", "0:1:", "expected a number, got" },
		{ "4294967296:1:2", "4294967296:1:2", "\"4294967296\" does not fit in 32 bits" },
		{ "0:18446744073709551617:2", "0:18446744073709551617:2", "does not fit in 32 bits" },
		{ "0:1:99999999999999999999999", "0:1:9999999", "does not fit in 32 bits" },
		{ "0:1:2,", "0:1:2,", "expected an entry at the end" },
		{ "0:1:2+", "0:1:2+", "expected an entry at the end" },
		{ ",0:1:2", ",0:1:2", "expected an entry before a separator" },
		{ "0:1:2,,5:6:7", "0:1:2,,5:6:7", "expected an entry before a separator" },
		{ "0:1:2,+5:6:7", "0:1:2,+5:6:7", "expected an entry before a separator" },
		{ "0:1:2 , ,5:6:7", "0:1:2 , ,5:6:7", "expected an entry before a separator" },
		{ "0:1:2;5:6:7", "0:1:2;5:6:7", "expected [u:|g:|b:]DISK:SEEN[:COUNT]" },
		{ "0:1:2,50:51:52x,100:100:1", "50:51:52x", "expected a number, got \"52x\"" },
		{ "root:0", "root:0", "expected a number, got \"root\"; names are not looked up here" },
		{ "0:root", "0:root", "expected a number, got \"root\"" },
		{ "u:0:root:1", "u:0:root:1", "expected a number, got \"root\"" },
		{ "auto", "auto", "expected entries in numbers, got a path" },
		{ "auto:root", "auto:root", "expected entries in numbers, got a path" },
		{ "/proc/1/ns/user", "/proc/1/ns/user", "expected entries in numbers, got a path" },
		{ "0 1 2", "0", "expected [u:|g:|b:]DISK:SEEN[:COUNT]" },
	};

	EACH(parse_bad, table);
}

/* A hint for those who write a map as the kernel does, and for no other fault. */
TEST(colons_hinted)
{
	AUTO_MAP struct idm_map *map = map_of("");
	struct idm_error err;

	assert_int_equal(idm_map_parse(map, "0 100000 65536", 0, &err), -EINVAL);
	assert_string_equal(err.hint, "colons separate the numbers of an entry "
				      "(0:100000:65536); blanks, commas and + separate entries");
	assert_int_equal(idm_map_parse(map, "0:1:2:3", 0, &err), -EINVAL);
	assert_string_equal(err.hint, "");
}

TEST(ids_refused)
{
	static const struct bad table[] = {
		{ "0:1:0", "0:1:0", "expected a count of 1 or more, got 0" },
		{ "4294967295:0:1", "4294967295:0:1", "the disk IDs exceed 4294967294" },
		{ "0:4294967295:1", "0:4294967295:1", "the seen IDs exceed 4294967294" },
		{ "4294967294:0:2", "4294967294:0:2", "the disk IDs exceed 4294967294" },
		{ "0:4294967294:2", "0:4294967294:2", "the seen IDs exceed 4294967294" },
		{ "1:0:4294967295", "1:0:4294967295", "the disk IDs exceed 4294967294" },
		{ "0:1:4294967295", "0:1:4294967295", "the seen IDs exceed 4294967294" },
		{ "0:100:10,9:200:1", "9:200:1", "overlaps u:0:100:10: both have the disk ID 9" },
		{ "0:100:10,20:109:1", "20:109:1", "overlaps u:0:100:10: both have the seen ID 109" },
		{ "g:0:100:10 g:5:300", "g:5:300:1", "overlaps g:0:100:10: both have the disk ID 5" },
		{ "0:1:2 0:1:2", "0:1:2", "overlaps" },
		/* with what is in the map before */
		{ "70008:100", "u:70008:100:1",
		  "overlaps u:70000:80000:9: both have the disk ID 70008" },
		{ "g:100:80008", "g:100:80008:1",
		  "overlaps g:70000:80000:9: both have the seen ID 80008" },
		{ "70000:80000:9", "70000:80000:9", "overlaps" },
	};

	EACH(parse_bad, table);
}

TEST(containerd_words)
{
	static const struct good table[] = {
		{ "uidmap=0:100000:65536", "u:0:100000:65536" },
		{ "gidmap=0:100000:65536", "g:0:100000:65536" },
		{ "uidmap=0:1:2,gidmap=0:1:2", "0:1:2" },
		{ "uidmap=0:1:2,10:11:12,gidmap=0:3:4,20:21:22",
		  "u:0:1:2,u:10:11:12,g:0:3:4,g:20:21:22" },
		{ "uidmap=0:1:2;gidmap=0:1:2", "0:1:2" },
		{ "uidmap=0:1:2 gidmap=0:1:2", "0:1:2" },
		{ "uidmap=0:1:2\ngidmap=0:1:2\n", "0:1:2" },
		{ "gidmap=0:1:2,uidmap=0:1:2", "0:1:2" },
		{ "uidmap=0:1:2,uidmap=10:11:12", "u:0:1:2,u:10:11:12" },
	};
	static const struct bad refused[] = {
		{ "uidmap=", "uidmap=", "expected an entry at the end" },
		{ "uidmap=,gidmap=0:1:2", "uidmap=,gidmap=0:1:2",
		  "expected an entry before a separator" },
		{ "uidmap=0:1:2,", "uidmap=0:1:2,", "expected an entry at the end" },
		{ "uidmap=0:1", "0:1", "expected DISK:SEEN:COUNT" },
		{ "uidmap=0:1:2:3", "0:1:2:3", "expected DISK:SEEN:COUNT" },
		{ "uidmap=u:0:1:2", "u:0:1:2", "expected DISK:SEEN:COUNT" },
		{ "uidmap=0:1:2+3:4:5", "0:1:2+3:4:5", "expected DISK:SEEN:COUNT" },
		{ "uidmap=0:1:x", "0:1:x", "expected a number, got \"x\"" },
		{ "uidmap=0:1:-2", "0:1:-2", "expected a number, got \"-2\"" },
		{ "uidmap=0:1:", "0:1:", "expected a number, got none" },
		{ "uidmap=0:1:2,gidmap=0:1:4294967296", "0:1:4294967296", "does not fit in 32 bits" },
		{ "uidmap=0:1:0", "u:0:1:0", "expected a count of 1 or more, got 0" },
		{ "UIDMAP=0:1:2", "UIDMAP=0:1:2", "expected a number, got" },
		{ "uidmap:0:1:2", "uidmap:0:1:2", "expected [u:|g:|b:]DISK:SEEN[:COUNT]" },
	};

	EACH(parse_good, table);
	EACH(parse_bad, refused);
}

TEST(util_linux_words)
{
	static const struct good table[] = {
		{ "u:0:100000:65536 g:0:200000:65536", "u:0:100000:65536,g:0:200000:65536" },
		{ "b:0:100000:65536", "0:100000:65536" },
		{ "u:1000:0:1 u:0:1000:1 b:2000:3000:5",
		  "u:0:1000:1,u:1000:0:1,u:2000:3000:5,g:2000:3000:5" },
	};

	EACH(parse_good, table);
}

TEST(crun_words)
{
	static const struct good table[] = {
		{ "uids=0-100000-65536;gids=0-200000-65536", "u:0:100000:65536,g:0:200000:65536" },
		{ "idmap=uids=0-1-2;gids=0-1-2", "0:1:2" },
		{ "gids=0-1-2", "g:0:1:2" },
		{ "uids=0-1-2#10-11-12;gids=0-3-4#20-21-22", "u:0:1:2,u:10:11:12,g:0:3:4,g:20:21:22" },
		{ "gids=0-1-2;uids=0-1-2", "0:1:2" },
	};
	static const struct bad refused[] = {
		{ "uids=", "", "expected DISK-SEEN-COUNT" },
		{ "idmap=", "", "expected uids= or gids=" },
		{ "idmap=0-1-2", "0-1-2", "expected uids= or gids=" },
		{ "uids=0-1-2;", "", "expected uids= or gids=" },
		{ "uids=0-1-2;5-6-7", "5-6-7", "expected uids= or gids=" },
		{ "uids=0-1-2#", "", "expected DISK-SEEN-COUNT" },
		{ "uids=0-1", "0-1", "expected DISK-SEEN-COUNT" },
		{ "uids=0-1-2-3", "0-1-2-3", "expected DISK-SEEN-COUNT" },
		{ "uids=0:1:2", "0:1:2", "expected DISK-SEEN-COUNT" },
		{ "uids=0--1-2", "0--1-2", "expected DISK-SEEN-COUNT" },
		{ "uids=0-1-z", "0-1-z", "expected a number, got \"z\"" },
		{ "uids=0--2", "0--2", "expected a number, got none" },
		{ "uids=0-1-2 gids=0-1-2", "0-1-2 gids=0-1-2", "expected DISK-SEEN-COUNT" },
		{ "uids=@0-1-2", "@0-1-2", "relative to a container's user namespace" },
		{ "uids=0-1-2#@1-5-6", "@1-5-6", "relative to a container's user namespace" },
		{ "uids=0-1-4294967296", "0-1-4294967296", "does not fit in 32 bits" },
		{ "uids=0-1-2;gids=0-1-0", "g:0:1:0", "expected a count of 1 or more, got 0" },
	};

	EACH(parse_good, table);
	EACH(parse_bad, refused);
}

static void parse_kernel_good(const struct good *g)
{
	AUTO_MAP struct idm_map *map = map_of("");
	struct idm_error err;

	assert_ok(idm_map_parse_kernel(map, IDM_GID, g->text, &err), &err);
	assert_map_at(HERE, g->text, map, g->map);
}

static void parse_kernel_bad(const struct bad *b)
{
	AUTO_MAP struct idm_map *map = map_of("70000:80000:9");
	struct idm_error err;

	assert_error_at(HERE, b->text, idm_map_parse_kernel(map, IDM_UID, b->text, &err), -EINVAL, &err,
			b->subject, NULL, b->reason);
	assert_map_at(HERE, b->text, map, "70000:80000:9");
}

/* Whether the kernel agrees is tried in tests/integration/check/verdict.c; here it is about the words.
 */
TEST(kernel_lines)
{
	static const struct good table[] = {
		{ "         0     100000      65536\n", "g:0:100000:65536" },
		{ "0 100000 65536", "g:0:100000:65536" },
		{ "0 1 2\n10 11 12\n", "g:0:1:2,g:10:11:12" },
		{ "0\t1\t2\r\n10 11 12\v\f", "g:0:1:2,g:10:11:12" },
		{ "0\xa0"
		  "1 2\n",
		  "g:0:1:2" },
	};
	static const struct bad refused[] = {
		{ "", "", "expected a number, got none" },
		{ "\n", "", "expected a number, got none" },
		{ "0 1 2\n\n", "", "expected a number, got none" },
		{ "0 1 2\n\n10 11 12\n", "", "expected a number, got none" },
		{ "0 1\n", "0 1", "expected a number, got none" },
		{ "0 1 2\n10 11 12 13\n", "10 11 12 13", "expected three numbers, got more" },
		{ "0:1:2\n", "0:1:2", "expected a number, got \"0:1:2\"" },
		{ "0 1 -2\n", "0 1 -2", "expected a number, got \"-2\"" },
		{ "0 1 4294967296\n", "0 1 4294967296", "does not fit in 32 bits" },
		{ "0 1 0\n", "u:0:1:0", "expected a count of 1 or more, got 0" },
		{ "70008 100 1\n", "u:70008:100:1", "overlaps u:70000:80000:9" },
	};

	EACH(parse_kernel_good, table);
	EACH(parse_kernel_bad, refused);
}

TEST(unknown_kinds_and_flags)
{
	AUTO_MAP struct idm_map *map = map_of("1:2:3");
	struct idm_error err;

	assert_error(idm_map_parse(map, "7:8:9", 2, &err), -EINVAL, &err, "", "parse map",
		     "unknown flags 0x2");
	assert_error(idm_map_parse(map, "7:8:9", IDM_MAP_PARSE_LOOKUP | 0x80000000U, &err), -EINVAL,
		     &err, "", "parse map", "unknown flags");
	assert_error(idm_map_parse_kernel(map, IDM_BOTH, "7 8 9", &err), -EINVAL, &err, "", "parse map",
		     "unknown kind 0x3");
	assert_error(idm_map_parse_kernel(map, 0, "7 8 9", &err), -EINVAL, &err, "", "parse map",
		     "unknown kind 0x0");
	assert_map(map, "1:2:3");
}

/* A message that quotes half of an entry as if it were the whole would send its reader astray. */
TEST(long_entries_are_quoted_whole_or_marked_as_cut)
{
	AUTO_MAP struct idm_map *map = map_of("");
	struct idm_error err;
	char text[2000];

	snprintf(text, sizeof(text), "0:1:%0300dx", 7);
	assert_error(idm_map_parse(map, text, 0, &err), -EINVAL, &err, text, "parse map", "7x\"");

	snprintf(text, sizeof(text), "0:1:%01500dx", 7);
	assert_error(idm_map_parse(map, text, 0, &err), -EINVAL, &err, "...", "parse map", "...");
	assert_true(err.subject.length > 100 && strlen(err.message) < sizeof(err.message));
}

TEST(control_characters_do_not_get_into_messages)
{
	static const struct bad table[] = {
		{ "0:1:2\x1b[31m", "0:1:2\\033[31m", "\\033[31m\"" },
		{ "\x01:1:2", "\\001:1:2", "expected a number, got \"\\001\"" },
		{ "0:1:\x7f", "0:1:\\177", "expected a number, got \"\\177\"" },
	};

	EACH(parse_bad, table);
}

static void parse_inside(const struct good *g)
{
	AUTO_MAP struct idm_map *map = map_of(""),
				*container = map_of("0:1:1500,1500:0:1,1501:1501:100");
	struct idm_error err;
	int r = idm_map_parse_inside(map, g->text, container, &err);

	if (r < 0)
		fail_msg("\"%s\": %s", g->text, err.message);
	assert_map_at(HERE, g->text, map, g->map);
}

static void parse_bad_inside(const struct bad *b)
{
	AUTO_MAP struct idm_map *map = map_of(""), *container = map_of("u:0:1:10,g:0:1:5");
	struct idm_error err;

	assert_error_at(HERE, b->text, idm_map_parse_inside(map, b->text, container, &err), -EINVAL,
			&err, b->subject, NULL, b->reason);
	assert_map_at(HERE, b->text, map, "");
}

TEST(relative_to_a_container)
{
	static const struct good table[] = {
		{ "0:100000:65536", "0:100000:65536" },
		{ "@1000:0", "1000:1:1" },
		{ " @u:1000:5,g:7:1500", "u:1000:6:1,g:7:0:1" },
		{ "@uidmap=1000:0:1 gidmap=5:6:1", "u:1000:1:1,g:5:7:1" },
		{ "@0:1499:3", "0:1500:1,1:0:1,2:1501:1" },
		{ "uids=@1000-0-1;gids=1000-0-1", "u:1000:1:1,g:1000:0:1" },
		{ "idmap=uids=@0-0-2#5-5-1;gids=5-5-1#@0-0-2", "0:1:2,5:5:1" },
	};
	static const struct bad refused[] = {
		{ "@", "", "expected an entry" },
		{ "@@1:1", "@1:1", "expected a number, got \"@1\"" },
		{ "@0:1,@1:2", "@1:2", "expected a number, got \"@1\"" },
		{ "@u:0:9:2", "u:0:9:2", "the container's user namespace lacks uid 10" },
		{ "@0:5", "0:5", "the container's user namespace lacks gid 5" },
		{ "uids=@0-0-4294967295", "0-0-4294967295",
		  "the container's user namespace lacks uid 10" },
		{ "uids=@4294967290-0-9", "u:4294967290:0:9",
		  "the disk IDs exceed 4294967294, the last ID" },
		{ "uids=@0-4294967295-9", "0-4294967295-9", "lacks uid 4294967295" },
		{ "uids=@0-1-0", "u:0:1:0", "expected a count of 1 or more, got 0" },
	};
	static const struct bad without[] = {
		{ "@0:1:2", "@0:1:2", "relative to a container's user namespace" },
	};

	EACH(parse_inside, table);
	EACH(parse_bad_inside, refused);
	EACH(parse_bad, without);
}

TEST(parsing_adds_to_what_is_there)
{
	AUTO_MAP struct idm_map *map = map_of("0:100:10");
	struct idm_error err;

	assert_ok(idm_map_parse(map, "u:10:110:5", 0, &err), &err);
	assert_map(map, "u:0:100:15,g:0:100:10");
	assert_ok(idm_map_parse(map, "uids=50-60-1;gids=50-60-1", 0, &err), &err);
	assert_map(map, "u:0:100:15,u:50:60:1,g:0:100:10,g:50:60:1");
}

/* More entries than the kernel accepts are no reason to refuse the text: they may still merge. */
TEST(many_entries)
{
	AUTO_MAP struct idm_map *map = map_of("");
	AUTO_FREE char *text = malloc(100000 * 20);
	struct idm_error err;
	size_t n = 0;

	assert_non_null(text);
	for (int i = 99999; i >= 0; i--)
		n += (size_t)sprintf(text + n, "%d:%d:1%s", i, 500000 + i, i ? "," : "");
	assert_ok(idm_map_parse(map, text, 0, &err), &err);
	assert_map(map, "0:500000:100000");
}

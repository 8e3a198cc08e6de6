// SPDX-License-Identifier: MIT
/* Canonical form and the algebra, by examples. Random maps are tried in map-random.c. */
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/macros.h"
#include "tests/lib/maps.h"

static int add(struct idm_map *map, unsigned int kinds, uint32_t disk, uint32_t seen, uint32_t count,
	       struct idm_error *err)
{
	struct idm_entry e = { disk, seen, count };

	return idm_map_add(map, kinds, &e, 1, err);
}

/* ---- what is in a map ---- */

TEST(a_new_map_is_empty)
{
	AUTO_MAP struct idm_map *map = NULL;
	const struct idm_entry *e;

	assert_int_equal(idm_map_new(&map), 0);
	assert_int_equal(idm_map_entries(map, IDM_UID, &e), 0);
	assert_int_equal(idm_map_entries(map, IDM_GID, &e), 0);
	assert_map(map, "");
	idm_map_free(NULL);
}

TEST(entries_are_sorted_by_disk_id)
{
	AUTO_MAP struct idm_map *map = map_of("u:30:5:1,u:10:50:1,u:20:7:1");
	const struct idm_entry *e;

	assert_int_equal(idm_map_entries(map, IDM_UID, &e), 3);
	assert_int_equal(e[0].disk, 10);
	assert_int_equal(e[0].seen, 50);
	assert_int_equal(e[0].count, 1);
	assert_int_equal(e[1].disk, 20);
	assert_int_equal(e[2].disk, 30);
	assert_int_equal(idm_map_entries(map, IDM_GID, &e), 0);
	assert_null(e);
}

TEST(entries_of_no_kind)
{
	AUTO_MAP struct idm_map *map = map_of("0:1:2");
	const struct idm_entry *e = (const struct idm_entry *)map;

	assert_int_equal(idm_map_entries(map, IDM_BOTH, &e), 0);
	assert_null(e);
	assert_int_equal(idm_map_entries(map, 0, &e), 0);
	assert_int_equal(idm_map_entries(map, 4, &e), 0);
}

TEST(neighbours_in_both_columns_are_merged)
{
	static const struct {
		const char *text, *canonical;
	} table[] = {
		{ "0:100:5,5:105:5", "0:100:10" },
		{ "5:105:5,0:100:5", "0:100:10" },
		{ "0:100:5,5:105:5,10:110:5", "0:100:15" },
		{ "0:100:5,10:110:5,5:105:5", "0:100:15" },
		{ "0:100:5,5:106:5", "0:100:5,5:106:5" }, /* not in the seen column */
		{ "0:100:5,6:105:5", "0:100:5,6:105:5" }, /* not in the disk column */
		{ "0:100:5,5:95:5", "0:100:5,5:95:5" },	  /* neighbours, but the other way round */
		{ "0:0:4294967294,4294967294:4294967294:1", "0:0:4294967295" },
		{ "u:0:100:5,g:5:105:5", "u:0:100:5,g:5:105:5" }, /* on different sides */
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		AUTO_MAP struct idm_map *map = map_of(table[i].text);

		assert_map_at(HERE, table[i].text, map, table[i].canonical);
	}
}

TEST(merging_goes_on_over_many_calls)
{
	AUTO_MAP struct idm_map *map = map_of("");

	assert_ok(add(map, IDM_BOTH, 10, 110, 5, NULL), NULL);
	assert_ok(add(map, IDM_BOTH, 0, 100, 5, NULL), NULL);
	assert_map(map, "0:100:5,10:110:5");
	assert_ok(add(map, IDM_BOTH, 5, 105, 5, NULL), NULL);
	assert_map(map, "0:100:15");
}

TEST(adding_nothing_changes_nothing)
{
	AUTO_MAP struct idm_map *map = map_of("1:2:3");
	struct idm_error err;

	assert_ok(idm_map_add(map, IDM_BOTH, NULL, 0, &err), &err);
	assert_map(map, "1:2:3");
}

/* ---- what is refused ---- */

static void assert_refused(const char *have, unsigned int kinds, struct idm_entry e, const char *subject,
			   const char *reason)
{
	AUTO_MAP struct idm_map *map = map_of(have);
	AUTO_MAP struct idm_map *before = map_of(have);
	struct idm_error err;

	assert_error(idm_map_add(map, kinds, &e, 1, &err), -EINVAL, &err, subject, "add to map", reason);
	assert_same_map(map, before);
	assert_int_equal(idm_map_add(map, kinds, &e, 1, NULL), -EINVAL);
	assert_same_map(map, before);
}

TEST(the_last_id_is_4294967294)
{
	AUTO_MAP struct idm_map *map = map_of("");

	assert_ok(add(map, IDM_BOTH, 4294967294U, 0, 1, NULL), NULL);
	assert_ok(add(map, IDM_BOTH, 0, 4294967294U, 1, NULL), NULL);
	assert_map(map, "0:4294967294:1,4294967294:0:1");
	assert_refused("", IDM_UID, (struct idm_entry){ 4294967295U, 0, 1 }, "u:4294967295:0:1",
		       "the disk IDs exceed 4294967294, the last ID");
	assert_refused("", IDM_GID, (struct idm_entry){ 0, 4294967295U, 1 }, "g:0:4294967295:1",
		       "the seen IDs exceed 4294967294, the last ID");
	assert_refused("", IDM_BOTH, (struct idm_entry){ 0, 1, 4294967295U }, "0:1:4294967295",
		       "the seen IDs exceed");
	assert_refused("", IDM_BOTH, (struct idm_entry){ 1, 0, 4294967295U }, "1:0:4294967295",
		       "the disk IDs exceed");
	assert_refused("", IDM_BOTH, (struct idm_entry){ 4294967295U, 4294967295U, 4294967295U }, "429",
		       "the disk IDs exceed");
}

TEST(a_count_is_not_zero)
{
	assert_refused("", IDM_BOTH, (struct idm_entry){ 0, 0, 0 }, "0:0:0",
		       "expected a count of 1 or more, got 0");
	assert_refused("1:2:3", IDM_UID, (struct idm_entry){ 4294967295U, 0, 0 }, "u:4294967295:0:0",
		       "expected a count of 1 or more, got 0");
}

TEST(kinds_are_known)
{
	assert_refused("1:2:3", 0, (struct idm_entry){ 7, 7, 1 }, "", "unknown kinds 0x0");
	assert_refused("1:2:3", 4, (struct idm_entry){ 7, 7, 1 }, "", "unknown kinds 0x4");
	assert_refused("1:2:3", IDM_BOTH | 8, (struct idm_entry){ 7, 7, 1 }, "", "unknown kinds 0xb");
}

TEST(overlap_in_either_column)
{
	/* The entry is 100:200:10. One ID too many at either end, and the last that fits. */
	static const struct {
		struct idm_entry e;
		const char *column;
	} table[] = {
		{ { 90, 0, 10 }, NULL },
		{ { 90, 0, 11 }, "the disk ID 100" },
		{ { 110, 0, 10 }, NULL },
		{ { 109, 0, 10 }, "the disk ID 109" },
		{ { 0, 190, 10 }, NULL },
		{ { 0, 190, 11 }, "the seen ID 200" },
		{ { 0, 210, 10 }, NULL },
		{ { 0, 209, 10 }, "the seen ID 209" },
		{ { 104, 0, 1 }, "the disk ID 104" },
		{ { 0, 204, 1 }, "the seen ID 204" },
		{ { 50, 0, 150 }, "the disk ID 100" },
		{ { 500, 50, 300 }, "the seen ID 200" },
		{ { 100, 200, 10 }, "the disk ID 100" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		AUTO_MAP struct idm_map *map = map_of("100:200:10");

		if (table[i].column)
			assert_refused("100:200:10", IDM_GID, table[i].e, "g:", table[i].column);
		else
			assert_ok(idm_map_add(map, IDM_BOTH, &table[i].e, 1, NULL), NULL);
	}
}

TEST(overlap_names_the_two)
{
	assert_refused("u:100:200:10", IDM_UID, (struct idm_entry){ 105, 0, 2 }, "u:105:0:2",
		       "overlaps u:100:200:10: both have the disk ID 105");
	assert_refused("u:100:200:10", IDM_UID, (struct idm_entry){ 300, 205, 2 }, "u:300:205:2",
		       "overlaps u:100:200:10: both have the seen ID 205");
}

TEST(one_bad_side_leaves_both_alone)
{
	/* Good for the uid side, an overlap on the gid side. */
	assert_refused("u:0:100:10,g:50:500:10", IDM_BOTH, (struct idm_entry){ 55, 700, 1 },
		       "g:55:700:1", "overlaps g:50:500:10");
}

TEST(one_bad_entry_among_good_ones)
{
	static const struct idm_entry entries[] = { { 0, 0, 1 }, { 5, 5, 1 }, { 9, 9, 0 }, { 7, 7, 1 } };
	AUTO_MAP struct idm_map *map = map_of("100:100:1");
	struct idm_error err;

	assert_error(idm_map_add(map, IDM_BOTH, entries, ARRAY_SIZE(entries), &err), -EINVAL, &err,
		     "9:9:0", "add to map", "expected a count of 1 or more, got 0");
	assert_map(map, "100:100:1");
}

TEST(entries_that_are_null_are_refused)
{
	AUTO_MAP struct idm_map *map = map_of("100:100:1");
	struct idm_error err;

	assert_error(idm_map_add(map, IDM_BOTH, NULL, 3, &err), -EINVAL, &err, "", "add to map",
		     "entries: expected 3 entries, got NULL");
	assert_map(map, "100:100:1");
}

/* ---- copy and equality ---- */

TEST(copies_are_equal_and_independent)
{
	AUTO_MAP struct idm_map *map = map_of("u:0:100:10,g:5:6:7");
	AUTO_MAP struct idm_map *copy = NULL;

	assert_int_equal(idm_map_copy(map, &copy), 0);
	assert_true(idm_map_equal(map, copy));
	assert_ok(add(copy, IDM_UID, 500, 500, 1, NULL), NULL);
	assert_false(idm_map_equal(map, copy));
	assert_map(map, "u:0:100:10,g:5:6:7");
	assert_map(copy, "u:0:100:10,u:500:500:1,g:5:6:7");
}

TEST(equality_is_about_what_a_map_says)
{
	static const struct {
		const char *a, *b;
		bool equal;
	} table[] = {
		{ "0:100:10", "b:0:100:10", true },
		{ "0:100:5,5:105:5", "0:100:10", true },
		{ "1:5,0:9", "0:9,1:5", true },
		{ "uidmap=0:1:2,gidmap=0:1:2", "uids=0-1-2;gids=0-1-2", true },
		{ "", "", true },
		{ "0:100:10", "0:100:11", false },
		{ "0:100:10", "0:101:10", false },
		{ "0:100:10", "1:100:10", false },
		{ "0:100:10", "u:0:100:10", false },
		{ "u:0:100:10", "g:0:100:10", false },
		{ "0:100:10", "", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		AUTO_MAP struct idm_map *a = map_of(table[i].a);
		AUTO_MAP struct idm_map *b = map_of(table[i].b);

		if (idm_map_equal(a, b) != table[i].equal || idm_map_equal(b, a) != table[i].equal)
			fail_msg("\"%s\" and \"%s\"", table[i].a, table[i].b);
	}
}

/* ---- invert, compose, translate, keep the rest ---- */

static void assert_inverse(const char *text, const char *inverse)
{
	AUTO_MAP struct idm_map *map = map_of(text);

	idm_map_invert(map);
	assert_map_at(HERE, text, map, inverse);
	idm_map_invert(map);
	assert_map_at(HERE, inverse, map, text);
}

TEST(inverting_exchanges_the_columns)
{
	assert_inverse("", "");
	assert_inverse("0:100000:65536", "100000:0:65536");
	assert_inverse("u:0:500:10,u:10:100:10,g:1:2:3", "u:100:10:10,u:500:0:10,g:2:1:3");
	assert_inverse("0:0:4294967295", "0:0:4294967295");
	assert_inverse("0:4294967294:1,4294967294:0:1", "0:4294967294:1,4294967294:0:1");
}

static void assert_composition(const char *first, const char *then, const char *whole)
{
	AUTO_MAP struct idm_map *map = map_of(first);
	AUTO_MAP struct idm_map *second = map_of(then);

	assert_int_equal(idm_map_compose(map, second), 0);
	assert_map_at(HERE, first, map, whole);
	assert_map_at(HERE, then, second, then);
}

TEST(composing_goes_through_both)
{
	assert_composition("0:100:10", "100:1000:10", "0:1000:10");
	assert_composition("0:100:10", "105:1000:10", "5:1000:5");
	assert_composition("0:100:10", "95:1000:10", "0:1005:5");
	assert_composition("0:100:10", "103:1000:2,107:2000:1", "3:1000:2,7:2000:1");
	assert_composition("0:100:10", "200:1000:10", "");
	assert_composition("0:100:10", "", "");
	assert_composition("", "0:100:10", "");
	assert_composition("0:100:10", "0:0:4294967295", "0:100:10");
	assert_composition("0:0:4294967295", "5:6:7", "5:6:7");
	assert_composition("0:100000:65536", "100000:0:65536", "0:0:65536");
	assert_composition("0:10:5,5:20:5", "10:100:5,20:105:5", "0:100:10");
	assert_composition("u:0:100:10", "g:100:1000:10", "");
	assert_composition("4294967294:0:1", "0:4294967294:1", "4294967294:4294967294:1");
}

TEST(a_map_can_be_composed_with_itself)
{
	AUTO_MAP struct idm_map *map = map_of("0:1:1,1:2:1,2:0:1");

	assert_int_equal(idm_map_compose(map, map), 0);
	assert_map(map, "0:2:1,1:0:2");
}

TEST(ids_are_translated_either_way)
{
	AUTO_MAP struct idm_map *map = map_of("u:0:100:10,u:10:50:5,g:4294967294:0:1");
	static const struct {
		unsigned int kind;
		uint32_t disk, seen;
	} pairs[] = {
		{ IDM_UID, 0, 100 }, { IDM_UID, 9, 109 },	  { IDM_UID, 10, 50 },
		{ IDM_UID, 14, 54 }, { IDM_GID, 4294967294U, 0 },
	};
	static const uint32_t not_on_disk[] = { 15, 100, 4294967294U, 4294967295U };
	static const uint32_t not_seen[] = { 0, 49, 55, 99, 110, 4294967295U };
	uint32_t id = 77;

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		assert_int_equal(idm_map_to_seen(map, pairs[i].kind, pairs[i].disk, &id), 0);
		assert_int_equal(id, pairs[i].seen);
		assert_int_equal(idm_map_to_disk(map, pairs[i].kind, pairs[i].seen, &id), 0);
		assert_int_equal(id, pairs[i].disk);
	}
	id = 77;
	for (size_t i = 0; i < ARRAY_SIZE(not_on_disk); i++)
		assert_int_equal(idm_map_to_seen(map, IDM_UID, not_on_disk[i], &id), -ENOENT);
	for (size_t i = 0; i < ARRAY_SIZE(not_seen); i++)
		assert_int_equal(idm_map_to_disk(map, IDM_UID, not_seen[i], &id), -ENOENT);
	assert_int_equal(idm_map_to_seen(map, IDM_BOTH, 0, &id), -EINVAL);
	assert_int_equal(idm_map_to_disk(map, 0, 100, &id), -EINVAL);
	assert_int_equal(id, 77);
}

static void assert_kept_within(const char *text, unsigned int kinds, const char *within,
			       const char *whole)
{
	AUTO_MAP struct idm_map *map = map_of(text), *ids = map_of(within);
	struct idm_error err;

	assert_ok(idm_map_keep_rest_within(map, kinds, ids, &err), &err);
	assert_map_at(HERE, text, map, whole);
}

static void assert_kept(const char *text, unsigned int kinds, const char *whole)
{
	assert_kept_within(text, kinds, "0:0:4294967295", whole);
}

TEST(keeping_the_rest)
{
	assert_kept("", IDM_BOTH, "0:0:4294967295");
	assert_kept("", IDM_GID, "g:0:0:4294967295");
	assert_kept("u:1000:0:1", IDM_GID, "u:1000:0:1,g:0:0:4294967295");
	/* 1000 is seen as 0. Disk id 0 cannot be seen as 0 as well, and nothing is seen as 1000. */
	assert_kept("1000:0:1", IDM_BOTH, "1:1:999,1000:0:1,1001:1001:4294966294");
	assert_kept("0:1000:1,1000:0:1", IDM_BOTH, "0:1000:1,1:1:999,1000:0:1,1001:1001:4294966294");
	assert_kept("0:100000:65536", IDM_BOTH,
		    "0:100000:65536,65536:65536:34464,165536:165536:4294801759");
	assert_kept("0:5:10", IDM_BOTH, "0:5:10,15:15:4294967280"); /* the columns overlap each other */
	assert_kept("0:0:4294967295", IDM_BOTH, "0:0:4294967295");
	assert_kept("4294967294:0:1", IDM_BOTH, "1:1:4294967293,4294967294:0:1");
	assert_kept("0:4294967294:1", IDM_BOTH, "0:4294967294:1,1:1:4294967293");
	assert_kept("1:0:4294967294", IDM_BOTH, "1:0:4294967294");
}

TEST(keeping_the_rest_of_the_ids_that_there_are)
{
	assert_kept_within("", IDM_BOTH, "0:100000:65536", "0:0:65536");
	assert_kept_within("", IDM_BOTH, "", "");
	assert_kept_within("5:6:1", IDM_BOTH, "", "5:6:1");
	assert_kept_within("1000:0:1", IDM_BOTH, "0:1000:1,1:100000:65536",
			   "1:1:999,1000:0:1,1001:1001:64536");
	/* Pieces that are apart, and a hole in the middle of what is free */
	assert_kept_within("0:7:1", IDM_BOTH, "0:9:5,10:90:5,4294967294:1:1",
			   "0:7:1,1:1:4,10:10:5,4294967294:4294967294:1");
	/* Each side by its own IDs; entries of the map stay, also outside */
	assert_kept_within("u:100:200:1", IDM_BOTH, "u:0:0:10,g:20:20:2",
			   "u:0:0:10,u:100:200:1,g:20:20:2");
	assert_kept_within("u:1:0:1", IDM_GID, "0:0:3", "u:1:0:1,g:0:0:3");
}

TEST(keeping_the_rest_of_what)
{
	AUTO_MAP struct idm_map *map = map_of("1:2:3");
	struct idm_error err;

	assert_error(idm_map_keep_rest(map, 0, &err), -EINVAL, &err, "", "keep the rest",
		     "unknown kinds 0x0");
	assert_error(idm_map_keep_rest(map, 12, &err), -EINVAL, &err, "", "keep the rest",
		     "unknown kinds 0xc");
	assert_map(map, "1:2:3");
}

/* ---- what the kernel accepts ---- */

/* n entries of one ID each that do not merge. */
static struct idm_map *entries_on(unsigned int kinds, uint32_t n)
{
	struct idm_map *map = map_of("");

	for (uint32_t i = 0; i < n; i++)
		assert_ok(add(map, kinds, 2 * i, 3 * i, 1, NULL), NULL);
	return map;
}

TEST(no_more_than_340_entries_a_side)
{
	AUTO_MAP struct idm_map *most = entries_on(IDM_BOTH, 340);
	AUTO_MAP struct idm_map *more = entries_on(IDM_BOTH, 341);
	AUTO_MAP struct idm_map *gids = entries_on(IDM_GID, 400);
	struct idm_error err;

	assert_ok(idm_map_check(most, &err), &err);
	assert_error(idm_map_check(more, &err), -E2BIG, &err, "", "check map",
		     "expected at most 340 uid entries, which is the kernel's limit, got 341");
	assert_ok(add(gids, IDM_UID, 0, 0, 1, NULL), NULL);
	assert_error(idm_map_check(gids, &err), -E2BIG, &err, "", "check map",
		     "expected at most 340 gid entries, which is the kernel's limit, got 400");
	assert_int_equal(idm_map_check(more, NULL), -E2BIG);
}

/* 136 lines of 30 bytes and one of `last`: "4000000000 4100000000 1000000\n" is 30. */
static struct idm_map *bytes_on(unsigned int kinds, int last)
{
	struct idm_map *map = map_of("");

	for (uint32_t i = 0; i < 136; i++)
		assert_ok(add(map, kinds, 4000000000U + i * 1000001, 4100000000U + i * 1000002, 1000000,
			      NULL),
			  NULL);
	/* "d seen 1\n" with a disk id of the right length */
	assert_ok(add(map, kinds, last == 15 ? 10000000 : 100000000, 100, 1, NULL), NULL);
	return map;
}

TEST(no_more_than_4095_bytes_a_side)
{
	AUTO_MAP struct idm_map *most = bytes_on(IDM_BOTH, 15);
	AUTO_MAP struct idm_map *more = bytes_on(IDM_BOTH, 16);
	AUTO_MAP struct idm_map *gids = bytes_on(IDM_GID, 16);
	struct idm_error err;

	assert_int_equal(idm_map_print(most, IDM_FORMAT_KERNEL, IDM_UID, NULL, 0), 4095);
	assert_ok(idm_map_check(most, &err), &err);
	assert_int_equal(idm_map_print(more, IDM_FORMAT_KERNEL, IDM_UID, NULL, 0), 4096);
	assert_error(idm_map_check(more, &err), -E2BIG, &err, "", "check map",
		     "expected uid entries of at most 4095 bytes of text, which is the kernel's "
		     "limit, got 4096");
	assert_ok(add(gids, IDM_UID, 0, 0, 1, NULL), NULL);
	assert_error(idm_map_check(gids, &err), -E2BIG, &err, "", "check map",
		     "gid entries of at most 4095 bytes");
}

TEST(both_sides_have_to_be_there)
{
	AUTO_MAP struct idm_map *uids = map_of("u:0:1:2");
	AUTO_MAP struct idm_map *gids = map_of("g:0:1:2");
	AUTO_MAP struct idm_map *none = map_of("");
	struct idm_error err;

	assert_error(idm_map_check(uids, &err), -EINVAL, &err, "", "check map",
		     "the map has no gid entries");
	assert_contains(err.hint, "g:0:100000:65536");
	assert_error(idm_map_check(gids, &err), -EINVAL, &err, "", "check map",
		     "the map has no uid entries");
	assert_contains(err.hint, "u:0:100000:65536");
	assert_error(idm_map_check(none, &err), -EINVAL, &err, "", "check map",
		     "the map has no uid entries");
}

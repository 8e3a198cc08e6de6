// SPDX-License-Identifier: MIT
/*
 * Random maps against a model that is too simple to be wrong: one array cell for every ID. The IDs
 * are few, so that entries often meet, or are at either end of the 32 bits.
 */
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/macros.h"
#include "tests/lib/maps.h"

#define ROUNDS (test_is_slow() ? 1000 : 20000)
#define IDS 48
#define NONE UINT32_MAX

/* What each disk id is seen as. */
struct model {
	uint32_t seen[IDS];
};

static struct model model_of(const struct idm_map *map, unsigned int kind)
{
	const struct idm_entry *e;
	size_t n = idm_map_entries(map, kind, &e);
	struct model m;

	for (uint32_t i = 0; i < IDS; i++)
		m.seen[i] = NONE;
	for (size_t i = 0; i < n; i++)
		for (uint32_t k = 0; k < e[i].count; k++) {
			assert_int_equal(m.seen[e[i].disk + k], NONE);
			m.seen[e[i].disk + k] = e[i].seen + k;
		}
	return m;
}

static bool model_sees(const struct model *m, uint32_t seen)
{
	for (uint32_t i = 0; i < IDS; i++)
		if (m->seen[i] == seen)
			return true;
	return false;
}

/* Sorted, no two that could be one, none that meet. */
static void assert_canonical(const struct idm_map *map, unsigned int kind)
{
	const struct idm_entry *e;
	size_t n = idm_map_entries(map, kind, &e);

	for (size_t i = 0; i < n; i++)
		assert_int_not_equal(e[i].count, 0);
	for (size_t i = 1; i < n; i++) {
		assert_true(e[i - 1].disk + e[i - 1].count <= e[i].disk);
		assert_false(e[i - 1].disk + e[i - 1].count == e[i].disk &&
			     e[i - 1].seen + e[i - 1].count == e[i].seen);
	}
}

static void assert_is_model(const struct idm_map *map, unsigned int kind, const struct model *m)
{
	struct model actual = model_of(map, kind);

	assert_canonical(map, kind);
	for (uint32_t i = 0; i < IDS; i++)
		if (actual.seen[i] != m->seen[i]) {
			AUTO_FREE char *text = map_text(map, IDM_FORMAT_TEXT, IDM_BOTH);

			fail_msg("disk id %u is seen as %d, expected %d, in %s", i, (int)actual.seen[i],
				 (int)m->seen[i], text);
		}
}

/* ---- one operation after the other ---- */

static bool model_add(struct model *m, const struct idm_entry *e)
{
	if (!e->count)
		return false;
	for (uint32_t k = 0; k < e->count; k++)
		if (m->seen[e->disk + k] != NONE || model_sees(m, e->seen + k))
			return false;
	for (uint32_t k = 0; k < e->count; k++)
		m->seen[e->disk + k] = e->seen + k;
	return true;
}

TEST(add_takes_what_the_model_takes)
{
	struct rng rng = rng_new(1);
	int taken = 0, refused = 0;

	for (int round = 0; round < ROUNDS; round++) {
		AUTO_MAP struct idm_map *map = random_map(&rng, 8, IDS);
		struct model u = model_of(map, IDM_UID), g = model_of(map, IDM_GID);
		struct model u_before = u, g_before = g;
		struct idm_entry e[3];
		size_t n = 1 + rng_below(&rng, 3);
		unsigned int kinds = 1 + rng_below(&rng, 3);
		bool good = true;

		for (size_t i = 0; i < n; i++) {
			uint32_t count = rng_below(&rng, 6);

			e[i] = (struct idm_entry){ rng_below(&rng, IDS - count),
						   rng_below(&rng, IDS - count), count };
			good = good && (!(kinds & IDM_UID) || model_add(&u, &e[i])) &&
			       (!(kinds & IDM_GID) || model_add(&g, &e[i]));
		}
		assert_int_equal(idm_map_add(map, kinds, e, n, NULL), good ? 0 : -EINVAL);
		assert_is_model(map, IDM_UID, good ? &u : &u_before);
		assert_is_model(map, IDM_GID, good ? &g : &g_before);
		taken += good;
		refused += !good;
	}
	/* The dice must have been fair, or this was no test. */
	note("%d taken, %d refused", taken, refused);
	assert_true(taken > ROUNDS / 10 && refused > ROUNDS / 10);
}

TEST(translation_is_the_model)
{
	struct rng rng = rng_new(2);

	for (int round = 0; round < ROUNDS / 10; round++) {
		AUTO_MAP struct idm_map *map = random_map(&rng, 10, IDS);
		unsigned int kind = 1 + rng_below(&rng, 2);
		struct model m = model_of(map, kind);
		uint32_t id;

		for (uint32_t i = 0; i < IDS; i++) {
			int expected = m.seen[i] == NONE ? -ENOENT : 0;

			assert_int_equal(idm_map_to_seen(map, kind, i, &id), expected);
			if (expected == 0) {
				assert_int_equal(id, m.seen[i]);
				assert_int_equal(idm_map_to_disk(map, kind, m.seen[i], &id), 0);
				assert_int_equal(id, i);
			}
			assert_int_equal(idm_map_to_disk(map, kind, i, &id) == 0, model_sees(&m, i));
		}
	}
}

TEST(inverting_exchanges_disk_and_seen)
{
	struct rng rng = rng_new(3);

	for (int round = 0; round < ROUNDS; round++) {
		AUTO_MAP struct idm_map *map = random_map(&rng, 10, IDS);
		AUTO_MAP struct idm_map *twice = NULL;
		struct model m = model_of(map, IDM_UID), inverse;

		for (uint32_t i = 0; i < IDS; i++)
			inverse.seen[i] = NONE;
		for (uint32_t i = 0; i < IDS; i++)
			if (m.seen[i] != NONE)
				inverse.seen[m.seen[i]] = i;

		assert_int_equal(idm_map_copy(map, &twice), 0);
		idm_map_invert(twice);
		assert_is_model(twice, IDM_UID, &inverse);
		assert_canonical(twice, IDM_GID);
		idm_map_invert(twice);
		assert_same_map(twice, map);
	}
}

static struct model model_compose(const struct model *first, const struct model *then)
{
	struct model m;

	for (uint32_t i = 0; i < IDS; i++)
		m.seen[i] = first->seen[i] == NONE ? NONE : then->seen[first->seen[i]];
	return m;
}

TEST(composing_is_the_model)
{
	struct rng rng = rng_new(4);

	for (int round = 0; round < ROUNDS; round++) {
		AUTO_MAP struct idm_map *a = random_map(&rng, 10, IDS);
		AUTO_MAP struct idm_map *b = random_map(&rng, 10, IDS);
		struct model ua = model_of(a, IDM_UID), ub = model_of(b, IDM_UID);
		struct model ga = model_of(a, IDM_GID), gb = model_of(b, IDM_GID);
		struct model u = model_compose(&ua, &ub), g = model_compose(&ga, &gb);

		assert_int_equal(idm_map_compose(a, b), 0);
		assert_is_model(a, IDM_UID, &u);
		assert_is_model(a, IDM_GID, &g);
	}
}

TEST(composing_is_associative)
{
	struct rng rng = rng_new(5);

	for (int round = 0; round < ROUNDS; round++) {
		/* The whole of the 32 bits here: long entries, as in life. */
		AUTO_MAP struct idm_map *a = random_map(&rng, 20, 4294967295U);
		AUTO_MAP struct idm_map *b = random_map(&rng, 20, 4294967295U);
		AUTO_MAP struct idm_map *c = random_map(&rng, 20, 4294967295U);
		AUTO_MAP struct idm_map *ab_c = NULL;
		AUTO_MAP struct idm_map *a_bc = NULL;

		assert_int_equal(idm_map_copy(a, &ab_c), 0);
		assert_int_equal(idm_map_compose(ab_c, b), 0);
		assert_int_equal(idm_map_compose(ab_c, c), 0);
		assert_int_equal(idm_map_compose(b, c), 0);
		assert_int_equal(idm_map_copy(a, &a_bc), 0);
		assert_int_equal(idm_map_compose(a_bc, b), 0);
		assert_same_map(ab_c, a_bc);
	}
}

TEST(a_map_and_its_inverse_are_the_identity_on_what_is_mapped)
{
	struct rng rng = rng_new(6);

	for (int round = 0; round < ROUNDS / 4; round++) {
		AUTO_MAP struct idm_map *map = random_map(&rng, 20, 4294967295U);
		AUTO_MAP struct idm_map *inverse = NULL;
		const struct idm_entry *e;
		size_t n;

		assert_int_equal(idm_map_copy(map, &inverse), 0);
		idm_map_invert(inverse);
		assert_int_equal(idm_map_compose(map, inverse), 0);
		n = idm_map_entries(map, IDM_UID, &e);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(e[i].disk, e[i].seen);
	}
}

TEST(keeping_the_rest_is_the_model)
{
	struct rng rng = rng_new(7);

	for (int round = 0; round < ROUNDS / 4; round++) {
		AUTO_MAP struct idm_map *map = random_map(&rng, 10, IDS);
		AUTO_MAP struct idm_map *all = map_of("0:0:4294967295");
		struct model m = model_of(map, IDM_UID);
		uint32_t id;

		assert_int_equal(idm_map_keep_rest_within(map, IDM_UID, all, NULL), 0);
		assert_canonical(map, IDM_UID);
		for (uint32_t i = 0; i < IDS; i++) {
			uint32_t expected = m.seen[i] != NONE ? m.seen[i] : model_sees(&m, i) ? NONE : i;

			assert_int_equal(idm_map_to_seen(map, IDM_UID, i, &id),
					 expected == NONE ? -ENOENT : 0);
			if (expected != NONE)
				assert_int_equal(id, expected);
		}
		/* All that is past the model's IDs */
		assert_int_equal(idm_map_to_seen(map, IDM_UID, 4294967294U, &id), 0);
		assert_int_equal(id, 4294967294U);
	}
}

/* ---- print and parse ---- */

static void parse_again(const struct idm_map *map, enum idm_format format)
{
	AUTO_FREE char *text = map_text(map, format, IDM_BOTH);
	AUTO_MAP struct idm_map *again = map_of("");
	struct idm_error err;

	if (!*text) /* an empty map; text without an entry is refused */
		return;
	assert_ok(idm_map_parse(again, text, 0, &err), &err);
	assert_same_map(again, map);
}

static void parse_kernel_again(const struct idm_map *map)
{
	AUTO_MAP struct idm_map *again = map_of("");

	for (unsigned int kind = IDM_UID; kind <= IDM_GID; kind++) {
		AUTO_FREE char *text = map_text(map, IDM_FORMAT_KERNEL, kind);

		if (*text)
			assert_ok(idm_map_parse_kernel(again, kind, text, NULL), NULL);
	}
	assert_same_map(again, map);
}

TEST(parsing_what_was_printed_gives_the_same_map)
{
	static const uint32_t bounds[] = { IDS, 70000, 4294967295U };
	struct rng rng = rng_new(8);

	for (int round = 0; round < ROUNDS; round++) {
		AUTO_MAP struct idm_map *map = random_map(&rng, 30, bounds[round % 3]);

		parse_again(map, IDM_FORMAT_TEXT);
		parse_again(map, IDM_FORMAT_CONTAINERD);
		parse_again(map, IDM_FORMAT_UTIL_LINUX);
		parse_again(map, IDM_FORMAT_CRUN);
		parse_kernel_again(map);
	}
}

/* Some words of all dialects in a row. */
static char *random_words(struct rng *rng)
{
	static const char *const words[] = {
		"0",	"1",	"65536",   "4294967294", "4294967295", "4294967296", ":",      ":",
		":",	",",	"+",	   " ",		 ";",	       "#",	     "-",      "u:",
		"g:",	"b:",	"uidmap=", "gidmap=",	 "uids=",      "gids=",	     "idmap=", "@",
		"root", "/",	"auto",	   "\n",	 "\xff",       "x",	     "00",     "\t",
		"both", "\xa0", "=",	   "u",
	};
	char *text = calloc(1, 200);

	assert_non_null(text);
	for (uint32_t i = rng_below(rng, 14); i > 0; i--)
		strcat(text, words[rng_below(rng, ARRAY_SIZE(words))]);
	return text;
}

/* A good text with one character replaced. */
static char *almost_good(struct rng *rng)
{
	static const char characters[] = "0123456789::,,;# -+ugb=\n\xa0";
	AUTO_MAP struct idm_map *map = random_map(rng, 4, 70000);
	static const enum idm_format formats[] = { IDM_FORMAT_TEXT, IDM_FORMAT_CONTAINERD,
						   IDM_FORMAT_UTIL_LINUX, IDM_FORMAT_CRUN };
	char *text = map_text(map, formats[rng_below(rng, ARRAY_SIZE(formats))], IDM_BOTH);

	if (*text)
		text[rng_below(rng, (uint32_t)strlen(text))] =
			characters[rng_below(rng, sizeof(characters) - 1)];
	return text;
}

/* Whatever comes in: a verdict, no crash; and what was refused has left nothing in the map. */
TEST(random_text)
{
	struct rng rng = rng_new(9);
	int good = 0;

	for (int round = 0; round < 5 * ROUNDS; round++) {
		AUTO_MAP struct idm_map *map = map_of("3000000000:3100000000:5");
		AUTO_FREE char *text = round % 2 ? random_words(&rng) : almost_good(&rng);
		struct idm_error err;

		if (idm_map_parse(map, text, 0, &err) == 0) {
			good++;
			assert_canonical(map, IDM_UID);
			assert_canonical(map, IDM_GID);
		} else {
			assert_error_at(HERE, text, idm_map_parse(map, text, 0, &err), -EINVAL, &err,
					NULL, NULL, NULL);
			assert_map(map, "3000000000:3100000000:5");
		}
	}
	note("%d good", good);
	assert_true(good > ROUNDS / 10);
}

// SPDX-License-Identifier: MIT
/*
 * A map that the kernel would refuse is refused before, and no other. Random texts, near misses above
 * all, are written to the uid_map of a real user namespace; the library's verdict must be the kernel's.
 * What both take is read back, and must be what the library understood.
 */
#include <fcntl.h>
#include <linux/sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/macros.h"
#include "tests/lib/maps.h"
#include "tests/lib/scratch.h"

#define ROUNDS (test_is_slow() ? 20000 : 60000)

/* ---- the kernel's verdict ---- */

/* A zombie that keeps a user namespace. A refused map leaves it as it was, so it serves until one is
 * taken. */
struct namespace
{
	pid_t pid;
	int uid_map, gid_map;
};

static void make_namespace(struct namespace *ns)
{
	struct clone_args args = { .flags = CLONE_NEWUSER };
	char path[64];

	ns->pid = (pid_t)must(syscall(SYS_clone3, &args, sizeof(args)));
	if (ns->pid == 0)
		syscall(SYS_exit, 0);
	snprintf(path, sizeof(path), "/proc/%d/uid_map", ns->pid);
	ns->uid_map = (int)must(open(path, O_RDWR | O_CLOEXEC));
	snprintf(path, sizeof(path), "/proc/%d/gid_map", ns->pid);
	ns->gid_map = (int)must(open(path, O_RDWR | O_CLOEXEC));
}

static void end_namespace(struct namespace *ns)
{
	close(ns->uid_map);
	close(ns->gid_map);
	must(waitpid(ns->pid, NULL, __WALL));
}

/* 0 or -errno */
static int write_map(int fd, const char *text)
{
	size_t size = strlen(text);
	ssize_t n = write(fd, text, size);

	if (n >= 0 && (size_t)n != size)
		fail_msg("%zd of %zu bytes were written", n, size);
	return n < 0 ? -errno : 0;
}

static struct idm_map *read_map(int fd)
{
	struct idm_map *map = map_of("");
	char text[16384];
	size_t n = 0;

	for (ssize_t r; (r = must(pread(fd, text + n, sizeof(text) - 1 - n, (off_t)n))) > 0;)
		n += (size_t)r;
	text[n] = '\0';
	assert_ok(idm_map_parse_kernel(map, IDM_UID, text, NULL), NULL);
	return map;
}

/* ---- the library's ---- */

/* As one side of a whole map, which idm_map_check() wants. */
static int check(struct idm_map *map)
{
	AUTO_MAP struct idm_map *whole = NULL;
	struct idm_entry other = { 0, 0, 1 };

	assert_ok(idm_map_copy(map, &whole), NULL);
	assert_ok(idm_map_add(whole, IDM_GID, &other, 1, NULL), NULL);
	return idm_map_check(whole, NULL);
}

static bool library_takes_text(struct idm_map *map, const char *text)
{
	struct idm_error err;
	int r = idm_map_parse_kernel(map, IDM_UID, text, &err);

	if (r < 0)
		assert_error_at(HERE, "parse", r, -EINVAL, &err, NULL, NULL, NULL);
	return r == 0 && check(map) == 0;
}

static bool library_takes_entries(const struct idm_entry *e, size_t n)
{
	AUTO_MAP struct idm_map *map = map_of("");

	return idm_map_add(map, IDM_UID, e, n, NULL) == 0 && check(map) == 0;
}

/* ---- texts ---- */

#define MOST_ENTRIES 400

struct text {
	char s[16384];
	struct idm_entry e[MOST_ENTRIES];
	size_t n;
	bool is_entries; /* s says exactly what e does */
};

static void put(struct text *t, uint32_t disk, uint32_t seen, uint32_t count)
{
	t->e[t->n++] = (struct idm_entry){ disk, seen, count };
}

/* One line an entry, in the order they are in. */
static void spell(struct text *t)
{
	size_t at = 0;

	t->s[0] = '\0';
	for (size_t i = 0; i < t->n; i++)
		at += (size_t)snprintf(t->s + at, sizeof(t->s) - at, "%u %u %u\n", t->e[i].disk,
				       t->e[i].seen, t->e[i].count);
	t->is_entries = true;
}

/* Few IDs, so that about half of the maps overlap somewhere. */
static void crowded(struct rng *rng, struct text *t)
{
	for (uint32_t n = 1 + rng_below(rng, 8); n > 0; n--)
		put(t, rng_below(rng, 60), rng_below(rng, 60), rng_below(rng, 12));
	spell(t);
}

/* Entries that touch in one column or both, or miss that by one. */
static void touching(struct rng *rng, struct text *t)
{
	uint32_t disk = rng_below(rng, 1000000), seen = rng_below(rng, 1000000);

	for (uint32_t n = 2 + rng_below(rng, 7); n > 0; n--) {
		uint32_t count = 1 + rng_below(rng, 100000);

		put(t, disk, seen, count);
		disk += count + rng_below(rng, 8) / 2 - (rng_below(rng, 30) == 0);
		seen += count + rng_below(rng, 8) / 2 - (rng_below(rng, 30) == 0);
	}
	for (size_t i = t->n; i > 1; i--) { /* in any order */
		size_t j = rng_below(rng, (uint32_t)i);
		struct idm_entry e = t->e[j];

		t->e[j] = t->e[i - 1];
		t->e[i - 1] = e;
	}
	spell(t);
}

/* About the ends of the 32 bits. */
static void extreme(struct rng *rng, struct text *t)
{
	static const uint32_t ids[] = { 0,	     1,		  2147483647U, 2147483648U,
					4294967292U, 4294967293U, 4294967294U, 4294967295U };
	uint32_t disk = ids[rng_below(rng, ARRAY_SIZE(ids))],
		 seen = ids[rng_below(rng, ARRAY_SIZE(ids))];
	uint32_t larger = disk > seen ? disk : seen;

	if (rng_below(rng, 4) == 0)
		put(t, disk, seen, ids[rng_below(rng, ARRAY_SIZE(ids))]);
	else /* up to the last id, or one too few or too many */
		put(t, disk, seen, 4294967294U - larger + rng_below(rng, 3));
	if (rng_below(rng, 3) == 0)
		put(t, 10 + rng_below(rng, 10), 1000 + rng_below(rng, 10), 1);
	spell(t);
}

/* 339 to 341 entries, of which none merge. */
static void many(struct rng *rng, struct text *t)
{
	uint32_t n = 339 + rng_below(rng, 3);

	for (uint32_t i = 0; i < n; i++)
		put(t, 2 * i, 3 * i, 1);
	spell(t);
}

/* 4093 to 4097 bytes: 136 lines of 30, and one that makes up the rest with the length of its disk id. */
static void big(struct rng *rng, struct text *t)
{
	uint32_t disk = 100000;

	for (uint32_t more = rng_below(rng, 5); more > 0; more--)
		disk *= 10;
	put(t, disk, 100, 1);
	for (uint32_t i = 0; i < 136; i++)
		put(t, 4000000000U + i * 1000001, 4100000000U + i * 1000002, 1000000);
	spell(t);
}

static void replace(char *s, size_t at, size_t gone, const char *new)
{
	char rest[16384];

	strcpy(rest, s + at + gone);
	strcpy(s + at, new);
	strcat(s, rest);
}

/* A good text with one or a few things in it that may be wrong. */
static void odd(struct rng *rng, struct text *t)
{
	static const char *const things[] = {
		" ",   "  ",  "\t",	"\r",	"\v",	"\f",	"\xa0", "\n",	"\n\n", " \n", "\r\n",
		"\n ", "0",   "00",	"0x10", "+",	"-",	"-1",	",",	":",	";",   "#",
		".",   "1e3", "a",	"x",	"\x01", "\x7f", "_",	"\"",	"\xc2", "\\",  "/",
		"1 2", " 7",  " 1 1 1", "\b",	"",	"",	"0 ",	"\x85",
	};

	touching(rng, t);
	t->is_entries = false;
	for (uint32_t n = 1 + rng_below(rng, 2); n > 0; n--) {
		size_t length = strlen(t->s), at = rng_below(rng, (uint32_t)length + 1);
		size_t gone = at < length ? rng_below(rng, 3) == 0 : 0;

		replace(t->s, at, gone, things[rng_below(rng, ARRAY_SIZE(things))]);
	}
	if (rng_below(rng, 4) == 0) { /* no final newline, or half of a line */
		size_t length = strlen(t->s), cut = 1 + rng_below(rng, 4);

		t->s[length > cut ? length - cut : 0] = '\0';
	}
}

/* Numbers and blanks in turn, mostly. */
static void noise(struct rng *rng, struct text *t)
{
	static const char *const numbers[] = { "0",	"1",	      "5",	    "10", "007",
					       "65536", "4294967294", "4294967295", "-",  "x" };
	static const char *const blanks[] = { " ",  " ",  " ",	"  ",	"\t",  "\n",
					      "\r", "\v", "\f", "\xa0", " \n", "" };
	uint32_t n = 3 + 3 * rng_below(rng, 2);

	for (uint32_t i = 0; i < n; i++) {
		bool last = i % 3 == 2, first = i % 3 == 0;

		if (rng_below(rng, 8) == 0)
			strcat(t->s, blanks[rng_below(rng, ARRAY_SIZE(blanks))]);
		if (rng_below(rng, 30))
			strcat(t->s, numbers[rng_below(rng, first ? 10 : 6)]);
		strcat(t->s, last ? "\n" : blanks[rng_below(rng, ARRAY_SIZE(blanks))]);
	}
}

static const struct {
	const char *name;
	void (*make)(struct rng *, struct text *);
	uint32_t weight;
} kinds[] = {
	{ "crowded", crowded, 25 }, { "touching", touching, 20 },
	{ "extreme", extreme, 15 }, { "many", many, 2 },
	{ "big", big, 3 },	    { "odd", odd, 25 },
	{ "noise", noise, 10 },
};

static size_t random_kind(struct rng *rng)
{
	uint32_t at = rng_below(rng, 100);
	size_t i = 0;

	while (at >= kinds[i].weight)
		at -= kinds[i++].weight;
	return i;
}

/* ---- the comparison ---- */

/* The kernel cuts such a number off without a word, see below. */
static bool has_number_over_32_bits(const char *s)
{
	while (*s) {
		if (*s >= '0' && *s <= '9') {
			char *end;

			if (strtoull(s, &end, 10) > UINT32_MAX)
				return true;
			s = end;
		} else {
			s++;
		}
	}
	return false;
}

/* The text in the source's spelling, for the log. */
static const char *visible(const char *s)
{
	static char out[3000];
	size_t n = 0;

	for (; *s && n < sizeof(out) - 8; s++)
		if (*s > ' ' && *s < 0x7f)
			out[n++] = *s;
		else if (*s == ' ')
			out[n++] = '_';
		else
			n += (size_t)snprintf(out + n, 8, "\\x%02x", (unsigned char)*s);
	out[n] = '\0';
	return out;
}

/* The kernel has accepted the text: what does it mean to the kernel, and to the library? */
static void compare_meaning(struct namespace *ns, const struct idm_map *ours, const char *text)
{
	AUTO_MAP struct idm_map *theirs = read_map(ns->uid_map);
	AUTO_MAP struct idm_map *canonical = NULL;
	AUTO_FREE char *printed = map_text(ours, IDM_FORMAT_KERNEL, IDM_UID);

	if (!idm_map_equal(ours, theirs))
		fail_msg("it does not mean the same: %s", visible(text));
	if (write_map(ns->gid_map, printed) < 0)
		fail_msg("the kernel accepts it, but not in canonical form: %s", visible(text));
	canonical = read_map(ns->gid_map);
	if (!idm_map_equal(ours, canonical))
		fail_msg("its canonical form does not mean the same: %s", visible(text));
}

static bool compare(struct namespace *ns, const struct text *t)
{
	AUTO_MAP struct idm_map *map = map_of("");
	bool taken = library_takes_text(map, t->s);
	int r;

	if (t->is_entries && library_takes_entries(t->e, t->n) != taken)
		fail_msg("the entries and their text get different verdicts: %s", visible(t->s));
	if (has_number_over_32_bits(t->s)) {
		assert_false(taken);
		return false;
	}
	r = write_map(ns->uid_map, t->s);
	if (r != 0 && r != -EINVAL)
		fail_msg("%s, for %s", strerror(-r), visible(t->s));
	if ((r == 0) != taken)
		fail_msg("the kernel %s what the library %s: %s", r == 0 ? "accepts" : "rejects",
			 taken ? "accepts" : "rejects", visible(t->s));
	if (!taken)
		return false;
	compare_meaning(ns, map, t->s);
	end_namespace(ns);
	make_namespace(ns);
	return true;
}

TEST_WITHIN(the_library_and_the_kernel_agree, 300)
{
	struct rng rng = rng_new(100);
	struct namespace ns;
	static struct text t;
	int taken[ARRAY_SIZE(kinds)] = { 0 }, tried[ARRAY_SIZE(kinds)] = { 0 };

	need_root();
	make_namespace(&ns);
	for (int i = 0; i < ROUNDS; i++) {
		size_t kind = random_kind(&rng);

		memset(t.s, 0, 64);
		t.n = 0;
		t.is_entries = false;
		kinds[kind].make(&rng, &t);
		tried[kind]++;
		taken[kind] += compare(&ns, &t);
	}
	end_namespace(&ns);
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		note("%-8s %5d of %5d taken", kinds[k].name, taken[k], tried[k]);
		/* Else the dice were not fair, and this was no test. */
		assert_true(taken[k] > tried[k] / 50 && taken[k] < tried[k] - tried[k] / 50);
	}
}

/* The cases that have bitten others, by name. */
TEST(known_edges)
{
	static const struct {
		const char *text;
		bool good;
	} table[] = {
		{ "0 0 1", true },
		{ "0 0 1\n", true },
		{ "0\t0\t1\n", true },
		{ "0 0 1\r\n5 5 1\r\n", true },
		{ "\v0\f0\xa0"
		  "1 \n",
		  true },
		{ "  000 00 0001\n", true },
		{ "0 0 4294967295\n", true },
		{ "4294967294 0 1\n", true },
		{ "0 4294967294 1\n", true },
		{ "0 0 1\n1 1 1\n", true },
		{ "", false },
		{ "\n", false },
		{ " ", false },
		{ "0 0 1\n\n", false },
		{ "\n0 0 1\n", false },
		{ "0 0 1\n \n5 5 1\n", false },
		{ "0 0\n", false },
		{ "0 0 \n", false },
		{ "0 0 1 1\n", false },
		{ "0 0 1x\n", false },
		{ "0 0 1,5 5 1", false },
		{ "0x0 0 1\n", false },
		{ "+0 0 1\n", false },
		{ "-1 0 1\n", false },
		{ "0 0 0\n", false },
		{ "4294967295 0 1\n", false },
		{ "0 4294967295 1\n", false },
		{ "4294967294 0 2\n", false },
		{ "0 4294967294 2\n", false },
		{ "1 1 4294967295\n", false },
		{ "0 0 10\n9 100 1\n", false },
		{ "0 0 10\n100 9 1\n", false },
		{ "0 0 1\n0 0 1\n", false },
	};
	struct namespace ns;
	struct text *t = calloc(1, sizeof(*t));

	need_root();
	assert_non_null(t);
	make_namespace(&ns);
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		strcpy(t->s, table[i].text);
		if (compare(&ns, t) != table[i].good)
			fail_msg("%s: %s", table[i].good ? "refused" : "taken", visible(t->s));
	}
	end_namespace(&ns);
	free(t);
}

/* The one difference: what the kernel makes of such a number is never what was meant. */
TEST(numbers_over_32_bits_are_cut_by_the_kernel_and_refused_by_us)
{
	static const char *const texts[] = {
		"4294967296 5 1\n",	      /* disk id 0 */
		"5 4294967296 1\n",	      /* seen as 0 */
		"0 0 4294967297\n",	      /* one ID */
		"18446744073709551616 5 1\n", /* past 64 bits: Linux 7.2 refuses it too */
	};

	need_root();
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		AUTO_MAP struct idm_map *map = map_of("");
		AUTO_MAP struct idm_map *theirs = NULL;
		struct idm_error err;
		struct namespace ns;

		make_namespace(&ns);
		if (i < 3 || kernel_is_before(7, 2)) {
			assert_int_equal(write_map(ns.uid_map, texts[i]), 0);
			theirs = read_map(ns.uid_map);
			assert_map_at(HERE, texts[i], theirs,
				      i == 1   ? "u:5:0:1"
				      : i == 2 ? "u:0:0:1"
					       : "u:0:5:1");
		} else {
			assert_int_equal(write_map(ns.uid_map, texts[i]), -EINVAL);
		}
		end_namespace(&ns);
		assert_error(idm_map_parse_kernel(map, IDM_UID, texts[i], &err), -EINVAL, &err, NULL,
			     "parse map", "does not fit in 32 bits");
	}
}

/* 1000 neighbours are one entry to us, and so to the kernel, which would not take them one by one. */
TEST(merging_makes_room)
{
	AUTO_MAP struct idm_map *map = map_of("");
	AUTO_FREE char *printed = NULL;
	char *text = malloc(1000 * 20);
	struct namespace ns;
	size_t n = 0;

	need_root();
	assert_non_null(text);
	for (int i = 0; i < 1000; i++)
		n += (size_t)sprintf(text + n, "%d %d 1\n", i, 100000 + i);
	make_namespace(&ns);
	assert_int_equal(write_map(ns.uid_map, text), -EINVAL);
	assert_true(library_takes_text(map, text));
	printed = map_text(map, IDM_FORMAT_KERNEL, IDM_UID);
	assert_int_equal(write_map(ns.uid_map, printed), 0);
	end_namespace(&ns);
	free(text);
}

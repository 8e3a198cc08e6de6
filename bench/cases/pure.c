// SPDX-License-Identifier: MIT
/*
 * What needs no kernel: maps of 340 entries, which is the most that the kernel accepts, and lists of
 * 1000 mounts as JSON.
 *
 *   pure            measures the time
 *   pure PART       does one part once, for bench/cases/instructions.sh, which counts its instructions
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/lib/measure.h"

#define ENTRIES 340
#define MOUNTS 1000

static char backwards[ENTRIES * 40], *json;
static struct idm_map *large, *then;

/* ---- the parts ---- */

/* Not inlined, so that what they take can be told from what leads to them. */
#define PART __attribute__((noinline)) static void

/* Entries in the wrong order, so that they have to be sorted. */
PART part_parse(void)
{
	struct idm_map *map;

	check(idm_map_new(&map), "map");
	check(idm_map_parse(map, backwards, 0, NULL), "parse");
	idm_map_free(map);
}

PART part_print(void)
{
	static char text[ENTRIES * 80];

	check(idm_map_print(large, IDM_FORMAT_TEXT, IDM_BOTH, text, sizeof(text)), "print");
}

PART part_compose(void)
{
	struct idm_map *map;

	check(idm_map_copy(large, &map), "copy");
	check(idm_map_compose(map, then), "compose");
	idm_map_free(map);
}

PART part_equal(void)
{
	if (idm_map_equal(large, then))
		die("equal");
}

PART part_json(void)
{
	const struct idm_plan_read_options how = IDM_PLAN_READ_OPTIONS_INIT;
	struct idm_error err;
	struct idm_plan *plan;

	check(idm_plan_new(&plan), "plan");
	check_idm(idm_plan_read(plan, json, strlen(json), &how, &err), &err);
	idm_plan_free(plan);
}

static const struct part {
	const char *name, *question;
	void (*go)(void);
	double at_most;
	int times;
} parts[] = {
	{ "parse", "parse and sort a map of 340 entries", part_parse, 60, 100 },
	{ "print", "print a map of 340 entries", part_print, 0, 100 },
	{ "compose", "compose two maps of 340 entries", part_compose, 0, 100 },
	{ "equal", "compare two maps of 340 entries", part_equal, 0, 1000 },
	{ "json", "read a list of 1000 mounts from JSON", part_json, 0, 2 },
};

/* ---- what they work on ---- */

/* As short as they can be, with a hole between any two, so that none are merged. */
static void write_maps(void)
{
	char *to = backwards, *there;

	there = malloc(ENTRIES * 40);
	if (!there)
		die("map");
	for (int i = ENTRIES; i-- > 0;)
		to += sprintf(to, "%d:%d:2%s", 3 * i, 4 * i, i ? "," : "");
	large = new_map(backwards);
	to = there;
	for (int i = 0; i < ENTRIES; i++)
		to += sprintf(to, "%s%d:%d:3", i ? "," : "", 4 * i, 5 * i);
	then = new_map(there);
	free(there);
}

static void write_json(void)
{
	static const char mount[] =
		"{\"type\":\"bind\",\"source\":\"/var/lib/containers/volumes/%d\","
		"\"target\":\"/volumes/%d\",\"options\":[\"rbind\",\"ro\",\"nosuid\"]}";
	size_t size = MOUNTS * (sizeof(mount) + 16);
	char *to = json = malloc(size);

	if (!json)
		die("json");
	to += sprintf(to, "[{\"type\":\"bind\",\"source\":\"/srv/root\",\"options\":[\"rbind\"]}");
	for (int i = 1; i < MOUNTS; i++) {
		*to++ = ',';
		to += sprintf(to, mount, i, i);
	}
	*to++ = ']';
	*to = '\0';
}

/* ---- the table ---- */

static void measure_parts(void)
{
	static struct way ways[COUNT(parts)];
	static struct measured m;

	for (size_t i = 0; i < COUNT(parts); i++)
		ways[i] = (struct way){ .name = parts[i].name,
					.go = parts[i].go,
					.times = times(parts[i].times) };
	measure(&m, ways, COUNT(ways), rounds(51));
	for (size_t i = 0; i < COUNT(parts); i++) {
		const struct row row = { .question = parts[i].question,
					 .ours = (int)i,
					 .yardstick = NO_WAY,
					 .lower_bound = NO_WAY,
					 .at_most_itself = parts[i].at_most };

		report(&m, &row);
	}
}

static int do_part(const char *name)
{
	for (size_t i = 0; i < COUNT(parts); i++)
		if (strcmp(parts[i].name, name) == 0) {
			parts[i].go();
			return 0;
		}
	fprintf(stderr, "no such part: %s\n", name);
	return 2;
}

int main(int argc, char **argv)
{
	int r = 0;

	write_maps();
	write_json();
	if (argc > 1)
		r = do_part(argv[1]);
	else
		measure_parts();
	idm_map_free(large);
	idm_map_free(then);
	free(json);
	return r;
}

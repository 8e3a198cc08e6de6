// SPDX-License-Identifier: MIT
/*
 * Maps as users and other programs write them, in every dialect of idm_map_parse(). Texts may contain
 * names, and names.c is the name service.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fuzz.h"
#include "lib/plan/plan.h"

/* Checks that parsing with and without names agrees. Names can only turn a refusal into a map. */
static void check_lookup(const char *text, const struct idm_map *plain, int without)
{
	AUTO_MAP struct idm_map *map = empty_map();
	struct idm_error err;
	int r;

	/* The whole map of these comes from the system. */
	if (*text == '/' || strcmp(text, "auto") == 0 || strncmp(text, "auto:", 5) == 0)
		return;
	r = idm_map_parse(map, text, IDM_MAP_PARSE_LOOKUP, &err);
	if (r < 0)
		CHECK_ERROR(r, &err);
	else
		check_map(map);
	CHECK(without < 0 || (r == 0 && idm_map_equal(map, plain)));
}

/* Adding adds everything or nothing. Adding to a map equals parsing one text of both. */
static void check_adding(const char *text, const struct idm_map *plain)
{
	static const struct idm_entry other = { 4000000000U, 4000000000U, 1000 };
	AUTO_MAP struct idm_map *map = empty_map();
	AUTO_MAP struct idm_map *before = NULL;
	AUTO_MAP struct idm_map *second = NULL;
	int r;

	CHECK(idm_map_add(map, IDM_BOTH, &other, 1, NULL) == 0);
	before = map_copy(map);
	r = idm_map_parse(map, text, 0, NULL);
	if (r < 0) {
		CHECK(idm_map_equal(map, before));
		return;
	}
	second = map_copy(plain);
	CHECK(idm_map_add(second, IDM_BOTH, &other, 1, NULL) == 0);
	CHECK(idm_map_equal(map, second));
}

/* The rows of an OCI configuration, which only a plan reads. */
static void check_oci(const struct idm_map *map)
{
	AUTO_FREE char *rows = map_text(map, IDM_FORMAT_OCI, IDM_BOTH);
	AUTO_FREE char *text = NULL;
	size_t room = strlen(rows) + 200;
	struct idm_error err;
	struct idm_plan *plan;

	if (idm_map_check(map, NULL) < 0)
		return;
	text = malloc(room);
	CHECK(text);
	CHECK(snprintf(
		      text, room,
		      "{\"ociVersion\":\"1.2.0\",\"root\":{\"path\":\"r\"},\"mounts\":[{\"destination\":"
		      "\"/d\",\"type\":\"bind\",\"source\":\"s\",\"options\":[\"rbind\",\"ridmap\"],%s]}",
		      rows + 1) < (int)room);
	CHECK(idm_plan_new(&plan) == 0);
	if (idm_plan_read(plan, text, strlen(text), NULL, &err) < 0)
		FAIL("the rows that were printed cannot be read: %s", err.message);
	CHECK(plan->n == 2 && plan->entries[1].map && idm_map_equal(plan->entries[1].map, map));
	idm_plan_free(plan);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_FREE char *text = text_copy(data, size);
	AUTO_MAP struct idm_map *map = empty_map();
	struct idm_error err;
	int r = idm_map_parse(map, text, 0, &err);

	check_lookup(text, map, r);
	check_adding(text, map);
	if (r < 0) {
		CHECK_ERROR(r, &err);
		CHECK(r == -EINVAL);
		CHECK(!sides_of(map));
		return 0;
	}
	CHECK(sides_of(map));
	check_map(map);
	check_oci(map);
	return 0;
}

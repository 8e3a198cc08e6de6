// SPDX-License-Identifier: MIT
/*
 * Root's rules for annotations. If the library refuses a text, the message contains the number of one of
 * its lines. If rules allow a range, they allow every single ID of it, too.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "lib/base/macros.h"
#include "oci/policy.h"

static const char prefix[] = IDM_POLICY_FILE ": read policy: line ";

static void check_line(const struct idm_error *err, const uint8_t *data, size_t size)
{
	unsigned long lines = 1, line;

	for (size_t i = 0; i < size; i++)
		lines += data[i] == '\n';
	CHECK(strncmp(err->message, prefix, sizeof(prefix) - 1) == 0);
	line = strtoul(err->message + sizeof(prefix) - 1, NULL, 10);
	CHECK(line >= 1 && line <= lines);
}

static bool is_allowed(const struct idm_policy *policy, const struct idm_policy_request *asked,
		       struct idm_entry entry)
{
	struct idm_policy_request q = *asked;
	struct idm_map *map;
	struct idm_error err;
	int r;

	CHECK(idm_map_new(&map) == 0);
	CHECK(idm_map_add(map, IDM_BOTH, &entry, 1, &err) == 0);
	q.map = map;
	r = idm_policy_judge(policy, &q, &err);
	CHECK(r == 0 || r == -EPERM);
	idm_map_free(map);
	return r == 0;
}

static void check_judging(const struct idm_policy *policy)
{
	static const struct idm_policy_request requests[] = {
		{ .annotation = "x" },
		{ .annotation = "x", .source = "/a/b" },
		{ .annotation = "x", .source = "/", .pod = true, .namespace = "n", .handler = "h" },
		{ .annotation = "x", .source = "/a", .pod = true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(requests); i++)
		if (is_allowed(policy, &requests[i], (struct idm_entry){ 998, 0, 5 }))
			for (uint32_t id = 0; id < 5; id++)
				CHECK(is_allowed(policy, &requests[i],
						 (struct idm_entry){ 998 + id, id, 1 }));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_FREE char *text = bytes_copy(data, size);
	struct idm_policy *policy;
	struct idm_error err;
	int r = idm_policy_parse(text, size, &policy, &err);

	if (r < 0) {
		CHECK_ERROR(r, &err);
		check_line(&err, data, size);
		return 0;
	}
	check_judging(policy);
	idm_policy_free(policy);
	return 0;
}

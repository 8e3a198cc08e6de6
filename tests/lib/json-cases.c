// SPDX-License-Identifier: MIT
#include "json-cases.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/macros.h"
#include "plan-text.h"
#include "test.h"

static void call_with(void (*call)(const struct json_case *c), const char *path)
{
	struct json_case c = { .name = strrchr(path, '/') + 1 };
	AUTO_FREE char *text = file_text(path, &c.length), *exact = malloc(c.length ? c.length : 1);

	/* Of exactly this size: a sanitizer sees a read behind it. */
	memcpy(exact, text, c.length);
	c.text = exact;
	c.accepted = *c.name == 'y' || strncmp(c.name, "i_accepted-", 11) == 0;
	call(&c);
}

size_t json_cases(void (*call)(const struct json_case *c))
{
	const char *root = getenv("IDM_SOURCE_ROOT");
	char pattern[500];
	glob_t found;
	size_t n;

	if (!root)
		fail_msg("IDM_SOURCE_ROOT is not set");
	snprintf(pattern, sizeof(pattern), "%s/tests/fixtures/json/[yni]_*.json", root);
	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	n = found.gl_pathc;
	for (size_t i = 0; i < n; i++)
		call_with(call, found.gl_pathv[i]);
	globfree(&found);
	return n;
}

static void assert_same_string(const char *name, const char *a, const char *b)
{
	if (!a != !b || (a && strcmp(a, b) != 0))
		fail_msg("%s: %s and %s", name, a ? a : "nothing", b ? b : "nothing");
}

void assert_same_json(const char *name, const struct idm_json *a, const struct idm_json *b)
{
	struct idm_json in_a = { 0 }, in_b = { 0 };

	if (idm_json_type(a) != idm_json_type(b) || a->value->n != b->value->n)
		fail_msg("%s: another type or number of values", name);
	assert_same_string(name, a->value->contents, b->value->contents);
	while (idm_json_each(a, &in_a)) {
		if (!idm_json_each(b, &in_b) || in_a.index != in_b.index)
			fail_msg("%s: a value is missing", name);
		assert_same_string(name, in_a.key, in_b.key);
		assert_same_json(name, &in_a, &in_b);
	}
}

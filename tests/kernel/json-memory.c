// SPDX-License-Identifier: MIT
/*
 * Each allocation of parsing JSON fails once: that is an error, or the values are all there. json-c
 * leaves out without a word what it has no memory for. (Without objects: it crashes when it has none for
 * a key.)
 */
#include <errno.h>
#include <limits.h>

#include "json.h"
#include "failing-memory.h"
#include "test.h"
#include "util.h"

/* More elements than an array has room for at first, and strings that are not kept in the value itself.
 */
static const char text[] =
	"[\"first\", null, [true, false, [], 1.5, -1, \"\\u00e4\\n\"],"
	" \"this string is longer than those that json-c keeps without more memory\","
	" [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20,"
	"  21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, \"last\"],"
	" \"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\""
	"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\"]";

static void assert_same(const struct idm_json *a, const struct idm_json *b)
{
	const char *string, *other;
	struct idm_error err;
	size_t n, m;

	assert_int_equal(idm_json_type(a), idm_json_type(b));
	if (idm_json_type(a) == IDM_JSON_STRING) {
		assert_ok(idm_json_string(a, &string, &err), &err);
		assert_ok(idm_json_string(b, &other, &err), &err);
		assert_string_equal(string, other);
	}
	if (idm_json_type(a) != IDM_JSON_ARRAY)
		return;
	assert_ok(idm_json_array(a, &n, &err), &err);
	assert_ok(idm_json_array(b, &m, &err), &err);
	assert_int_equal(n, m);
	for (size_t i = 0; i < n; i++) {
		struct idm_json in_a = idm_json_element(a, i), in_b = idm_json_element(b, i);

		assert_same(&in_a, &in_b);
	}
}

TEST(nothing_is_left_out)
{
	AUTO_JSON struct idm_json_text *undisturbed = NULL;
	unsigned long n, errors = 0;
	struct idm_json whole;
	struct idm_error err;

	if (TEST_SANITIZED) {
		note("sanitizers have a malloc of their own");
		return;
	}
	assert_ok(idm_json_parse(text, sizeof(text) - 1, IDM_STEP_READ_PLAN, &undisturbed, &err), &err);
	whole = idm_json_whole(undisturbed);
	for (n = 0;; n++) {
		struct idm_json_text *t = NULL;
		struct idm_json other;
		int r;

		memory_begin(n);
		r = idm_json_parse(text, sizeof(text) - 1, IDM_STEP_READ_PLAN, &t, &err);
		memory->counts = false;
		if (r < 0) {
			assert_int_equal(r, -ENOMEM);
			errors++;
			continue;
		}
		other = idm_json_whole(t);
		assert_same(&whole, &other);
		idm_json_free(t);
		if (!memory->failed)
			break;
	}
	assert_true(errors > 0);
	proof("faults", n, "failed allocations survived");
}

// SPDX-License-Identifier: MIT
/* Every case in tests/fixtures/json/ is taken or refused, and of what is taken every value is where it
 * says. */
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/macros.h"
#include "tests/lib/json-cases.h"
#include "tests/lib/test.h"

static void try_case(const struct json_case *c)
{
	AUTO_JSON struct idm_json_text *t = NULL;
	struct idm_error err;
	int r = idm_json_parse(c->text, c->length, IDM_STEP_READ_PLAN, &t, &err);

	if (c->accepted && r < 0)
		fail_msg("%s is refused: %s", c->name, err.message);
	if (!c->accepted && r == 0)
		fail_msg("%s is taken", c->name);
	if (r < 0)
		assert_error_at(HERE, c->name, r, -EINVAL, &err, "", "read plan", "line ");
}

TEST(taken_or_refused)
{
	size_t n = json_cases(try_case);

	note("%zu cases", n);
	assert_true(n >= 150);
}

/* ---- values and their bytes ---- */

static void assert_slice(const char *name, const struct idm_json *value)
{
	size_t n = value->value->end - value->value->start;
	AUTO_FREE char *slice = malloc(n);
	AUTO_JSON struct idm_json_text *t = NULL;
	struct idm_json whole;
	struct idm_error err;

	memcpy(slice, value->text->bytes + value->value->start, n);
	if (idm_json_parse(slice, n, IDM_STEP_READ_PLAN, &t, &err) < 0)
		fail_msg("%s: \"%.*s\": %s", name, (int)n, slice, err.message);
	whole = idm_json_whole(t);
	assert_same_json(name, &whole, value);
	assert_int_equal(whole.value->end, n);
}

/* The key, or the value itself, begins at `item`. */
static void assert_key_slice(const char *name, const struct idm_json *member)
{
	const char *key = member->text->bytes + member->value->item;
	AUTO_JSON struct idm_json_text *t = NULL;
	struct idm_json whole;
	size_t n = member->value->start - member->value->item;

	/* Behind the key there are blanks and a colon. */
	while (n && key[n - 1] != '"')
		n--;
	assert_ok(idm_json_parse(key, n, IDM_STEP_READ_PLAN, &t, NULL), NULL);
	whole = idm_json_whole(t);
	if (strcmp(whole.value->contents, member->key) != 0)
		fail_msg("%s: %s is not the key %s", name, whole.value->contents, member->key);
}

static void assert_slices(const char *name, const struct idm_json *in, size_t depth)
{
	struct idm_json item = { 0 };
	size_t n = 0, behind = in->value->start;

	assert_true(depth <= IDM_JSON_DEEPEST);
	assert_slice(name, in);
	for (; idm_json_each(in, &item); n++) {
		assert_int_equal(item.index, n);
		assert_true(item.value->item > behind && item.value->start >= item.value->item);
		assert_true(item.value->end > item.value->start && item.value->end < in->value->end);
		if (item.key)
			assert_key_slice(name, &item);
		else
			assert_int_equal(item.value->item, item.value->start);
		assert_slices(name, &item, depth + 1);
		behind = item.value->end - 1;
	}
	assert_int_equal(n, in->value->n);
}

static void try_slices(const struct json_case *c)
{
	AUTO_JSON struct idm_json_text *t = NULL;
	struct idm_json whole;

	if (idm_json_parse(c->text, c->length, IDM_STEP_READ_PLAN, &t, NULL) < 0)
		return;
	whole = idm_json_whole(t);
	assert_slices(c->name, &whole, 0);
}

TEST(values_are_where_they_say)
{
	json_cases(try_slices);
}

/* ---- cut off ---- */

/* What is left of an array, object or string is not whole, wherever it is cut off. */
static void try_cut(const struct json_case *c)
{
	size_t end;

	if (!c->accepted || !strchr("[{\"", *c->text))
		return;
	for (end = c->length; strchr(" \t\r\n", c->text[end - 1]); end--)
		;
	for (size_t n = 0; n < end; n += 1 + n / 100) {
		AUTO_JSON struct idm_json_text *t = NULL;

		if (idm_json_parse(c->text, n, IDM_STEP_READ_PLAN, &t, NULL) != -EINVAL)
			fail_msg("%s is taken, cut off behind %zu bytes", c->name, n);
	}
}

TEST(cut_off)
{
	json_cases(try_cut);
}

// SPDX-License-Identifier: MIT
/*
 * jansson differs from the library in these points:
 *
 * - It refuses whole numbers outside of -2^63 to 2^63-1, and numbers too large for a double (1e400),
 * wherever they are. So it may refuse a text with such a number that the library accepts.
 * - It accepts NUL after a number at the end of the text ("7\0"). So the test does not compare texts
 * with NUL that the library refuses.
 * - Numbers with a fraction or an exponent are doubles. The test does not compare them.
 * - Otherwise both accept the same texts, with the same values. Only the library limits the depth and
 * the number of values.
 */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "json-oracles.h"

static bool is_too_large(const struct idm_json *at)
{
	struct idm_json item = { 0 };
	const char *text = at->value->contents;

	if (idm_json_type(at) == IDM_JSON_NUMBER) {
		errno = 0;
		if (text[strcspn(text, ".eE")])
			return isinf(strtod(text, NULL));
		strtoll(text, NULL, 10);
		return errno == ERANGE;
	}
	while (idm_json_each(at, &item))
		if (is_too_large(&item))
			return true;
	return false;
}

static void check_jansson_number(const struct idm_json *ours, const json_t *theirs)
{
	const char *text = ours->value->contents;

	if (text[strcspn(text, ".eE")])
		CHECK(json_is_real(theirs));
	else
		CHECK(json_is_integer(theirs) && json_integer_value(theirs) == strtoll(text, NULL, 10));
}

static void check_jansson_value(const struct idm_json *ours, const json_t *theirs)
{
	struct idm_json item = { 0 };

	switch (idm_json_type(ours)) {
	case IDM_JSON_NULL:
		CHECK(json_is_null(theirs));
		break;
	case IDM_JSON_BOOLEAN:
		CHECK(json_is_boolean(theirs) &&
		      json_is_true(theirs) == (*ours->value->contents == 't'));
		break;
	case IDM_JSON_NUMBER:
		check_jansson_number(ours, theirs);
		break;
	case IDM_JSON_STRING:
		CHECK(json_is_string(theirs) &&
		      strcmp(json_string_value(theirs), ours->value->contents) == 0);
		break;
	case IDM_JSON_ARRAY:
		CHECK(json_is_array(theirs) && json_array_size(theirs) == ours->value->n);
		break;
	case IDM_JSON_OBJECT:
		CHECK(json_is_object(theirs) && json_object_size(theirs) == ours->value->n);
		break;
	}
	while (idm_json_each(ours, &item))
		check_jansson_value(&item, item.key ? json_object_iter_value(json_object_iter_at(
							      (json_t *)theirs, item.key))
						    : json_array_get(theirs, item.index));
}

static bool is_our_limit(const struct idm_error *err)
{
	return strstr(err->message, "expected at most 32 levels, got more") ||
	       strstr(err->message, "expected at most 100000 values, got more");
}

void check_jansson(const struct idm_json_text *parsed, const char *text, size_t size,
		   const struct idm_error *why)
{
	json_error_t error;
	json_t *theirs = json_loadb(text, size, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
	struct idm_json whole;

	if (!parsed) {
		if (theirs && !is_our_limit(why) && !memchr(text, 0, size))
			FAIL("jansson accepts a text that the library refuses: %s", why->message);
	} else {
		whole = idm_json_whole(parsed);
		if (theirs)
			check_jansson_value(&whole, theirs);
		else if (!is_too_large(&whole))
			FAIL("jansson refuses a text that the library accepts: %s", error.text);
	}
	json_decref(theirs);
}

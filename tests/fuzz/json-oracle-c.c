// SPDX-License-Identifier: MIT
/*
 * json-c differs from the library in these points, so some of its results are not compared:
 *
 * - It mistakes a surrogate pair for half of another one if the character is U+1D800 to U+1DFFF, or the
 * same in another plane. It checks only the lower 16 bits, and continues with U+FFFD. So the test does
 * not pass it texts with \uD8.. to \uDB...
 * - It accepts more, also in its strict mode: numbers such as 01, control characters in strings, invalid
 * UTF-8, duplicate keys, NUL. So the test passes it only texts that the library accepts. It has to
 * accept these, too.
 * - Whole numbers of more than 64 bits become the largest one that fits. Other numbers are doubles. So
 * the test compares only whole numbers that fit.
 */
#include <json-c/json.h>
#include <string.h>

#include "fuzz.h"
#include "json-oracles.h"

static bool has_pair(const char *text, size_t size)
{
	for (size_t i = 0; i + 3 < size; i++)
		if (text[i] == '\\' && text[i + 1] == 'u' && (text[i + 2] | 0x20) == 'd' &&
		    strchr("89abAB", text[i + 3]))
			return true;
	return false;
}

static void check_json_c_number(const struct idm_json *ours, struct json_object *theirs)
{
	uint64_t n;

	CHECK(json_object_is_type(theirs, json_type_int) ||
	      json_object_is_type(theirs, json_type_double));
	if (idm_json_integer(ours, UINT64_MAX, &n, NULL) == 0)
		CHECK(json_object_get_uint64(theirs) == n);
}

static void check_json_c_value(const struct idm_json *ours, struct json_object *theirs)
{
	static const enum json_type types[] = { json_type_null,	  json_type_boolean, json_type_int,
						json_type_string, json_type_array,   json_type_object };
	struct idm_json item = { 0 };
	struct json_object *member;

	if (idm_json_type(ours) == IDM_JSON_NUMBER) {
		check_json_c_number(ours, theirs);
		return;
	}
	CHECK(json_object_get_type(theirs) == types[idm_json_type(ours)]);
	if (idm_json_type(ours) == IDM_JSON_STRING)
		CHECK(strcmp(json_object_get_string(theirs), ours->value->contents) == 0);
	if (idm_json_type(ours) == IDM_JSON_BOOLEAN)
		CHECK(json_object_get_boolean(theirs) == (*ours->value->contents == 't'));
	if (idm_json_type(ours) == IDM_JSON_ARRAY)
		CHECK(json_object_array_length(theirs) == ours->value->n);
	if (idm_json_type(ours) == IDM_JSON_OBJECT)
		CHECK((size_t)json_object_object_length(theirs) == ours->value->n);
	while (idm_json_each(ours, &item)) {
		if (item.key)
			CHECK(json_object_object_get_ex(theirs, item.key, &member));
		else
			member = json_object_array_get_idx(theirs, item.index);
		check_json_c_value(&item, member);
	}
}

void check_json_c(const struct idm_json_text *parsed, const char *text, size_t size)
{
	static const int flags[] = { JSON_TOKENER_STRICT, 0 };
	struct idm_json whole = idm_json_whole(parsed);

	if (has_pair(text, size))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		struct json_tokener *tokener = json_tokener_new_ex(IDM_JSON_DEEPEST + 2);
		struct json_object *theirs;

		json_tokener_set_flags(tokener, flags[i]);
		theirs = json_tokener_parse_ex(tokener, text, (int)size);
		if (json_tokener_get_error(tokener) == json_tokener_continue)
			theirs = json_tokener_parse_ex(tokener, "", 1);
		CHECK(json_tokener_get_error(tokener) == json_tokener_success);
		check_json_c_value(&whole, theirs);
		json_object_put(theirs);
		json_tokener_free(tokener);
	}
}

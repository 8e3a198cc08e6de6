// SPDX-License-Identifier: MIT
/* JSON that others wrote: what is wrong with it is found, and said with its place. */
#include "lib/spec/json.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/base/macros.h"
#include "tests/lib/test.h"

/* Of exactly this size: a sanitizer sees a read behind it. */
static char *exact_copy(const char *text, size_t n)
{
	char *exact = malloc(n ? n : 1);

	memcpy(exact, text, n);
	return exact;
}

static struct idm_json_text *parsed_bytes(const char *text, size_t n)
{
	struct idm_json_text *t = NULL;
	struct idm_error err;

	assert_ok(idm_json_parse(text, n, IDM_STEP_READ_PLAN, &t, &err), &err);
	return t;
}

static struct idm_json_text *parsed(const char *text)
{
	return parsed_bytes(text, strlen(text));
}

static void assert_refused_bytes(const char *text, size_t n, int code, const char *message)
{
	struct idm_json_text *untouched = (void *)&untouched, *t = untouched;
	AUTO_FREE char *exact = exact_copy(text, n);
	char whole[600];
	struct idm_error err;

	assert_error_at(HERE, text, idm_json_parse(exact, n, IDM_STEP_READ_PLAN, &t, &err), code, &err,
			"", "read plan", NULL);
	snprintf(whole, sizeof(whole), "read plan: %s", message);
	assert_string_equal(err.message, whole);
	assert_true(t == untouched);
}

static void assert_refused(const char *text, const char *message)
{
	assert_refused_bytes(text, strlen(text), -EINVAL, message);
}

/* ---- the text ---- */

TEST(all_types)
{
	AUTO_JSON struct idm_json_text *t =
		parsed(" {\"n\":null,\"b\":true,\"i\":1,\"d\":1.5,\"s\":\"x\",\"a\":[],\"o\":{}}\r\n\t");
	static const enum idm_json_type types[] = { IDM_JSON_NULL,   IDM_JSON_BOOLEAN, IDM_JSON_NUMBER,
						    IDM_JSON_NUMBER, IDM_JSON_STRING,  IDM_JSON_ARRAY,
						    IDM_JSON_OBJECT };
	struct idm_json whole = idm_json_whole(t), member = { 0 };
	char keys[20] = "";

	assert_int_equal(idm_json_type(&whole), IDM_JSON_OBJECT);
	while (idm_json_each(&whole, &member)) {
		assert_int_equal(idm_json_type(&member), types[member.index]);
		strcat(keys, member.key);
	}
	assert_string_equal(keys, "nbidsao");
}

TEST(any_value_can_be_the_whole)
{
	static const char *const texts[] = { "null", "true", "12", "1.5", "\"x\"", "[]", "{}" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		AUTO_JSON struct idm_json_text *t = parsed(texts[i]);
		struct idm_json whole = idm_json_whole(t);

		assert_int_equal(idm_json_type(&whole) == IDM_JSON_NULL, i == 0);
	}
}

TEST(malformed)
{
	assert_refused("[1 2]", "line 1, column 4: expected ',' or ']', got \"2\"");
	assert_refused("[1,]", "line 1, column 4: expected a value, got ']'");
	assert_refused("[1,,2]", "line 1, column 4: expected a value, got ','");
	assert_refused("{\n  \"a\":1,\n  }", "line 3, column 3: expected a key in quotes, got '}'");
	assert_refused("{\"a\" 1}", "line 1, column 6: expected ':', got \"1\"");
	assert_refused("{\"a\":1 \"b\":2}", "line 1, column 8: expected ',' or '}', got a string");
	assert_refused("{1:2}", "line 1, column 2: expected a key in quotes or '}', got \"1\"");
	assert_refused("[1}", "line 1, column 3: expected ',' or ']', got '}'");
	assert_refused("{]", "line 1, column 2: expected a key in quotes or '}', got ']'");
	assert_refused("]", "line 1, column 1: expected a value, got ']'");
	assert_refused("/* list */ []", "line 1, column 1: expected a value, got '/'");
	assert_refused("['a']", "line 1, column 2: expected a value, got '''");
	assert_refused("\xef\xbb\xbf[]", "line 1, column 1: expected a value, got a byte order mark");
	assert_refused("[\f1]", "line 1, column 2: expected a value, got the byte 0x0c");
	assert_refused("{a:1}", "line 1, column 2: expected a key in quotes or '}', got \"a\"");
	assert_refused("[True]", "line 1, column 2: expected a value, got \"True\"");
	assert_refused("[nullnull]", "line 1, column 2: expected a value, got \"nullnull\"");
}

TEST(columns_count_characters)
{
	assert_refused("[\n\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x8c\x8d\" x]",
		       "line 2, column 7: expected ',' or ']', got \"x\"");
}

TEST(trailing_garbage)
{
	assert_refused("[1]x", "line 1, column 4: expected the end of the text, got \"x\"");
	assert_refused("[1]\n[2]", "line 2, column 1: expected the end of the text, got '['");
	assert_refused("{} 1", "line 1, column 4: expected the end of the text, got \"1\"");
	assert_refused("[]]", "line 1, column 3: expected the end of the text, got ']'");
}

/* Wherever it is cut off, it is not whole. */
TEST(truncated)
{
	static const char text[] =
		"{\"a\": [1.5e+1, true, \"\xe2\x82\xac\\u00e4\\ud83c\\udf0d\\n\"],\n\"b\": {}}";

	for (size_t n = 0; n < strlen(text); n++) {
		struct idm_json_text *t = NULL;
		AUTO_FREE char *exact = exact_copy(text, n);
		struct idm_error err;

		assert_error(idm_json_parse(exact, n, IDM_STEP_READ_PLAN, &t, &err), -EINVAL, &err, "",
			     "read plan", "line ");
		assert_null(t);
	}
	assert_refused("", "line 1, column 1: expected a value, got the end of the text");
	assert_refused(" \n ", "line 2, column 2: expected a value, got the end of the text");
	assert_refused("{\n\"a\":\n\"bc", "line 3, column 4: expected '\"', got the end of the text");
	assert_refused("[tru", "line 1, column 2: expected a value, got \"tru\"");
	assert_refused("[-", "line 1, column 2: expected a number, got \"-\"");
	assert_refused("[\"\\", "line 1, column 3: expected one of \"\\/bfnrtu behind \\");
	assert_refused("[\"\\u00", "line 1, column 3: expected four hexadecimal digits behind \\u");
	assert_refused("1.", "line 1, column 1: expected a number, got \"1.\"");
}

TEST(depth)
{
	char text[100] = "";
	AUTO_JSON struct idm_json_text *t = NULL;

	memset(text, '[', 32);
	memset(text + 32, ']', 32);
	t = parsed(text);
	memset(text, '[', 33);
	memset(text + 33, ']', 33);
	assert_refused(text, "line 1, column 33: expected at most 32 levels, got more");
}

static char *repeated(const char *piece, size_t size)
{
	size_t n = strlen(piece);
	char *text = malloc(size);

	for (size_t i = 0; i < size; i++)
		text[i] = piece[i % n];
	return text;
}

TEST(size)
{
	size_t most = 16 << 20;
	AUTO_FREE char *text = repeated(" ", most + 1);
	AUTO_JSON struct idm_json_text *t = NULL;

	text[most] = '1';
	assert_refused_bytes(text, most + 1, -E2BIG, "expected at most 16777216 bytes, got 16777217");
	t = parsed_bytes(text + 1, most);
}

/* Each of these would take gigabytes, or hours, if it were read to its end, or compared with itself. */
TEST(large_nonsense_is_refused_at_once)
{
	static const struct {
		const char *first, *piece, *message;
		int code;
	} cases[] = {
		{ "", "[", "line 1, column 33: expected at most 32 levels, got more", -EINVAL },
		{ "", "{\"a\":", "line 1, column 161: expected at most 32 levels, got more", -EINVAL },
		{ "[", "{},", "line 1, column 299999: expected at most 100000 values, got more",
		  -E2BIG },
		{ "{", "\"a\":1,", "line 1, column 300000: expected at most 100000 values, got more",
		  -E2BIG },
		{ "[", "\"\",", "line 1, column 299999: expected at most 100000 values, got more",
		  -E2BIG },
		{ "", "-",
		  "line 1, column 1: expected a number, got \"----------------------------------------\"",
		  -EINVAL },
		{ "", "\"\\\\", "line 1, column 5: expected the end of the text, got '\\'", -EINVAL },
		{ "", "]", "line 1, column 1: expected a value, got ']'", -EINVAL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_FREE char *text = repeated(cases[i].piece, 16 << 20);

		memmove(text + strlen(cases[i].first), text, (16 << 20) - strlen(cases[i].first));
		memcpy(text, cases[i].first, strlen(cases[i].first));
		assert_refused_bytes(text, 16 << 20, cases[i].code, cases[i].message);
	}
}

/* Keys that are alike for long, and all different. */
TEST(many_long_keys)
{
	const size_t n = 49999, length = 300;
	AUTO_FREE char *text = malloc(n * (length + 20) + 2);
	AUTO_JSON struct idm_json_text *t = NULL;
	char *p = text;

	*p++ = '{';
	for (size_t i = 0; i < n; i++)
		p += sprintf(p, "\"%0*zu\":1%s", (int)length, i, i + 1 < n ? "," : "}");
	t = parsed_bytes(text, (size_t)(p - text));
}

TEST(duplicate_keys)
{
	assert_refused("{\"a\":1,\"b\":2,\n \"a\":3}", "line 2, column 2: duplicate key \"a\"");
	/* however it is spelt */
	assert_refused("{\"type\":1,\"\\u0074ype\":2}", "line 1, column 11: duplicate key \"type\"");
	assert_refused("{\"\\u0074ype\":1,\"type\":2}", "line 1, column 16: duplicate key \"type\"");
	assert_refused("{\"\xe2\x82\xac\":1,\"\\u20AC\":2}",
		       "line 1, column 8: duplicate key \"\xe2\x82\xac\"");
	assert_refused("{\"\\ud83c\\udf0d\":1,\"\xf0\x9f\x8c\x8d\":2}",
		       "line 1, column 19: duplicate key \"\xf0\x9f\x8c\x8d\"");
	assert_refused(
		"{\"\\b\\f\\n\\r\\t\\/\\\\\\\"\":1,\"\\u0008\\u000c\\u000A\\u000d\\u0009/\\u005c\\u0022\":2}",
		"line 1, column 23: duplicate key \"\\010\\014\\012\\015\\011/\\\"\"");
	assert_refused("{\"\":1,\"\" \n :2}", "line 1, column 7: duplicate key \"\"");
	/* the first of them in the text, deep inside, and behind an object that ended */
	assert_refused("{\"z\":1,\"z\":1,\"a\":1,\"a\":2}", "line 1, column 8: duplicate key \"z\"");
	assert_refused("[0,{\"x\":[{\"a\":{\"b\":1},\"b\":{},\"a\":1}]}]",
		       "line 1, column 30: duplicate key \"a\"");
}

TEST(equal_keys_of_different_objects)
{
	AUTO_JSON struct idm_json_text *t = parsed(
		"{\"a\":{\"a\":1,\"b\":[\"a\",\"a\",{\"a\":1},{\"a\":2}]},\"b\":\"a\",\"ab\":\"b\",\"A\":0}");

	assert_non_null(t);
}

TEST(numbers_that_are_none)
{
	static const char *const texts[] = { "01",  "-01", "00",    "1.",    ".5",	 "1e",
					     "1e+", "-",   "+1",    "1.5.5", "0x1",	 "1e+-3",
					     "--1", "1-2", "1_000", "NaN",   "Infinity", "-Infinity" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		char text[30], message[100];

		snprintf(text, sizeof(text), "[%s]", texts[i]);
		snprintf(message, sizeof(message), "line 1, column 2: expected a %s, got \"%s\"",
			 strchr("NI", *texts[i]) ? "value" : "number", texts[i]);
		assert_refused(text, message);
	}
}

TEST(strings_that_are_none)
{
	assert_refused("[\"a\tb\"]", "line 1, column 4: expected \\u0009, got the byte 0x09");
	assert_refused("[\"a\nb\"]", "line 1, column 4: expected '\"', got the end of the line");
	assert_refused("[\"\\x\"]", "line 1, column 3: expected one of \"\\/bfnrtu behind \\");
	assert_refused("[\"\\u00g0\"]", "line 1, column 3: expected four hexadecimal digits behind \\u");
	assert_refused("[\"a\\u0000\"]", "line 1, column 4: a NUL character in a string");
	assert_refused("{\"a\\u0000\":1}", "line 1, column 4: a NUL character in a string");
	assert_refused("[\"\\ud800\"]", "line 1, column 3: expected a surrogate pair, got half of one");
	assert_refused("[\"\\ud800\\ud800\"]",
		       "line 1, column 3: expected a surrogate pair, got half of one");
	assert_refused("[\"\\ud800\\n\\n\\n\"]",
		       "line 1, column 3: expected a surrogate pair, got half of one");
	assert_refused("[\"\\uDC00\"]", "line 1, column 3: expected a surrogate pair, got half of one");
}

TEST(nul_bytes)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{ "[1]@", "line 1, column 4: expected the end of the text, got the byte 0x00" },
		{ "[1@]", "line 1, column 3: expected ',' or ']', got the byte 0x00" },
		{ "@", "line 1, column 1: expected a value, got the byte 0x00" },
		{ "[\"a@\"]", "line 1, column 4: a NUL byte in a string" },
		{ "{\"a@\":1}", "line 1, column 4: a NUL byte in a string" },
		{ "[\"\\@\"]", "line 1, column 3: expected one of \"\\/bfnrtu behind \\" },
		{ "[nul@l]", "line 1, column 2: expected a value, got \"nul\"" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[20];

		strcpy(text, cases[i].text);
		text[strcspn(text, "@")] = '\0';
		assert_refused_bytes(text, strlen(cases[i].text), -EINVAL, cases[i].message);
	}
}

TEST(invalid_utf8)
{
	static const char *const bad[] = { "\xff",
					   "\x80",
					   "\xc0\x80",
					   "\xc1\xbf",
					   "\xc3",
					   "\xc3(",
					   "\xe0\x9f\xbf",
					   "\xe2\x82",
					   "\xed\xa0\x80",
					   "\xed\xbf\xbf",
					   "\xf0\x8f\xbf\xbf",
					   "\xf4\x90\x80\x80",
					   "\xf5\x80\x80\x80" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		char text[30], message[60];

		snprintf(text, sizeof(text), "[\"%s\"]", bad[i]);
		snprintf(message, sizeof(message),
			 "line 1, column 3: expected UTF-8, got the byte 0x%02x",
			 (unsigned char)*bad[i]);
		assert_refused(text, message);
	}
}

TEST(valid_utf8)
{
	static const char good[] =
		"\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xf0\x90\x80\x80\xf4\x8f\xbf\xbf";
	char text[60];
	AUTO_JSON struct idm_json_text *t = NULL;
	struct idm_json whole;
	const char *string;

	snprintf(text, sizeof(text), "\"%s\\u00e4\\ud83c\\udf0d\"", good);
	t = parsed(text);
	whole = idm_json_whole(t);
	assert_ok(idm_json_string(&whole, &string, NULL), NULL);
	assert_int_equal(strncmp(string, good, strlen(good)), 0);
	assert_string_equal(string + strlen(good), "\xc3\xa4\xf0\x9f\x8c\x8d");
}

/* ---- values ---- */

static void assert_pair_is_character(long u)
{
	const char utf8[] = { (char)(0xf0 | u >> 18), (char)(0x80 | (u >> 12 & 63)),
			      (char)(0x80 | (u >> 6 & 63)), (char)(0x80 | (u & 63)), 0 };
	char pair[13], text[100], wanted[30];
	AUTO_JSON struct idm_json_text *t = NULL;
	struct idm_json whole, member = { 0 };
	const char *string;

	snprintf(pair, sizeof(pair), "\\u%lx\\u%lX", 0xd800 + ((u - 0x10000) >> 10),
		 0xdc00 + (u & 0x3ff));
	snprintf(text, sizeof(text), "{\"%skey\": \"\\\\ud83c\\\"%s%s\"}", pair, pair, pair);
	t = parsed(text);
	whole = idm_json_whole(t);
	assert_true(idm_json_each(&whole, &member));
	snprintf(wanted, sizeof(wanted), "%skey", utf8);
	assert_string_equal(member.key, wanted);
	assert_int_equal(idm_json_string(&member, &string, NULL), 0);
	snprintf(wanted, sizeof(wanted), "\\ud83c\"%s%s", utf8, utf8);
	assert_string_equal(string, wanted);
}

/* json-c makes U+FFFD of those whose lower 16 bits are a half of a pair. */
TEST(surrogate_pairs)
{
	for (long u = 0x10000; u < 0x110000; u += 0x400) {
		assert_pair_is_character(u);
		assert_pair_is_character(u + 0x3ff);
	}
}

/* Places are those of the text, not of what it says. */
TEST(errors_behind_surrogate_pairs)
{
	assert_refused("[\"\\ud83c\\udf0d\" 1]", "line 1, column 17: expected ',' or ']', got \"1\"");
	assert_refused("[\"\\ud837\\udf0d\\ud837\\udf0d\",\n\"\\ud83c\\udf0d\" 1]",
		       "line 2, column 16: expected ',' or ']', got \"1\"");
	assert_refused("{} \"\\ud83c\\udf0d\"",
		       "line 1, column 4: expected the end of the text, got a string");
	assert_refused("[\"\\ud83c\\udf0d\"",
		       "line 1, column 16: expected ',' or ']', got the end of the text");
}

static void assert_not_uint32(const char *number, const char *reason)
{
	AUTO_JSON struct idm_json_text *t = parsed(number);
	struct idm_json whole = idm_json_whole(t);
	struct idm_error err;
	uint32_t n = 7;

	assert_error_at(HERE, number, idm_json_uint32(&whole, &n, &err), -EINVAL, &err, "", "read plan",
			NULL);
	assert_string_equal(PART(err, reason), reason);
	assert_int_equal(n, 7);
}

TEST(unsigned_numbers)
{
	static const struct {
		const char *text;
		uint32_t n;
	} good[] = {
		{ "0", 0 }, { "-0", 0 }, { "1", 1 }, { "65536", 65536 }, { "4294967295", UINT32_MAX }
	};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		AUTO_JSON struct idm_json_text *t = parsed(good[i].text);
		struct idm_json whole = idm_json_whole(t);
		struct idm_error err;
		uint32_t n = 7;

		assert_ok(idm_json_uint32(&whole, &n, &err), &err);
		assert_int_equal(n, good[i].n);
	}
	assert_not_uint32("4294967296", "expected a number from 0 to 4294967295, got 4294967296");
	assert_not_uint32("9223372036854775807",
			  "expected a number from 0 to 4294967295, got 9223372036854775807");
	assert_not_uint32("9223372036854775808",
			  "expected a number from 0 to 4294967295, got 9223372036854775808");
	assert_not_uint32("18446744073709551615",
			  "expected a number from 0 to 4294967295, got 18446744073709551615");
	assert_not_uint32("18446744073709551616",
			  "expected a number from 0 to 4294967295, got 18446744073709551616");
	assert_not_uint32("99999999999999999999999999999999999999999999999",
			  "expected a number from 0 to 4294967295, got "
			  "9999999999999999999999999999999999999999");
	assert_not_uint32("-1", "expected a number from 0 to 4294967295, got -1");
	assert_not_uint32("-4294967296", "expected a number from 0 to 4294967295, got -4294967296");
	assert_not_uint32("-18446744073709551615",
			  "expected a number from 0 to 4294967295, got -18446744073709551615");
	assert_not_uint32("1.0", "expected a whole number in plain digits, got 1.0");
	assert_not_uint32("1.5", "expected a whole number in plain digits, got 1.5");
	assert_not_uint32("-1.5", "expected a whole number in plain digits, got -1.5");
	assert_not_uint32("1e3", "expected a whole number in plain digits, got 1e3");
	assert_not_uint32("1E400", "expected a whole number in plain digits, got 1E400");
	assert_not_uint32("\"1\"", "expected a number, got a string");
}

static struct idm_json element_at(const struct idm_json *array, size_t index)
{
	struct idm_json item = { 0 };

	do
		assert_true(idm_json_each(array, &item));
	while (item.index < index);
	return item;
}

static void assert_reason(const struct idm_error *err, const char *reason)
{
	assert_string_equal(PART(*err, reason), reason);
	assert_string_equal(PART(*err, subject), "");
	assert_int_equal(err->errnum, EINVAL);
}

TEST(places)
{
	AUTO_JSON struct idm_json_text *t = parsed(
		"{\"mounts\":[0,{},{\"type\":null},\n{\"options\":[3]}],\"a \\\"b\":{\"\":[[],[false]]}}");
	struct idm_json whole = idm_json_whole(t), mounts, mount, options, option, odd, empty, list;
	struct idm_error err;
	const char *string;
	uint32_t number;
	bool boolean;
	size_t n;

	assert_int_equal(idm_json_array(&whole, &n, &err), -EINVAL);
	assert_reason(&err, "expected an array, got an object");
	assert_true(idm_json_member(&whole, "mounts", &mounts));
	assert_int_equal(idm_json_object(&mounts, &err), -EINVAL);
	assert_reason(&err, "line 1, column 11: mounts: expected an object, got an array");
	assert_ok(idm_json_array(&mounts, &n, &err), &err);
	assert_int_equal(n, 4);
	mount = element_at(&mounts, 0);
	assert_int_equal(idm_json_object(&mount, &err), -EINVAL);
	assert_reason(&err, "line 1, column 12: mounts[0]: expected an object, got a number");
	mount = element_at(&mounts, 1);
	assert_int_equal(idm_json_string(&mount, &string, &err), -EINVAL);
	assert_reason(&err, "line 1, column 14: mounts[1]: expected a string, got an object");
	mount = element_at(&mounts, 3);
	assert_true(idm_json_member(&mount, "options", &options));
	option = element_at(&options, 0);
	assert_int_equal(idm_json_string(&option, &string, &err), -EINVAL);
	assert_reason(&err, "line 2, column 13: mounts[3].options[0]: expected a string, got a number");
	assert_int_equal(idm_json_boolean(&option, &boolean, &err), -EINVAL);
	assert_reason(&err,
		      "line 2, column 13: mounts[3].options[0]: expected true or false, got a number");
	assert_int_equal(idm_json_fail(&option, &err, "%d is odd", 3), -EINVAL);
	assert_reason(&err, "line 2, column 13: mounts[3].options[0]: 3 is odd");
	assert_true(idm_json_member(&whole, "a \"b", &odd));
	assert_true(idm_json_member(&odd, "", &empty));
	list = element_at(&empty, 1);
	option = element_at(&list, 0);
	assert_int_equal(idm_json_uint32(&option, &number, &err), -EINVAL);
	assert_reason(&err, "line 2, column 35: [\"a \"b\"][\"\"][1][0]: expected a number, got false");
	assert_ok(idm_json_boolean(&option, &boolean, &err), &err);
	assert_false(boolean);
}

TEST(missing_and_null_are_the_same)
{
	AUTO_JSON struct idm_json_text *t = parsed("{\"a\":null,\"b\":[null]}");
	struct idm_json whole = idm_json_whole(t), member, element;
	struct idm_error err;
	const char *string;

	assert_false(idm_json_member(&whole, "a", &member));
	assert_false(idm_json_member(&whole, "A", &member));
	assert_true(idm_json_member(&whole, "b", &member));
	assert_false(idm_json_member(&member, "a", &element));
	element = element_at(&member, 0);
	assert_int_equal(idm_json_string(&element, &string, &err), -EINVAL);
	assert_reason(&err, "line 1, column 16: b[0]: expected a string, got null");
}

/* ---- bytes ---- */

static void assert_bytes(const struct idm_json *at, const char *bytes)
{
	assert_int_equal(at->value->end - at->value->start, strlen(bytes));
	assert_int_equal(memcmp(at->text->bytes + at->value->start, bytes, strlen(bytes)), 0);
}

/* The editor of texts uses them. */
TEST(values_know_their_bytes)
{
	AUTO_JSON struct idm_json_text *t =
		parsed(" {\"a\" : [ 1e5 , \"\\ud83c\\udf0d\" ],\"\\u0062\":{ } , \"c\":null} ");
	struct idm_json whole = idm_json_whole(t), member, item;

	assert_bytes(&whole, "{\"a\" : [ 1e5 , \"\\ud83c\\udf0d\" ],\"\\u0062\":{ } , \"c\":null}");
	assert_true(idm_json_member(&whole, "a", &member));
	assert_bytes(&member, "[ 1e5 , \"\\ud83c\\udf0d\" ]");
	assert_int_equal(member.value->item, 2);
	item = element_at(&member, 0);
	assert_bytes(&item, "1e5");
	assert_string_equal(item.value->contents, "1e5");
	assert_int_equal(item.value->item, item.value->start);
	item = element_at(&member, 1);
	assert_bytes(&item, "\"\\ud83c\\udf0d\"");
	assert_true(idm_json_member(&whole, "b", &member));
	assert_bytes(&member, "{ }");
	assert_int_equal(t->bytes[member.value->item + 1], '\\');
	assert_false(idm_json_member(&whole, "c", &member));
	assert_bytes(&member, "null");
	assert_false(idm_json_member(&whole, "d", &member));
	assert_null(member.value);
}

/* ---- integers ---- */

static int integer(const char *text, uint64_t most, uint64_t *number)
{
	AUTO_JSON struct idm_json_text *t = parsed(text);
	struct idm_json whole = idm_json_whole(t);

	return idm_json_integer(&whole, most, number, NULL);
}

TEST(integers)
{
	uint64_t n = 7;

	assert_int_equal(integer("18446744073709551615", UINT64_MAX, &n), 0);
	assert_true(n == UINT64_MAX);
	assert_int_equal(integer("9223372036854775808", UINT64_MAX, &n), 0);
	assert_true(n == 1ULL << 63);
	assert_int_equal(integer("10", 10, &n), 0);
	assert_true(n == 10);
	assert_int_equal(integer("11", 10, &n), -EINVAL);
	assert_int_equal(integer("18446744073709551616", UINT64_MAX, &n), -EINVAL);
	assert_int_equal(integer("184467440737095516150", UINT64_MAX, &n), -EINVAL);
	assert_int_equal(integer("-18446744073709551616", UINT64_MAX, &n), -EINVAL);
	assert_int_equal(integer("-1", UINT64_MAX, &n), -EINVAL);
	assert_int_equal(integer("1e0", UINT64_MAX, &n), -EINVAL);
	assert_true(n == 10);
}

/* A number that is not asked for may be any. */
TEST(numbers_that_are_not_asked_for)
{
	AUTO_JSON struct idm_json_text *t = parsed("{\"a\":1e400,\"b\":-1E-99999,\"c\":0.00000001}");

	assert_non_null(t);
}

/* ---- long ones ---- */

/* However long the place is, what is wrong there is said. */
TEST(long_places)
{
	char text[2000] = "{\"";
	AUTO_JSON struct idm_json_text *t = NULL;
	struct idm_json whole, member = { 0 };
	struct idm_error err;
	const char *string;

	memset(text + 2, 'k', 1500);
	strcpy(text + 1502, "\":1}");
	t = parsed(text);
	whole = idm_json_whole(t);
	assert_true(idm_json_each(&whole, &member));
	assert_int_equal(idm_json_string(&member, &string, &err), -EINVAL);
	assert_contains(PART(err, reason), "kkk...: expected a string, got a number");
}

TEST(nobody_needs_to_want_words)
{
	struct idm_json_text *t = NULL;

	assert_int_equal(idm_json_parse("[", 1, IDM_STEP_READ_PLAN, &t, NULL), -EINVAL);
	assert_int_equal(idm_json_parse("[01]", 4, IDM_STEP_READ_PLAN, &t, NULL), -EINVAL);
	idm_json_free(NULL);
}

/* ---- whatever comes ---- */

static const char *const pieces[] = { "{",	  "}",	   "[",	   "]",	      ",",
				      ":",	  " ",	   "\n",   "\"",      "\\",
				      "\"a\"",	  "\"b\"", "1",	   "-",	      "0.5",
				      "1e9",	  "null",  "true", "\\u0061", "\\ud83c\\udf0d",
				      "\xc3\xa4", "\xff",  "x",	   "\"a\":",  "{\"a\":" };

/* Nothing is read or written where it must not be, and every refusal is a complete line. */
TEST(random_tokens)
{
	struct rng rng = rng_new(1);

	for (int round = 0; round < (test_is_slow() ? 5000 : 100000); round++) {
		uint32_t n = rng_below(&rng, 12);
		struct idm_json_text *t = NULL;
		struct idm_error err;
		char text[200] = "";
		AUTO_FREE char *exact = NULL;
		int r;

		while (n--)
			strcat(text, pieces[rng_below(&rng, ARRAY_SIZE(pieces))]);
		exact = strdup(text);
		r = idm_json_parse(exact, strlen(exact), IDM_STEP_READ_PLAN, &t, &err);
		if (r < 0)
			assert_error(r, -EINVAL, &err, "", "read plan", "line ");
		idm_json_free(t);
	}
}

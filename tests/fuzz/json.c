// SPDX-License-Identifier: MIT
/*
 * Compares the library's reader of JSON with a very plain parser of RFC 8259. Both always have to agree.
 * It is compared with json-c and jansson, too. json-oracle-*.c list the points in which these differ.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "json-oracles.h"

/* ---- the plain parser: from text to lines with its values ---- */

struct plain {
	const unsigned char *at, *end;
	FILE *out;
	unsigned int depth;
	bool good;
};

static void value(struct plain *p);

static void refuse(struct plain *p)
{
	p->good = false;
	p->at = p->end;
}

static int peek(const struct plain *p)
{
	return p->at < p->end ? *p->at : -1;
}

static void blanks(struct plain *p)
{
	while (p->at < p->end && strchr(" \t\r\n", *p->at) && *p->at)
		p->at++;
}

static bool take(struct plain *p, int c)
{
	if (peek(p) != c)
		return false;
	p->at++;
	return true;
}

/* Prints a character as a number, which cannot be mistaken for the end of the string. */
static void put_character(FILE *out, uint32_t c)
{
	fprintf(out, "%x ", c);
}

static uint32_t hexadecimal(struct plain *p)
{
	uint32_t u = 0;

	for (int i = 0; i < 4; i++) {
		int c = peek(p);
		const char *digits = "0123456789abcdefABCDEF", *digit = c > 0 ? strchr(digits, c) : NULL;
		uint32_t d = digit ? (uint32_t)(digit - digits) : 0;

		if (!digit) {
			refuse(p);
			return 0;
		}
		u = u * 16 + (d > 15 ? d - 6 : d);
		p->at++;
	}
	return u;
}

static uint32_t escape(struct plain *p)
{
	static const char names[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
	int c = peek(p);
	const char *name = c > 0 ? strchr(names, c) : NULL;
	uint32_t high, low;

	if (name) {
		p->at++;
		return (unsigned char)meanings[name - names];
	}
	if (!take(p, 'u')) {
		refuse(p);
		return 0;
	}
	high = hexadecimal(p);
	if (high == 0 || (high >= 0xdc00 && high < 0xe000))
		refuse(p);
	if (high < 0xd800 || high >= 0xdc00)
		return high;
	if (!take(p, '\\') || !take(p, 'u')) {
		refuse(p);
		return 0;
	}
	low = hexadecimal(p);
	if (low < 0xdc00 || low >= 0xe000)
		refuse(p);
	return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

static uint32_t utf8(struct plain *p)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char first = *p->at++;
	unsigned int length = first < 0x80	 ? 1
			      : first >> 5 == 6	 ? 2
			      : first >> 4 == 14 ? 3
			      : first >> 3 == 30 ? 4
						 : 0;
	uint32_t u = length == 1 ? first : first & (0x7fU >> length);

	for (unsigned int i = 1; i < length; i++) {
		if (peek(p) >> 6 != 2) {
			refuse(p);
			return 0;
		}
		u = u << 6 | (*p->at++ & 0x3f);
	}
	if (!length || first < 0x20 || u < least[length] || u > 0x10ffff || (u >= 0xd800 && u < 0xe000))
		refuse(p);
	return u;
}

/* Reads up to the closing quote. */
static void string(struct plain *p, FILE *out)
{
	while (!take(p, '"')) {
		if (p->at == p->end) {
			refuse(p);
			return;
		}
		put_character(out, take(p, '\\') ? escape(p) : utf8(p));
	}
}

static bool digits(struct plain *p)
{
	const unsigned char *first = p->at;

	while (peek(p) >= '0' && peek(p) <= '9')
		p->at++;
	return p->at > first;
}

/* Prints the number as it is written. */
static void number(struct plain *p)
{
	const char *first = (const char *)p->at;

	take(p, '-');
	if (!take(p, '0') && !digits(p))
		refuse(p);
	if (p->good && take(p, '.') && !digits(p))
		refuse(p);
	if (p->good && (take(p, 'e') || take(p, 'E'))) {
		if (!take(p, '+'))
			take(p, '-');
		if (!digits(p))
			refuse(p);
	}
	if (p->good)
		fprintf(p->out, "number %.*s\n", (int)((const char *)p->at - first), first);
}

static void word(struct plain *p, const char *text, const char *says)
{
	for (; *text; text++)
		if (!take(p, *text))
			refuse(p);
	fprintf(p->out, "%s\n", says);
}

/* The decoded keys of one object. */
struct keys {
	char *keys[1000];
	size_t n;
};

static void key(struct plain *p, struct keys *keys)
{
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	CHECK(out);
	if (!take(p, '"'))
		refuse(p);
	else
		string(p, out);
	fclose(out);
	for (size_t i = 0; i < keys->n; i++)
		if (strcmp(keys->keys[i], text) == 0)
			refuse(p);
	if (keys->n == ARRAY_SIZE(keys->keys)) {
		refuse(p);
		free(text);
		return;
	}
	keys->keys[keys->n++] = text;
	fprintf(p->out, "key %s\n", text);
}

static void object(struct plain *p)
{
	struct keys *keys = calloc(1, sizeof(*keys));

	CHECK(keys);
	fprintf(p->out, "{\n");
	blanks(p);
	if (!take(p, '}')) {
		do {
			blanks(p);
			key(p, keys);
			blanks(p);
			if (!take(p, ':'))
				refuse(p);
			value(p);
		} while (p->good && take(p, ','));
		if (!take(p, '}'))
			refuse(p);
	}
	fprintf(p->out, "}\n");
	for (size_t i = 0; i < keys->n; i++)
		free(keys->keys[i]);
	free(keys);
}

static void array(struct plain *p)
{
	fprintf(p->out, "[\n");
	blanks(p);
	if (!take(p, ']')) {
		do
			value(p);
		while (p->good && take(p, ','));
		if (!take(p, ']'))
			refuse(p);
	}
	fprintf(p->out, "]\n");
}

static void bracket(struct plain *p, bool is_object)
{
	if (++p->depth > IDM_JSON_DEEPEST)
		refuse(p);
	if (p->good && is_object)
		object(p);
	else if (p->good)
		array(p);
	p->depth--;
}

static void value(struct plain *p)
{
	blanks(p);
	if (take(p, '{'))
		bracket(p, true);
	else if (take(p, '['))
		bracket(p, false);
	else if (take(p, '"')) {
		fprintf(p->out, "string ");
		string(p, p->out);
		fputc('\n', p->out);
	} else if (peek(p) == 't')
		word(p, "true", "true");
	else if (peek(p) == 'f')
		word(p, "false", "false");
	else if (peek(p) == 'n')
		word(p, "null", "null");
	else
		number(p);
	blanks(p);
}

/* Returns the values as lines, for free(); NULL: the text is not JSON. */
static char *parse_plainly(const char *text, size_t size)
{
	const unsigned char *bytes = (const unsigned char *)text;
	struct plain p = { .at = bytes, .end = bytes + size, .good = true };
	char *said;
	size_t length;

	p.out = open_memstream(&said, &length);
	CHECK(p.out);
	value(&p);
	fclose(p.out);
	if (p.good && p.at == p.end)
		return said;
	free(said);
	return NULL;
}

/* ---- the library's values, in the same lines ---- */

static void say(FILE *out, const struct idm_json *at);

static void say_string(FILE *out, const char *s)
{
	struct plain p = { .at = (const unsigned char *)s, .out = out, .good = true };

	/* The string is valid, so the parser reads up to its end. */
	p.end = p.at + strlen(s);
	while (p.at < p.end) {
		unsigned char c = *p.at;

		if (c < 0x20) {
			put_character(out, c);
			p.at++;
		} else {
			put_character(out, utf8(&p));
		}
	}
	CHECK(p.good);
}

/* Compares it as an integer with strtoull(3). */
static void check_integer(const struct idm_json *at, const char *text)
{
	bool minus = *text == '-', digits = !text[minus + strspn(text + minus, "0123456789")];
	unsigned long long n;
	uint64_t large = 0;
	uint32_t small = 0;

	errno = 0;
	n = strtoull(text + minus, NULL, 10);
	digits = digits && errno == 0 && !(minus && n);
	CHECK(idm_json_integer(at, UINT64_MAX, &large, NULL) == (digits ? 0 : -EINVAL));
	CHECK(!digits || large == n);
	digits = digits && n <= UINT32_MAX;
	CHECK(idm_json_uint32(at, &small, NULL) == (digits ? 0 : -EINVAL));
	CHECK(!digits || small == n);
}

static void say_object(FILE *out, const struct idm_json *at)
{
	struct idm_json member = { 0 }, found;

	fprintf(out, "{\n");
	while (idm_json_each(at, &member)) {
		CHECK(idm_json_member(at, member.key, &found) ==
		      (idm_json_type(&member) != IDM_JSON_NULL));
		CHECK(found.value == member.value);
		fprintf(out, "key ");
		say_string(out, member.key);
		fputc('\n', out);
		say(out, &member);
	}
	fprintf(out, "}\n");
}

static void say_array(FILE *out, const struct idm_json *at)
{
	struct idm_json element = { 0 };
	size_t n, i = 0;

	CHECK(idm_json_array(at, &n, NULL) == 0);
	fprintf(out, "[\n");
	for (; idm_json_each(at, &element); i++)
		say(out, &element);
	CHECK(i == n);
	fprintf(out, "]\n");
}

static void say(FILE *out, const struct idm_json *at)
{
	const char *text;
	bool boolean;

	switch (idm_json_type(at)) {
	case IDM_JSON_NULL:
		fprintf(out, "null\n");
		break;
	case IDM_JSON_BOOLEAN:
		CHECK(idm_json_boolean(at, &boolean, NULL) == 0);
		fprintf(out, "%s\n", boolean ? "true" : "false");
		break;
	case IDM_JSON_NUMBER:
		check_integer(at, at->value->contents);
		fprintf(out, "number %s\n", at->value->contents);
		break;
	case IDM_JSON_STRING:
		CHECK(idm_json_string(at, &text, NULL) == 0);
		fprintf(out, "string ");
		say_string(out, text);
		fputc('\n', out);
		break;
	case IDM_JSON_ARRAY:
		say_array(out, at);
		break;
	case IDM_JSON_OBJECT:
		say_object(out, at);
		break;
	}
}

static char *say_whole(const struct idm_json_text *parsed)
{
	struct idm_json whole = idm_json_whole(parsed);
	char *said;
	size_t length;
	FILE *out = open_memstream(&said, &length);

	CHECK(out);
	say(out, &whole);
	fclose(out);
	return said;
}

/* ---- the bytes of each value ---- */

/* The bytes of a value are a text with the same value. */
static void check_bytes(const struct idm_json *at)
{
	size_t n = at->value->end - at->value->start;
	AUTO_JSON struct idm_json_text *again = NULL;
	AUTO_FREE char *copy = bytes_copy((const uint8_t *)at->text->bytes + at->value->start, n);
	AUTO_FREE char *first = NULL, *second = NULL;
	struct idm_json item = { 0 };
	size_t length;
	FILE *out = open_memstream(&first, &length);

	CHECK(out && idm_json_parse(copy, n, IDM_STEP_READ_PLAN, &again, NULL) == 0);
	say(out, at);
	fclose(out);
	second = say_whole(again);
	CHECK(strcmp(first, second) == 0);
	/* One level is enough, because the lines contain the levels below. */
	while (idm_json_each(at, &item)) {
		CHECK(item.value->item > at->value->start && item.value->end < at->value->end);
		CHECK(at->text->bytes[item.value->start] ==
		      again->bytes[item.value->start - at->value->start]);
		CHECK(!item.key || at->text->bytes[item.value->item] == '"');
	}
}

/* ---- the target ---- */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_FREE char *text = bytes_copy(data, size);
	AUTO_FREE char *plain = parse_plainly(text, size);
	AUTO_FREE char *ours = NULL;
	AUTO_JSON struct idm_json_text *parsed = NULL;
	struct idm_json whole, item = { 0 };
	struct idm_error err;
	int r = idm_json_parse(text, size, IDM_STEP_READ_PLAN, &parsed, &err);

	check_jansson(r < 0 ? NULL : parsed, text, size, &err);
	if (r < 0) {
		CHECK_ERROR(r, &err);
		if (plain)
			FAIL("refused, but it is JSON: %s", err.message);
		return 0;
	}
	if (!plain)
		FAIL("taken, but it is no JSON");
	check_json_c(parsed, text, size);
	whole = idm_json_whole(parsed);
	check_bytes(&whole);
	while (idm_json_each(&whole, &item))
		check_bytes(&item);
	ours = say_whole(parsed);
	if (strcmp(ours, plain) != 0)
		FAIL("understood as\n%sand not as\n%s", ours, plain);
	return 0;
}

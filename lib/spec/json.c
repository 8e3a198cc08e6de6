// SPDX-License-Identifier: MIT
/* The values of a parsed text, and errors about a value. */
#include "json.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/error.h"

/* ---- places ---- */

int idm_json_fail_at(const struct idm_json_text *text, size_t offset, int code, struct idm_error *err,
		     const char *reason, ...)
{
	size_t line = 1, column = 1;
	char words[IDM_REASON_SIZE];
	va_list args;

	if (!err)
		return code;
	for (const char *c = text->bytes; c < text->bytes + offset; c++) {
		if (*c == '\n')
			line++;
		column = *c == '\n' ? 1 : column + ((*c & 0xc0) != 0x80);
	}
	va_start(args, reason);
	vsnprintf(words, sizeof(words), reason, args);
	va_end(args);
	return idm_fail(err, code, text->step, NULL, "line %zu, column %zu: %s", line, column, words);
}

static bool is_plain_key(const char *key)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

	return *key && key[strspn(key, plain)] == '\0';
}

/*
 * Climbs to the top value. So it recurses no deeper than the nesting. Returns the length of the place.
 */
static size_t write_place(const struct idm_json_text *text, const struct idm_json_value *value,
			  char *place, size_t size)
{
	size_t n;
	int more;

	if (value == text->values)
		return 0;
	n = write_place(text, &text->values[value->parent], place, size);
	if (!value->key)
		more = snprintf(place + n, size - n, "[%u]", value->index);
	else if (is_plain_key(value->key))
		more = snprintf(place + n, size - n, "%s%s", n ? "." : "", value->key);
	else
		more = snprintf(place + n, size - n, "[\"%s\"]", value->key);
	if (n + (size_t)more < size)
		return n + (size_t)more;
	memcpy(place + size - 4, "...", 4);
	return size - 1;
}

int idm_json_fail(const struct idm_json *at, struct idm_error *err, const char *reason, ...)
{
	char place[IDM_REASON_SIZE / 2] = "", words[IDM_REASON_SIZE];
	va_list args;

	if (!err)
		return -EINVAL;
	if (at->value)
		write_place(at->text, at->value, place, sizeof(place));
	va_start(args, reason);
	vsnprintf(words, sizeof(words), reason, args);
	va_end(args);
	/* The top value has no place to name. */
	if (!*place)
		return idm_fail(err, -EINVAL, at->text->step, NULL, "%s", words);
	return idm_json_fail_at(at->text, at->value->start, -EINVAL, err, "%s: %s", place, words);
}

/* ---- values ---- */

static struct idm_json at_value(const struct idm_json_text *text, const struct idm_json_value *value)
{
	return (struct idm_json){ text, value, value->key, value->index };
}

struct idm_json idm_json_whole(const struct idm_json_text *text)
{
	return at_value(text, text->values);
}

enum idm_json_type idm_json_type(const struct idm_json *at)
{
	return at->value ? at->value->type : IDM_JSON_NULL;
}

static const char *const type_names[] = {
	[IDM_JSON_NULL] = "null",	[IDM_JSON_BOOLEAN] = "true or false",
	[IDM_JSON_NUMBER] = "a number", [IDM_JSON_STRING] = "a string",
	[IDM_JSON_ARRAY] = "an array",	[IDM_JSON_OBJECT] = "an object",
};

int idm_json_fail_expected(const struct idm_json *at, const char *what, struct idm_error *err)
{
	enum idm_json_type got = idm_json_type(at);

	return idm_json_fail(at, err, "expected %s, got %s", what,
			     got == IDM_JSON_BOOLEAN ? at->value->contents : type_names[got]);
}

static int check_type(const struct idm_json *at, enum idm_json_type type, struct idm_error *err)
{
	return idm_json_type(at) == type ? 0 : idm_json_fail_expected(at, type_names[type], err);
}

int idm_json_object(const struct idm_json *at, struct idm_error *err)
{
	return check_type(at, IDM_JSON_OBJECT, err);
}

int idm_json_array(const struct idm_json *at, size_t *n, struct idm_error *err)
{
	int r = check_type(at, IDM_JSON_ARRAY, err);

	if (r == 0)
		*n = at->value->n;
	return r;
}

int idm_json_string(const struct idm_json *at, const char **string, struct idm_error *err)
{
	int r = check_type(at, IDM_JSON_STRING, err);

	if (r == 0)
		*string = at->value->contents;
	return r;
}

int idm_json_boolean(const struct idm_json *at, bool *boolean, struct idm_error *err)
{
	int r = check_type(at, IDM_JSON_BOOLEAN, err);

	if (r == 0)
		*boolean = *at->value->contents == 't';
	return r;
}

int idm_json_integer(const struct idm_json *at, uint64_t most, uint64_t *number, struct idm_error *err)
{
	int r = check_type(at, IDM_JSON_NUMBER, err);
	const char *digits;
	uint64_t n = 0;
	bool fits = true;

	if (r < 0)
		return r;
	digits = at->value->contents + (*at->value->contents == '-');
	if (digits[strspn(digits, "0123456789")])
		return idm_json_fail(at, err, "expected a whole number in plain digits, got %.40s",
				     at->value->contents);
	for (const char *digit = digits; fits && *digit; digit++)
		fits = !__builtin_mul_overflow(n, 10U, &n) &&
		       !__builtin_add_overflow(n, (unsigned int)(*digit - '0'), &n);
	if (!fits || n > most || (n && digits != at->value->contents))
		return idm_json_fail(at, err, "expected a number from 0 to %llu, got %.40s",
				     (unsigned long long)most, at->value->contents);
	*number = n;
	return 0;
}

int idm_json_uint32(const struct idm_json *at, uint32_t *number, struct idm_error *err)
{
	uint64_t n = 0;
	int r = idm_json_integer(at, UINT32_MAX, &n, err);

	if (r == 0)
		*number = (uint32_t)n;
	return r;
}

bool idm_json_each(const struct idm_json *in, struct idm_json *item)
{
	const struct idm_json_value *next = NULL;

	if (item->value)
		next = item->value->next ? &in->text->values[item->value->next] : NULL;
	else if (in->value && in->value->n)
		next = in->value + 1;
	if (next)
		*item = at_value(in->text, next);
	return next != NULL;
}

bool idm_json_member(const struct idm_json *object, const char *key, struct idm_json *member)
{
	struct idm_json each = { 0 };

	*member = (struct idm_json){ .text = object->text, .key = key };
	if (idm_json_type(object) != IDM_JSON_OBJECT)
		return false;
	while (!member->value && idm_json_each(object, &each))
		if (strcmp(each.key, key) == 0)
			*member = each;
	return idm_json_type(member) != IDM_JSON_NULL;
}

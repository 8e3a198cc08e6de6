// SPDX-License-Identifier: MIT
#include "json.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "error.h"
#include "json-c.h"
#include "json-scan.h"
#include "util.h"

struct idm_json_text {
	struct idm_json_c c;
	enum idm_error_step step;
	struct json_object *whole;
};

/* ---- the text ---- */

/* json-c cannot know whether 1 at the end goes on as 12, or a text without a value goes on at all. */
static enum json_tokener_error finish(const struct idm_json_c *c, struct json_tokener *tokener,
				      struct json_object **whole)
{
	if (c->tokener_get_error(tokener) == json_tokener_continue)
		*whole = c->tokener_parse_ex(tokener, "", 1);
	return c->tokener_get_error(tokener);
}

/*
 * json-c takes a pair for half of another if its character is U+1D800 to U+1DFFF, or that of another
 * plane: it looks at the lower 16 bits only, and goes on with U+FFFD instead. So it never gets to see a
 * pair, but the character. Returns how far it has read, which is where the error is if there is one.
 */
static size_t feed(const struct idm_json_c *c, struct json_tokener *tokener, const char *text,
		   size_t length, struct json_object **whole)
{
	char character[IDM_JSON_PAIR_BYTES];
	size_t at = 0, pair;

	for (;;) {
		pair = idm_json_find_pair(text, at, length, character);
		*whole = c->tokener_parse_ex(tokener, text + at, (int)(pair - at));
		if (pair == length || c->tokener_get_error(tokener) != json_tokener_continue)
			return at + c->tokener_get_parse_end(tokener);
		*whole = c->tokener_parse_ex(tokener, character, sizeof(character));
		if (c->tokener_get_error(tokener) != json_tokener_continue)
			return pair;
		at = pair + IDM_JSON_PAIR;
	}
}

static int parse(struct idm_json_text *t, const char *text, size_t length, struct idm_error *err)
{
	const struct idm_json_c *c = &t->c;
	/* Its limit is not ours: the depth was counted before. */
	struct json_tokener *tokener = c->tokener_new_ex(IDM_JSON_DEEPEST + 2);
	enum json_tokener_error e;
	size_t end;
	int r = 0;

	if (!tokener)
		return idm_fail(err, -ENOMEM, t->step, NULL, NULL);
	c->tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	end = feed(c, tokener, text, length, &t->whole);
	e = finish(c, tokener, &t->whole);
	if (e != json_tokener_success)
		r = idm_json_fail_at(text, end, -EINVAL, t->step, err, "%s", c->tokener_error_desc(e));
	c->tokener_free(tokener);
	return r;
}

static void count_in(const struct idm_json *at, struct idm_json_count *n)
{
	struct idm_json inside;
	const void *cursor = NULL;

	n->values++;
	switch (idm_json_type(at)) {
	case IDM_JSON_NULL:
		n->nulls++;
		break;
	case IDM_JSON_STRING:
		n->bytes += strlen(at->text->c.object_get_string(at->value));
		break;
	case IDM_JSON_ARRAY:
		for (size_t i = 0; i < at->text->c.object_array_length(at->value); i++) {
			inside = idm_json_element(at, i);
			count_in(&inside, n);
		}
		break;
	case IDM_JSON_OBJECT:
		while (idm_json_each(at, &cursor, &inside)) {
			n->values++;
			n->bytes += strlen(inside.key);
			count_in(&inside, n);
		}
		break;
	default:
		break;
	}
}

/*
 * A value for which it has no memory json-c takes for null, or leaves it out, and of a string it may
 * leave out the end: all without a word. So a mount that is to be mapped could become one that is not.
 */
static int check_whole(const struct idm_json_text *t, const struct idm_json_count *wanted,
		       struct idm_error *err)
{
	struct idm_json whole = idm_json_whole(t);
	struct idm_json_count n = { 0 };

	count_in(&whole, &n);
	if (n.values == wanted->values && n.nulls == wanted->nulls && n.bytes == wanted->bytes)
		return 0;
	return idm_fail(err, -ENOMEM, t->step, NULL, NULL);
}

int idm_json_parse(const char *text, size_t length, enum idm_error_step step,
		   struct idm_json_text **parsed, struct idm_error *err)
{
	AUTO_JSON struct idm_json_text *t = calloc(1, sizeof(*t));
	struct idm_json_count count;
	int r;

	if (!t)
		return idm_fail(err, -ENOMEM, step, NULL, NULL);
	t->step = step;
	r = idm_json_scan(text, length, step, &count, err);
	if (r == 0)
		r = idm_json_c_load(&t->c, step, err);
	if (r == 0)
		r = parse(t, text, length, err);
	if (r == 0)
		r = check_whole(t, &count, err);
	if (r < 0)
		return r;
	*parsed = t;
	t = NULL;
	return 0;
}

void idm_json_free(struct idm_json_text *text)
{
	if (text && text->whole)
		text->c.object_put(text->whole);
	free(text);
}

/* ---- places ---- */

static bool is_plain(const char *key)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

	return *key && key[strspn(key, plain)] == '\0';
}

/* Goes up to the whole text, so no deeper than that is nested. Returns the length of what was written.
 */
static size_t write_place(const struct idm_json *at, char *place, size_t size)
{
	size_t n = at->parent ? write_place(at->parent, place, size) : 0;
	int more = 0;

	if (at->parent && !at->key)
		more = snprintf(place + n, size - n, "[%zu]", at->index);
	else if (at->parent && is_plain(at->key))
		more = snprintf(place + n, size - n, "%s%s", n ? "." : "", at->key);
	else if (at->parent)
		more = snprintf(place + n, size - n, "[\"%s\"]", at->key);
	if (n + (size_t)more < size)
		return n + (size_t)more;
	memcpy(place + size - 4, "...", 4);
	return size - 1;
}

int idm_json_fail(const struct idm_json *at, struct idm_error *err, const char *reason, ...)
{
	char place[IDM_REASON_SIZE / 2] = "", words[IDM_REASON_SIZE];
	va_list args;

	write_place(at, place, sizeof(place));
	va_start(args, reason);
	vsnprintf(words, sizeof(words), reason, args);
	va_end(args);
	return idm_fail(err, -EINVAL, at->text->step, NULL, "%s%s%s", place, *place ? ": " : "", words);
}

/* ---- values ---- */

struct idm_json idm_json_whole(const struct idm_json_text *text)
{
	return (struct idm_json){ .text = text, .value = text->whole };
}

enum idm_json_type idm_json_type(const struct idm_json *at)
{
	switch (at->text->c.object_get_type(at->value)) {
	case json_type_boolean:
		return IDM_JSON_BOOLEAN;
	case json_type_double:
	case json_type_int:
		return IDM_JSON_NUMBER;
	case json_type_string:
		return IDM_JSON_STRING;
	case json_type_array:
		return IDM_JSON_ARRAY;
	case json_type_object:
		return IDM_JSON_OBJECT;
	default:
		return IDM_JSON_NULL;
	}
}

static int want(const struct idm_json *at, enum idm_json_type type, struct idm_error *err)
{
	static const char *const names[] = {
		[IDM_JSON_NULL] = "null",	[IDM_JSON_BOOLEAN] = "true or false",
		[IDM_JSON_NUMBER] = "a number", [IDM_JSON_STRING] = "a string",
		[IDM_JSON_ARRAY] = "an array",	[IDM_JSON_OBJECT] = "an object",
	};

	if (idm_json_type(at) == type)
		return 0;
	return idm_json_fail(at, err, "it is %s, %s is wanted", names[idm_json_type(at)], names[type]);
}

int idm_json_object(const struct idm_json *at, struct idm_error *err)
{
	return want(at, IDM_JSON_OBJECT, err);
}

int idm_json_array(const struct idm_json *at, size_t *n, struct idm_error *err)
{
	int r = want(at, IDM_JSON_ARRAY, err);

	if (r == 0)
		*n = at->text->c.object_array_length(at->value);
	return r;
}

int idm_json_string(const struct idm_json *at, const char **string, struct idm_error *err)
{
	int r = want(at, IDM_JSON_STRING, err);

	if (r == 0)
		*string = at->text->c.object_get_string(at->value);
	return r;
}

int idm_json_boolean(const struct idm_json *at, bool *boolean, struct idm_error *err)
{
	int r = want(at, IDM_JSON_BOOLEAN, err);

	if (r == 0)
		*boolean = at->text->c.object_get_boolean(at->value);
	return r;
}

/* A number past 64 bits has become the last that fits, which is too large all the same. */
int idm_json_uint32(const struct idm_json *at, uint32_t *number, struct idm_error *err)
{
	const struct idm_json_c *c = &at->text->c;
	int r = want(at, IDM_JSON_NUMBER, err);

	if (r < 0)
		return r;
	if (c->object_get_type(at->value) == json_type_double)
		return idm_json_fail(at, err, "%s is not a whole number in plain digits",
				     c->object_get_string(at->value));
	if (c->object_get_int64(at->value) < 0)
		return idm_json_fail(at, err, "the number is below 0");
	if (c->object_get_uint64(at->value) > UINT32_MAX)
		return idm_json_fail(at, err, "the number is over %u", UINT32_MAX);
	*number = (uint32_t)c->object_get_uint64(at->value);
	return 0;
}

bool idm_json_member(const struct idm_json *object, const char *key, struct idm_json *member)
{
	const struct idm_json_c *c = &object->text->c;

	*member = (struct idm_json){ .text = object->text, .parent = object, .key = key };
	return idm_json_type(object) == IDM_JSON_OBJECT &&
	       c->object_object_get_ex(object->value, key, &member->value) && member->value;
}

bool idm_json_each(const struct idm_json *object, const void **cursor, struct idm_json *member)
{
	const struct lh_entry *entry = *cursor;

	entry = entry ? entry->next : object->text->c.object_get_object(object->value)->head;
	if (!entry)
		return false;
	*cursor = entry;
	*member = (struct idm_json){
		.text = object->text,
		.parent = object,
		.key = entry->k,
		.value = (struct json_object *)entry->v,
	};
	return true;
}

struct idm_json idm_json_element(const struct idm_json *array, size_t index)
{
	return (struct idm_json){
		.text = array->text,
		.parent = array,
		.index = index,
		.value = array->text->c.object_array_get_idx(array->value, index),
	};
}

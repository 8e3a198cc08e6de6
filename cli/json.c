// SPDX-License-Identifier: MIT
#include "json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/error.h"
#include "lib/json-c.h"
#include "lib/printable.h"
#include "report.h"

static const enum idm_error_step step_print = IDM_STEP_PRINT_JSON;

static struct idm_json_c json_c;

int json_load(void)
{
	struct idm_error err;

	return idm_json_c_load(&json_c, step_print, &err) < 0 ? report_error(&err) : DONE;
}

/* Commands that print JSON have changed nothing, so this can be the end of them. */
_Noreturn static void no_memory(void)
{
	struct idm_error err;

	idm_fail(&err, -ENOMEM, step_print, NULL, NULL);
	exit(report_error(&err));
}

/* NULL would be taken for null. */
static struct json_object *wanted(struct json_object *value)
{
	if (!value)
		no_memory();
	return value;
}

struct json_object *json_new_object(void)
{
	return wanted(json_c.object_new_object());
}

struct json_object *json_new_array(void)
{
	return wanted(json_c.object_new_array());
}

void json_append(struct json_object *array, struct json_object *value)
{
	if (json_c.object_array_add(array, value) < 0)
		no_memory();
}

void json_add(struct json_object *object, const char *key, struct json_object *value)
{
	if (json_c.object_object_add(object, key, value) < 0)
		no_memory();
}

void json_add_string(struct json_object *object, const char *key, const char *value)
{
	json_add(object, key, value ? wanted(json_c.object_new_string(value)) : NULL);
}

/* RFC 4648, which decoders for every language exist of. */
static char *base64(const char *text)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *p = (const unsigned char *)text;
	size_t n = strlen(text);
	char *coded = malloc(n / 3 * 4 + 5), *to = coded;

	if (!coded)
		no_memory();
	for (; n; p += n < 3 ? n : 3, n -= n < 3 ? n : 3) {
		unsigned int bits = (unsigned int)p[0] << 16;

		bits |= n > 1 ? (unsigned int)p[1] << 8 : 0;
		bits |= n > 2 ? p[2] : 0;
		*to++ = digits[bits >> 18];
		*to++ = digits[bits >> 12 & 63];
		*to++ = n > 1 ? digits[bits >> 6 & 63] : '=';
		*to++ = n > 2 ? digits[bits & 63] : '=';
	}
	*to = '\0';
	return coded;
}

/* U+FFFD for each byte that is no UTF-8. */
static char *replaced(const char *text)
{
	size_t n = strlen(text);
	char *copy = malloc(3 * n + 1), *to = copy;

	if (!copy)
		no_memory();
	while (n) {
		unsigned int length = idm_utf8_length(text, n);

		memcpy(to, length ? text : "\xef\xbf\xbd", length ? length : 3);
		to += length ? length : 3;
		text += length ? length : 1;
		n -= length ? length : 1;
	}
	*to = '\0';
	return copy;
}

void json_add_name(struct json_object *object, const char *key, const char *name)
{
	char second[64], *text;

	if (!name || idm_is_utf8(name)) {
		json_add_string(object, key, name);
		return;
	}
	text = replaced(name);
	json_add_string(object, key, text);
	free(text);
	snprintf(second, sizeof(second), "%sBase64", key);
	text = base64(name);
	json_add_string(object, second, text);
	free(text);
}

void json_add_bool(struct json_object *object, const char *key, bool value)
{
	json_add(object, key, wanted(json_c.object_new_boolean(value)));
}

void json_add_number(struct json_object *object, const char *key, uint64_t value)
{
	json_add(object, key, wanted(json_c.object_new_uint64(value)));
}

static void add_side(struct json_object *object, const char *key, const struct idm_map *map,
		     unsigned int kind)
{
	const struct idm_entry *entries;
	struct json_object *rows;
	size_t n;

	if (!map) {
		json_add(object, key, NULL);
		return;
	}
	rows = json_new_array();
	n = idm_map_entries(map, kind, &entries);
	for (size_t i = 0; i < n; i++) {
		struct json_object *row = json_new_object();

		json_add_number(row, "disk", entries[i].disk);
		json_add_number(row, "seen", entries[i].seen);
		json_add_number(row, "count", entries[i].count);
		json_append(rows, row);
	}
	json_add(object, key, rows);
}

void json_add_map(struct json_object *object, const struct idm_map *map)
{
	add_side(object, "uidMap", map, IDM_UID);
	add_side(object, "gidMap", map, IDM_GID);
}

/* The code of the character of two or three bytes. */
static unsigned int code_of(const char *text, unsigned int length)
{
	const unsigned char *p = (const unsigned char *)text;

	return length == 2 ? (p[0] & 0x1fU) << 6 | (p[1] & 0x3fU)
			   : (p[0] & 0xfU) << 12 | (p[1] & 0x3fU) << 6 | (p[2] & 0x3fU);
}

/*
 * json-c escapes what JSON wants escaped. What a terminal would obey or reorder is escaped, too: it is
 * in strings only.
 */
static void put_text(const char *text)
{
	size_t n = strlen(text);

	while (n) {
		unsigned int length = *text == '\n' ? 1 : idm_shown_length(text, n);

		if (length) {
			fwrite(text, 1, length, stdout);
		} else {
			length = idm_utf8_length(text, n);
			length = length ? length : 1;
			printf("\\u%04x", length == 1 ? (unsigned char)*text : code_of(text, length));
		}
		text += length;
		n -= length;
	}
	putchar('\n');
}

void json_print(struct json_object *object)
{
	const char *text = json_c.object_to_json_string_ext(
		object,
		JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE);

	if (!text)
		no_memory();
	put_text(text);
	json_c.object_put(object);
}

// SPDX-License-Identifier: MIT
#include "json-print.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/base/escape.h"
#include "oci/json-edit.h"
#include "report.h"

static const enum idm_error_step step_print = IDM_STEP_PRINT_JSON;

/* Commands that print JSON have changed nothing, so they may exit here. */
_Noreturn static void exit_without_memory(void)
{
	struct idm_error err;

	idm_fail(&err, -ENOMEM, step_print, NULL, "%s", idm_errno_text(ENOMEM));
	exit(report_error(&err));
}

/* ---- the text ---- */

static void append_bytes(struct json *json, const char *text, size_t n)
{
	size_t capacity = 2 * (json->n + n) + 1000;

	if (json->n + n > json->capacity) {
		char *more = realloc(json->text, capacity);

		if (!more)
			exit_without_memory();
		json->text = more;
		json->capacity = capacity;
	}
	memcpy(json->text + json->n, text, n);
	json->n += n;
}

static void append_text(struct json *json, const char *text)
{
	append_bytes(json, text, strlen(text));
}

static void append_quoted(struct json *json, const char *string)
{
	char *quoted = json_quote(string);

	if (!quoted)
		exit_without_memory();
	append_text(json, quoted);
	free(quoted);
}

static void append_line_break(struct json *json)
{
	append_text(json, "\n");
	for (unsigned int i = 0; i < json->depth; i++)
		append_text(json, "  ");
}

/* Adds the comma, line break and key before a value. */
static void begin_value(struct json *json, const char *key)
{
	if (json->follows)
		append_text(json, ",");
	if (json->depth)
		append_line_break(json);
	if (key) {
		append_quoted(json, key);
		append_text(json, ": ");
	}
	json->follows = true;
}

void json_open(struct json *json, const char *key, char bracket)
{
	begin_value(json, key);
	append_text(json, bracket == '{' ? "{" : "[");
	json->ends[json->depth++] = bracket == '{' ? '}' : ']';
	json->follows = false;
}

void json_close(struct json *json)
{
	const char end[] = { json->ends[--json->depth], '\0' };

	if (json->follows)
		append_line_break(json);
	append_text(json, end);
	json->follows = true;
}

void json_begin_members(struct json *members, unsigned int depth)
{
	*members = (struct json){ .depth = depth, .follows = true };
}

void json_add_members(struct json *json, struct json *members)
{
	append_bytes(json, members->text, members->n);
	free(members->text);
	*members = (struct json){ 0 };
}

void json_print(struct json *json)
{
	while (json->depth)
		json_close(json);
	append_text(json, "\n");
	fwrite(json->text, 1, json->n, stdout);
	free(json->text);
}

/* ---- values ---- */

static void append_value(struct json *json, const char *key, const char *value)
{
	begin_value(json, key);
	append_text(json, value);
}

void json_add_string(struct json *json, const char *key, const char *value)
{
	begin_value(json, key);
	if (value)
		append_quoted(json, value);
	else
		append_text(json, "null");
}

/* As RFC 4648 defines it. */
static char *base64(const char *text)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *p = (const unsigned char *)text;
	size_t n = strlen(text);
	char *coded = malloc(n / 3 * 4 + 5), *to = coded;

	if (!coded)
		exit_without_memory();
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

/* Replaces each byte that is not UTF-8 by U+FFFD. */
static char *replaced(const char *text)
{
	size_t n = strlen(text);
	char *copy = malloc(3 * n + 1), *to = copy;

	if (!copy)
		exit_without_memory();
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

void json_add_name(struct json *json, const char *key, const char *name)
{
	char second[64], *text;

	if (!name || idm_is_utf8(name)) {
		json_add_string(json, key, name);
		return;
	}
	text = replaced(name);
	json_add_string(json, key, text);
	free(text);
	snprintf(second, sizeof(second), "%sBase64", key);
	text = base64(name);
	json_add_string(json, second, text);
	free(text);
}

void json_add_bool(struct json *json, const char *key, bool value)
{
	append_value(json, key, value ? "true" : "false");
}

void json_add_number(struct json *json, const char *key, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	append_value(json, key, text);
}

static void add_map_side(struct json *json, const char *key, const struct idm_map *map,
			 unsigned int kind)
{
	const struct idm_entry *entries;
	size_t n = idm_map_entries(map, kind, &entries);

	json_open(json, key, '[');
	for (size_t i = 0; i < n; i++) {
		json_open(json, NULL, '{');
		json_add_number(json, "disk", entries[i].disk);
		json_add_number(json, "seen", entries[i].seen);
		json_add_number(json, "count", entries[i].count);
		json_close(json);
	}
	json_close(json);
}

void json_add_map(struct json *json, const struct idm_map *map)
{
	if (map) {
		add_map_side(json, "uidMap", map, IDM_UID);
		add_map_side(json, "gidMap", map, IDM_GID);
	} else {
		json_add_string(json, "uidMap", NULL);
		json_add_string(json, "gidMap", NULL);
	}
}

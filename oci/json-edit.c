// SPDX-License-Identifier: MIT
#include "json-edit.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/escape.h"

/* ---- texts ---- */

char *text_of(const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	va_end(args);
	return text;
}

/* The code of the character of one, two or three bytes. */
static unsigned int code_of(const char *text, unsigned int length)
{
	const unsigned char *p = (const unsigned char *)text;

	if (length < 2)
		return p[0];
	return length == 2 ? (p[0] & 0x1fU) << 6 | (p[1] & 0x3fU)
			   : (p[0] & 0xfU) << 12 | (p[1] & 0x3fU) << 6 | (p[2] & 0x3fU);
}

/* Six bytes are enough for the escape of any byte. Returns the number of bytes in *escaped. */
static size_t escape_character(const char *text, unsigned int length, char escaped[7])
{
	static const char meanings[] = "\"\\\b\f\n\r\t", names[] = "\"\\bfnrt";
	const char *meaning = strchr(meanings, *text);

	if (meaning)
		return (size_t)sprintf(escaped, "\\%c", names[meaning - meanings]);
	return (size_t)sprintf(escaped, "\\u%04x", code_of(text, length));
}

char *json_quote(const char *string)
{
	size_t left = string ? strlen(string) : 0;
	char *text = string ? malloc(6 * left + 3) : NULL, *to = text;

	if (!text)
		return NULL;
	*to++ = '"';
	while (left) {
		/* Bytes that are not UTF-8 stay: the reader refuses them. */
		unsigned int n = idm_utf8_length(string, left), length = n ? n : 1;
		bool plain = *string != '"' && *string != '\\' &&
			     (!n || idm_printable_length(string, left));
		char escaped[7];
		size_t written = plain ? length : escape_character(string, length, escaped);

		memcpy(to, plain ? string : escaped, written);
		to += written;
		string += length;
		left -= length;
	}
	strcpy(to, "\"");
	return text;
}

/* ---- changing ---- */

/* Owns the text from here on. NULL means that memory ran out. */
static void add_edit(struct edits *e, size_t start, size_t end, char *text)
{
	struct edit *list = reallocarray(e->list, e->n + 1, sizeof(*list));

	if (!list) {
		e->failed = true;
		free(text);
		return;
	}
	e->list = list;
	e->list[e->n++] = (struct edit){ start, end - start, text };
}

static void replace_range(struct edits *e, size_t start, size_t end, char *text)
{
	if (text)
		add_edit(e, start, end, text);
	else
		e->failed = true;
}

void edit_replace(struct edits *e, const struct idm_json *value, char *text)
{
	replace_range(e, value->value->start, value->value->end, text);
}

void edit_append(struct edits *e, const struct idm_json *in, char *text)
{
	const char *bytes = e->text->bytes;
	struct idm_json last = { 0 };
	size_t space, item;

	while (idm_json_each(in, &last))
		;
	if (!last.value) {
		replace_range(e, in->value->start + 1, in->value->start + 1, text);
		return;
	}
	/* The line break and the indentation before the last one. */
	item = last.value->item;
	for (space = item; strchr(" \t\r\n", bytes[space - 1]); space--)
		;
	replace_range(e, last.value->end, last.value->end,
		      text ? text_of(",%.*s%s", (int)(item - space), bytes + space, text) : NULL);
	free(text);
}

void edit_remove(struct edits *e, const struct idm_json *in,
		 bool (*matches)(const struct idm_json *item))
{
	size_t start = 0, end = 0,
	       previous = 0; /* the first two: of the removed items at the beginning */
	struct idm_json item = { 0 };
	bool kept = false;

	for (; idm_json_each(in, &item); previous = item.value->end) {
		if (!matches(&item)) {
			if (end && !kept)
				add_edit(e, start, item.value->item, NULL);
			kept = true;
		} else if (kept) {
			add_edit(e, previous, item.value->end, NULL);
		} else {
			start = start ? start : item.value->item;
			end = item.value->end;
		}
	}
	if (end && !kept)
		add_edit(e, start, end, NULL);
}

static char *nested(const char *const *keys, size_t n, char *value)
{
	while (value && n-- > 0) {
		char *outer = text_of("%s\"%s\":%s%s", n ? "{" : "", keys[n], value, n ? "}" : "");

		free(value);
		value = outer;
	}
	return value;
}

/* Replaces a member on the path that is not an object. */
static void replace_on_the_way(struct edits *e, const struct idm_json *member, char *inner)
{
	edit_replace(e, member, inner ? text_of("{%s}", inner) : NULL);
	free(inner);
}

void edit_set(struct edits *e, const char *const *keys, size_t n, char *value)
{
	struct idm_json in = idm_json_whole(e->text), member;

	for (size_t i = 0; i < n; i++, in = member) {
		idm_json_member(&in, keys[i], &member);
		if (!member.value) {
			edit_append(e, &in, nested(keys + i, n - i, value));
			return;
		}
		if (i + 1 == n) {
			edit_replace(e, &member, value);
			return;
		}
		if (idm_json_type(&member) != IDM_JSON_OBJECT) {
			replace_on_the_way(e, &member, nested(keys + i + 1, n - i - 1, value));
			return;
		}
	}
}

/*
 * Sorts by place. Changes at one place keep their order, so appended items come in the order of the
 * calls.
 */
static void sort_edits(struct edits *e)
{
	for (size_t i = 1; i < e->n; i++) {
		struct edit edit = e->list[i];
		size_t k = i;

		for (; k > 0 && e->list[k - 1].at > edit.at; k--)
			e->list[k] = e->list[k - 1];
		e->list[k] = edit;
	}
}

char *edit_apply(struct edits *e, size_t *length)
{
	size_t size = e->text->length + 1, from = 0, to = 0;
	char *text;

	for (size_t i = 0; i < e->n; i++)
		size += e->list[i].text ? strlen(e->list[i].text) : 0;
	text = e->failed ? NULL : malloc(size);
	if (!text)
		return NULL;
	sort_edits(e);
	for (size_t i = 0; i < e->n; i++) {
		const struct edit *edit = &e->list[i];
		size_t n = edit->text ? strlen(edit->text) : 0;

		memcpy(text + to, e->text->bytes + from, edit->at - from);
		to += edit->at - from;
		memcpy(text + to, edit->text ? edit->text : "", n);
		to += n;
		from = edit->at + edit->length;
	}
	memcpy(text + to, e->text->bytes + from, e->text->length - from);
	to += e->text->length - from;
	text[to] = '\0';
	*length = to;
	return text;
}

void edit_free(struct edits *e)
{
	for (size_t i = 0; i < e->n; i++)
		free(e->list[i].text);
	free(e->list);
}

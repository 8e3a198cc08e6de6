// SPDX-License-Identifier: MIT
#include "json-edit.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

char *json_quote(const char *string)
{
	char *text = string ? malloc(6 * strlen(string) + 3) : NULL, *to = text;

	if (!text)
		return NULL;
	*to++ = '"';
	for (; *string; string++) {
		unsigned char c = (unsigned char)*string;

		if (c == '"' || c == '\\') {
			*to++ = '\\';
			*to++ = *string;
		} else if (c < 0x20) {
			to += sprintf(to, "\\u%04x", c);
		} else {
			*to++ = *string;
		}
	}
	strcpy(to, "\"");
	return text;
}

/* ---- finding ---- */

static size_t skip_space(const struct edits *e, size_t at)
{
	while (at < e->length && strchr(" \t\r\n", e->text[at]))
		at++;
	return at;
}

static size_t skip_string(const struct edits *e, size_t at)
{
	for (at++; e->text[at] != '"'; at++)
		at += e->text[at] == '\\';
	return at + 1;
}

static size_t skip_value(const struct edits *e, size_t at)
{
	size_t depth = 0;

	do {
		char c = e->text[at];

		if (c == '"') {
			at = skip_string(e, at);
			continue;
		}
		depth += c == '{' || c == '[';
		depth -= c == '}' || c == ']';
		at++;
		/* A number or word goes on as long as there is no end to it. */
		if (!depth && c != '}' && c != ']')
			while (at < e->length && !strchr(" \t\r\n,]}", e->text[at]))
				at++;
	} while (depth);
	return at;
}

size_t whole_value(const struct edits *e)
{
	return skip_space(e, 0);
}

bool next_item(const struct edits *e, size_t in, struct item *item)
{
	bool first = !item->end;
	size_t at = skip_space(e, first ? in + 1 : item->end);

	if (!first && e->text[at] == ',')
		at = skip_space(e, at + 1);
	if (e->text[at] == '}' || e->text[at] == ']')
		return false;
	*item = (struct item){
		.start = at,
		.value = at,
		.index = first ? 0 : item->index + 1,
		.previous_end = item->end,
	};
	if (e->text[in] == '{')
		item->value = skip_space(e, skip_space(e, skip_string(e, at)) + 1);
	item->end = skip_value(e, item->value);
	return true;
}

/* One character of a string, as a number; a surrogate is one that no key of ours has. */
static unsigned int character(const char **p)
{
	static const char escapes[] = "b\bf\fn\nr\rt\t";
	unsigned int c = (unsigned char)*(*p)++;
	const char *escape;

	if (c != '\\')
		return c;
	c = (unsigned char)*(*p)++;
	if (c == 'u') {
		char digits[5] = { (*p)[0], (*p)[1], (*p)[2], (*p)[3], '\0' };

		*p += 4;
		return (unsigned int)strtoul(digits, NULL, 16);
	}
	escape = strchr("bfnrt", (int)c) ? strchr(escapes, (int)c) : NULL;
	return escape ? (unsigned char)escape[1] : c;
}

static bool key_is(const struct edits *e, size_t at, const char *key)
{
	const char *p = e->text + at + 1;

	while (*key && *p != '"')
		if (character(&p) != (unsigned char)*key++)
			return false;
	return !*key && *p == '"';
}

bool find_item(const struct edits *e, size_t in, const char *key, struct item *item)
{
	*item = (struct item){ 0 };
	while (next_item(e, in, item))
		if (key_is(e, item->start, key))
			return e->text[item->value] != 'n';
	*item = (struct item){ 0 };
	return false;
}

/* ---- changing ---- */

/* A text that is NULL is none. */
static void add(struct edits *e, size_t start, size_t end, char *text)
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

void edit_replace(struct edits *e, size_t start, size_t end, char *text)
{
	if (text)
		add(e, start, end, text);
	else
		e->failed = true;
}

void edit_append(struct edits *e, size_t in, char *text)
{
	struct item item = { 0 }, last = { 0 };
	size_t space;

	while (next_item(e, in, &item))
		last = item;
	if (!last.end) {
		edit_replace(e, in + 1, in + 1, text);
		return;
	}
	/* The line break and the indentation before the last one. */
	for (space = last.start; strchr(" \t\r\n", e->text[space - 1]); space--)
		;
	edit_replace(e, last.end, last.end,
		     text ? text_of(",%.*s%s", (int)(last.start - space), e->text + space, text) : NULL);
	free(text);
}

void edit_remove(struct edits *e, size_t in, bool (*goes)(const struct item *item, void *data),
		 void *data)
{
	struct item item = { 0 };
	size_t start = 0, end = 0; /* of those that go at the beginning */
	bool kept = false;

	while (next_item(e, in, &item)) {
		if (!goes(&item, data)) {
			if (end && !kept)
				add(e, start, item.start, NULL);
			kept = true;
		} else if (kept) {
			add(e, item.previous_end, item.end, NULL);
		} else {
			start = start ? start : item.start;
			end = item.end;
		}
	}
	if (end && !kept)
		add(e, start, end, NULL);
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

void edit_set(struct edits *e, const char *const *keys, size_t n, char *value)
{
	size_t in = whole_value(e);
	struct item item;

	for (size_t i = 0; i < n; i++) {
		bool last = i + 1 == n;

		if (!find_item(e, in, keys[i], &item) && !item.end) {
			edit_append(e, in, nested(keys + i, n - i, value));
			return;
		}
		if (last || e->text[item.value] != '{') {
			char *inner = last ? NULL : nested(keys + i + 1, n - i - 1, value);

			edit_replace(e, item.value, item.end,
				     inner  ? text_of("{%s}", inner)
				     : last ? value
					    : NULL);
			free(inner);
			return;
		}
		in = item.value;
	}
}

/* By place; of those at one place the order stays, so that what is appended comes as it was asked for.
 */
static void sort(struct edits *e)
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
	size_t room = e->length + 1, from = 0, to = 0;
	char *text;

	for (size_t i = 0; i < e->n; i++)
		room += e->list[i].text ? strlen(e->list[i].text) : 0;
	text = e->failed ? NULL : malloc(room);
	if (!text)
		return NULL;
	sort(e);
	for (size_t i = 0; i < e->n; i++) {
		const struct edit *edit = &e->list[i];
		size_t n = edit->text ? strlen(edit->text) : 0;

		memcpy(text + to, e->text + from, edit->at - from);
		to += edit->at - from;
		memcpy(text + to, edit->text ? edit->text : "", n);
		to += n;
		from = edit->at + edit->length;
	}
	memcpy(text + to, e->text + from, e->length - from);
	to += e->length - from;
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

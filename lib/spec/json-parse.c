// SPDX-License-Identifier: MIT
/* Parses bytes into a list of values. json.h describes the input. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "json.h"
#include "lib/base/error.h"
#include "lib/base/escape.h"
#include "lib/base/macros.h"
#include "lib/sys/fail-errno.h"

struct parser {
	struct idm_json_text *text;
	size_t at;
	char *to; /* the place of the next string */
	size_t capacity, keys;
	unsigned int depth;
	struct idm_error *err;
};

/* ---- errors ---- */

static size_t count_left(const struct parser *p)
{
	return p->text->length - p->at;
}

/* Returns the next byte, or -1 at the end of the text. */
static int peek_character(const struct parser *p)
{
	return count_left(p) ? (unsigned char)p->text->bytes[p->at] : -1;
}

static bool skip_character(struct parser *p, char c)
{
	if (peek_character(p) != c)
		return false;
	p->at++;
	return true;
}

static bool is_wordy(int c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c > 0 && strchr("+-._", c));
}

/* Returns the length of a word, or of something that looks like a word. */
static size_t word_length(const struct parser *p)
{
	size_t n = 0;

	while (n < count_left(p) && is_wordy((unsigned char)p->text->bytes[p->at + n]))
		n++;
	return n;
}

#define FAIL(p, ...) idm_json_fail_at((p)->text, (p)->at, -EINVAL, (p)->err, __VA_ARGS__)

/* Fails with "expected `what`, got ...", and names the next token. */
static int fail_expected(const struct parser *p, const char *what)
{
	const char *next = p->text->bytes + p->at;
	size_t word = word_length(p);
	int c = peek_character(p);

	if (c < 0)
		return FAIL(p, "expected %s, got the end of the text", what);
	if (word)
		return FAIL(p, "expected %s, got \"%.*s\"", what, word < 40 ? (int)word : 40, next);
	if (c == '"')
		return FAIL(p, "expected %s, got a string", what);
	if (count_left(p) >= 3 && memcmp(next, "\xef\xbb\xbf", 3) == 0)
		return FAIL(p, "expected %s, got a byte order mark", what);
	if (!idm_printable_length(next, count_left(p)))
		return FAIL(p, "expected %s, got the byte 0x%02x", what, (unsigned int)c);
	return FAIL(p, "expected %s, got '%.*s'", what, (int)idm_printable_length(next, count_left(p)),
		    next);
}

static int fail_memory(const struct parser *p)
{
	return idm_fail_errno(p->err, -ENOMEM, p->text->step, NULL);
}

/* ---- strings ---- */

static void put_character(struct parser *p, long u)
{
	char *to = p->to;

	if (u < 0x80) {
		*to++ = (char)u;
	} else if (u < 0x800) {
		*to++ = (char)(0xc0 | u >> 6);
	} else if (u < 0x10000) {
		*to++ = (char)(0xe0 | u >> 12);
		*to++ = (char)(0x80 | (u >> 6 & 0x3f));
	} else {
		*to++ = (char)(0xf0 | u >> 18);
		*to++ = (char)(0x80 | (u >> 12 & 0x3f));
		*to++ = (char)(0x80 | (u >> 6 & 0x3f));
	}
	if (u >= 0x80)
		*to++ = (char)(0x80 | (u & 0x3f));
	p->to = to;
}

/* Returns the value of \u and four hexadecimal digits, or -1 for something else. */
static long peek_unicode(const struct parser *p, size_t offset)
{
	const char *next = p->text->bytes + p->at + offset;
	long u = 0;

	if (count_left(p) < offset + 6 || next[0] != '\\' || next[1] != 'u')
		return -1;
	for (int i = 2; i < 6; i++) {
		char c = next[i] | 0x20;

		if (next[i] >= '0' && next[i] <= '9')
			u = u * 16 + next[i] - '0';
		else if (c >= 'a' && c <= 'f')
			u = u * 16 + c - 'a' + 10;
		else
			return -1;
	}
	return u;
}

static bool is_high(long u)
{
	return u >= 0xd800 && u < 0xdc00;
}

static bool is_low(long u)
{
	return u >= 0xdc00 && u < 0xe000;
}

static int read_unicode(struct parser *p)
{
	long u = peek_unicode(p, 0), low = is_high(u) ? peek_unicode(p, 6) : -1;

	if (u < 0)
		return FAIL(p, "expected four hexadecimal digits behind \\u");
	if (u == 0)
		return FAIL(p, "a NUL character in a string");
	if (is_low(u) || (is_high(u) && !is_low(low)))
		return FAIL(p, "expected a surrogate pair, got half of one");
	if (is_high(u))
		u = 0x10000 + ((u - 0xd800) << 10) + (low - 0xdc00);
	put_character(p, u);
	p->at += low < 0 ? 6 : 12;
	return 0;
}

static int read_escape(struct parser *p)
{
	static const char names[] = "\"\\/bfnrtu", meanings[] = "\"\\/\b\f\n\r\t";
	const char *name = count_left(p) < 2
				   ? NULL
				   : memchr(names, p->text->bytes[p->at + 1], sizeof(names) - 1);

	if (!name)
		return FAIL(p, "expected one of %s behind \\", names);
	if (*name == 'u')
		return read_unicode(p);
	*p->to++ = meanings[name - names];
	p->at += 2;
	return 0;
}

/* Returns the length of the next characters that are ASCII and no escapes. */
static size_t plain_length(const struct parser *p)
{
	const unsigned char *next = (const unsigned char *)p->text->bytes + p->at;
	size_t n = 0;

	while (n < count_left(p) && next[n] >= 0x20 && next[n] < 0x80 && next[n] != '"' &&
	       next[n] != '\\')
		n++;
	return n;
}

static int read_characters(struct parser *p)
{
	const char *next = p->text->bytes + p->at;
	unsigned int c = (unsigned char)*next;
	size_t n = plain_length(p);

	if (c == '\0')
		return FAIL(p, "a NUL byte in a string");
	if (c == '\n')
		return FAIL(p, "expected '\"', got the end of the line");
	if (c < 0x20)
		return FAIL(p, "expected \\u%04x, got the byte 0x%02x", c, c);
	n = n ? n : idm_utf8_length(next, count_left(p));
	if (!n)
		return FAIL(p, "expected UTF-8, got the byte 0x%02x", c);
	memcpy(p->to, next, n);
	p->to += n;
	p->at += n;
	return 0;
}

/* A decoded string is shorter than its text, at least by the two quotes. So the NUL fits. */
static int read_string(struct parser *p, const char **string)
{
	int r = 0;

	*string = p->to;
	p->at++;
	while (!skip_character(p, '"')) {
		if (!count_left(p))
			return fail_expected(p, "'\"'");
		r = peek_character(p) == '\\' ? read_escape(p) : read_characters(p);
		if (r < 0)
			return r;
	}
	*p->to++ = '\0';
	return 0;
}

/* ---- numbers and words ---- */

/* Skips digits. Returns false if no digit comes next. */
static bool pass_digits(const char **c)
{
	const char *first = *c;

	while (**c >= '0' && **c <= '9')
		(*c)++;
	return *c > first;
}

static bool is_number(const char *c)
{
	c += *c == '-';
	if (*c == '0')
		c++;
	else if (!pass_digits(&c))
		return false;
	if (*c == '.') {
		c++;
		if (!pass_digits(&c))
			return false;
	}
	if (*c == 'e' || *c == 'E') {
		c += c[1] == '+' || c[1] == '-' ? 2 : 1;
		if (!pass_digits(&c))
			return false;
	}
	return !*c;
}

static enum idm_json_type type_of_word(const char *word)
{
	if (strcmp(word, "null") == 0)
		return IDM_JSON_NULL;
	if (strcmp(word, "true") == 0 || strcmp(word, "false") == 0)
		return IDM_JSON_BOOLEAN;
	return IDM_JSON_NUMBER;
}

/* The NUL uses the space of the byte that follows in the text, or of the extra byte at the end. */
static int read_word(struct parser *p, struct idm_json_value *value)
{
	size_t n = word_length(p);
	char *word = p->to;

	if (!n)
		return fail_expected(p, "a value");
	memcpy(word, p->text->bytes + p->at, n);
	word[n] = '\0';
	p->to = word + n + 1;
	value->contents = word;
	value->type = type_of_word(word);
	if (value->type == IDM_JSON_NUMBER && !is_number(word))
		return fail_expected(p, strchr("+-.0123456789", *word) ? "a number" : "a value");
	p->at += n;
	return 0;
}

/* ---- values ---- */

static bool is_json_space(char c)
{
	return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static void skip_space(struct parser *p)
{
	while (count_left(p) && is_json_space(p->text->bytes[p->at]))
		p->at++;
}

/* Enough for most configurations of containers, since an array that grows is copied. */
static size_t first_capacity(const struct parser *p)
{
	size_t guess = p->text->length / 16;

	return guess < 64 ? 64 : guess < 1024 ? guess : 1024;
}

static int grow_values(struct parser *p)
{
	size_t capacity = p->capacity ? p->capacity * 2 : first_capacity(p);
	struct idm_json_value *values = reallocarray(p->text->values, capacity, sizeof(*values));

	if (!values)
		return fail_memory(p);
	p->text->values = values;
	p->capacity = capacity;
	return 0;
}

static int check_count(const struct parser *p)
{
	if (p->text->n + p->keys < IDM_JSON_MOST_VALUES)
		return 0;
	return idm_json_fail_at(p->text, p->at, -E2BIG, p->err, "expected at most %d values, got more",
				IDM_JSON_MOST_VALUES);
}

static int read_items(struct parser *p, uint32_t parent);

/*
 * Parses the value that begins here, and all in it. The list can move, so numbers identify the values.
 */
static int parse_value(struct parser *p, struct idm_json_value value)
{
	uint32_t self = (uint32_t)p->text->n;
	int r = check_count(p), c = peek_character(p);

	if (r == 0 && self == p->capacity)
		r = grow_values(p);
	if (r < 0)
		return r;
	value.start = (uint32_t)p->at;
	value.type = c == '{' ? IDM_JSON_OBJECT : c == '[' ? IDM_JSON_ARRAY : IDM_JSON_STRING;
	p->text->values[p->text->n++] = value;
	if (c == '{' || c == '[')
		r = read_items(p, self);
	else if (c == '"')
		r = read_string(p, &p->text->values[self].contents);
	else
		r = read_word(p, &p->text->values[self]);
	p->text->values[self].end = (uint32_t)p->at;
	return r;
}

static int read_key(struct parser *p, struct idm_json_value *value)
{
	int r = check_count(p);

	if (r < 0)
		return r;
	if (peek_character(p) != '"')
		return fail_expected(p, value->index ? "a key in quotes" : "a key in quotes or '}'");
	p->keys++;
	r = read_string(p, &value->key);
	if (r < 0)
		return r;
	skip_space(p);
	if (!skip_character(p, ':'))
		return fail_expected(p, "':'");
	skip_space(p);
	return 0;
}

/* `before` is the previous value in the same array or object. */
static int read_item(struct parser *p, uint32_t parent, uint32_t *before)
{
	struct idm_json_value *in = &p->text->values[parent];
	struct idm_json_value value = { .parent = parent, .index = in->n, .item = (uint32_t)p->at };
	int r = in->type == IDM_JSON_OBJECT ? read_key(p, &value) : 0;

	if (r < 0)
		return r;
	in->n++;
	if (*before)
		p->text->values[*before].next = (uint32_t)p->text->n;
	*before = (uint32_t)p->text->n;
	return parse_value(p, value);
}

static int read_items(struct parser *p, uint32_t parent)
{
	bool object = p->text->values[parent].type == IDM_JSON_OBJECT;
	uint32_t before = 0;
	int r = 0;

	if (p->depth == IDM_JSON_DEEPEST)
		return FAIL(p, "expected at most %d levels, got more", IDM_JSON_DEEPEST);
	p->depth++;
	p->at++;
	skip_space(p);
	if (skip_character(p, object ? '}' : ']')) {
		p->depth--;
		return 0;
	}
	do {
		skip_space(p);
		r = read_item(p, parent, &before);
		if (r == 0)
			skip_space(p);
	} while (r == 0 && skip_character(p, ','));
	if (r == 0 && !skip_character(p, object ? '}' : ']'))
		r = fail_expected(p, object ? "',' or '}'" : "',' or ']'");
	p->depth--;
	return r;
}

/* ---- keys ---- */

/* Puts the keys of one object side by side. Equal keys keep the order of the text. */
static int order_keys(const void *left_key, const void *right_key)
{
	const struct idm_json_value *a = *(const struct idm_json_value *const *)left_key;
	const struct idm_json_value *b = *(const struct idm_json_value *const *)right_key;
	int order = a->parent == b->parent ? strcmp(a->key, b->key) : a->parent < b->parent ? -1 : 1;

	return order ? order : a < b ? -1 : a > b;
}

static size_t collect_keys(const struct idm_json_text *text, const struct idm_json_value **keys)
{
	size_t n = 0;

	for (size_t i = 0; i < text->n; i++)
		if (text->values[i].key)
			keys[n++] = &text->values[i];
	return n;
}

/*
 * Checks all objects, even those that no caller reads. Of two equal keys, other programs use the first
 * or the last.
 */
static int check_keys(struct parser *p)
{
	AUTO_FREE const struct idm_json_value **keys = calloc(p->keys + 1, sizeof(*keys));
	const struct idm_json_value *twice = NULL;
	size_t n = keys ? collect_keys(p->text, keys) : 0;

	if (!keys)
		return fail_memory(p);
	qsort(keys, n, sizeof(*keys), order_keys);
	for (size_t i = 1; i < n; i++)
		if (keys[i - 1]->parent == keys[i]->parent &&
		    strcmp(keys[i - 1]->key, keys[i]->key) == 0 && (!twice || keys[i] < twice))
			twice = keys[i];
	if (!twice)
		return 0;
	p->at = twice->item;
	return FAIL(p, "duplicate key \"%.400s\"", twice->key);
}

/* ---- the text ---- */

static int read_whole(struct parser *p)
{
	int r;

	/* One string ends where the next can begin: a byte of the text separates the two. */
	p->text->strings = p->to = malloc(p->text->length + 1);
	if (!p->to)
		return fail_memory(p);
	skip_space(p);
	r = parse_value(p, (struct idm_json_value){ .item = (uint32_t)p->at });
	if (r < 0)
		return r;
	skip_space(p);
	return count_left(p) ? fail_expected(p, "the end of the text") : check_keys(p);
}

int idm_json_parse(const char *text, size_t length, enum idm_error_step step,
		   struct idm_json_text **parsed, struct idm_error *err)
{
	AUTO_JSON struct idm_json_text *t = NULL;
	struct parser p = { .err = err };
	int r;

	if (length > IDM_JSON_MOST_BYTES)
		return idm_fail(err, -E2BIG, step, NULL, "expected at most %u bytes, got %zu",
				IDM_JSON_MOST_BYTES, length);
	t = calloc(1, sizeof(*t));
	if (!t)
		return idm_fail_errno(err, -ENOMEM, step, NULL);
	*t = (struct idm_json_text){ .bytes = text, .length = length, .step = step };
	p.text = t;
	r = read_whole(&p);
	if (r < 0)
		return r;
	*parsed = t;
	t = NULL;
	return 0;
}

void idm_json_free(struct idm_json_text *text)
{
	if (!text)
		return;
	free(text->values);
	free(text->strings);
	free(text);
}

// SPDX-License-Identifier: MIT
#include "json-scan.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "error.h"
#include "printable.h"
#include "util.h"

/* A key, from behind its opening quote. */
struct key {
	const unsigned char *text;
	unsigned int object; /* the how-manieth of the text */
};

struct scan {
	const unsigned char *text, *at, *end;
	enum idm_error_step step;
	struct idm_error *err;
	unsigned int open[IDM_JSON_DEEPEST]; /* the object that is open at this depth; 0: an array */
	unsigned int depth;
	unsigned int objects;
	struct idm_json_count count;
	struct key *keys;
	size_t n_keys, room;
};

/* ---- saying where ---- */

int idm_json_fail_at(const char *text, size_t offset, int code, enum idm_error_step step,
		     struct idm_error *err, const char *reason, ...)
{
	size_t line = 1, column = 1;
	char words[IDM_REASON_SIZE];
	va_list args;

	for (size_t i = 0; i < offset; i++) {
		if (text[i] == '\n')
			line++;
		column = text[i] == '\n' ? 1 : column + ((text[i] & 0xc0) != 0x80);
	}
	va_start(args, reason);
	vsnprintf(words, sizeof(words), reason, args);
	va_end(args);
	return idm_fail(err, code, step, NULL, "line %zu, column %zu: %s", line, column, words);
}

#define FAIL_AT(s, where, ...)                                                                       \
	idm_json_fail_at((const char *)(s)->text, (size_t)((where) - (s)->text), -EINVAL, (s)->step, \
			 (s)->err, __VA_ARGS__)

static int fail_end(const struct scan *s)
{
	return FAIL_AT(s, s->end, "unexpected end of data");
}

/* ---- characters ---- */

static unsigned int left(const struct scan *s)
{
	return (unsigned int)(s->end - s->at);
}

/* Four hexadecimal digits; -1: they are not. */
static long hex4(const unsigned char *p)
{
	long value = 0;

	for (int i = 0; i < 4; i++) {
		unsigned char c = p[i] | 0x20;

		if (p[i] >= '0' && p[i] <= '9')
			value = value * 16 + p[i] - '0';
		else if (c >= 'a' && c <= 'f')
			value = value * 16 + c - 'a' + 10;
		else
			return -1;
	}
	return value;
}

static bool is_high(long u)
{
	return u >= 0xd800 && u < 0xdc00;
}

static bool is_low(long u)
{
	return u >= 0xdc00 && u < 0xe000;
}

static long from_pair(long high, long low)
{
	return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

static void write_character(long u, char character[IDM_JSON_PAIR_BYTES])
{
	character[0] = (char)(0xf0 | u >> 18);
	character[1] = (char)(0x80 | (u >> 12 & 0x3f));
	character[2] = (char)(0x80 | (u >> 6 & 0x3f));
	character[3] = (char)(0x80 | (u & 0x3f));
}

size_t idm_json_find_pair(const char *text, size_t from, size_t length,
			  char character[IDM_JSON_PAIR_BYTES])
{
	const char *at = text + from, *end = text + length;
	long high;

	/* What is behind a backslash belongs to it, and a text that was taken does not end there. */
	for (; (at = memchr(at, '\\', (size_t)(end - at))); at += 2) {
		high = at[1] == 'u' ? hex4((const unsigned char *)at + 2) : -1;
		if (is_high(high)) {
			write_character(from_pair(high, hex4((const unsigned char *)at + 8)), character);
			return (size_t)(at - text);
		}
	}
	return length;
}

/* ---- strings ---- */

static unsigned int utf8_length(long u)
{
	return u < 0x80 ? 1 : u < 0x800 ? 2 : 3;
}

static int scan_unicode_escape(struct scan *s)
{
	long u, low;

	if (left(s) < 6)
		return fail_end(s);
	u = hex4(s->at + 2);
	if (u < 0)
		return FAIL_AT(s, s->at, "\\u without four hexadecimal digits");
	if (u == 0)
		return FAIL_AT(s, s->at, "a NUL character in a string");
	if (is_high(u)) {
		low = left(s) >= 12 && s->at[6] == '\\' && s->at[7] == 'u' ? hex4(s->at + 8) : -1;
		if (!is_low(low))
			return FAIL_AT(s, s->at, "half of a surrogate pair");
		s->at += 6;
	} else if (is_low(u)) {
		return FAIL_AT(s, s->at, "half of a surrogate pair");
	}
	s->at += 6;
	s->count.bytes += is_high(u) ? 4 : utf8_length(u);
	return 0;
}

static int scan_escape(struct scan *s)
{
	if (left(s) < 2)
		return fail_end(s);
	if (s->at[1] == 'u')
		return scan_unicode_escape(s);
	if (!s->at[1] || !strchr("\"\\/bfnrt", s->at[1]))
		return FAIL_AT(s, s->at, "an unknown escape in a string");
	s->at += 2;
	s->count.bytes++;
	return 0;
}

static int scan_plain(struct scan *s)
{
	unsigned int length;

	if (*s->at == '\n')
		return FAIL_AT(s, s->at, "the line ends in a string");
	if (*s->at == '\0')
		return FAIL_AT(s, s->at, "a NUL byte");
	if (*s->at < 0x20)
		return FAIL_AT(s, s->at, "a control character (0x%02x) in a string", *s->at);
	length = idm_utf8_length((const char *)s->at, left(s));
	if (!length)
		return FAIL_AT(s, s->at, "invalid UTF-8");
	s->at += length;
	s->count.bytes += length;
	return 0;
}

static int scan_string(struct scan *s)
{
	int r = 0;

	for (s->at++; r == 0; r = *s->at == '\\' ? scan_escape(s) : scan_plain(s)) {
		if (!left(s))
			return fail_end(s);
		if (*s->at == '"') {
			s->at++;
			return 0;
		}
	}
	return r;
}

/* ---- keys ---- */

/* The next character of a string that was scanned before; 0 at its end. */
static long next_character(const unsigned char **p)
{
	static const char escapes[] = "b\bf\fn\nr\rt\t";
	const unsigned char *c = *p;
	unsigned int length;
	const char *escape;
	long u;

	if (*c == '"')
		return 0;
	if (*c == '\\' && c[1] == 'u') {
		u = hex4(c + 2);
		*p += 6;
		if (!is_high(u))
			return u;
		*p += 6;
		return from_pair(u, hex4(c + 8));
	}
	if (*c == '\\') {
		*p += 2;
		escape = strchr("bfnrt", c[1]) ? strchr(escapes, c[1]) : NULL;
		return escape ? escape[1] : c[1];
	}
	length = idm_utf8_length((const char *)c, 4);
	u = length == 1 ? *c : *c & (0xff >> (length + 1));
	for (unsigned int i = 1; i < length; i++)
		u = (u << 6) | (c[i] & 0x3f);
	*p += length;
	return u;
}

/* Below, above or 0, as strcmp(3). */
static long compare_texts(const struct key *a, const struct key *b)
{
	const unsigned char *p = a->text, *q = b->text;
	long x, y;

	/* The way of nearly all characters: keys can be long, and many. */
	while (*p == *q && *p < 0x80 && *p != '"' && *p != '\\') {
		p++;
		q++;
	}
	do {
		x = next_character(&p);
		y = next_character(&q);
	} while (x && x == y);
	return x - y;
}

/* Keys of one object side by side; in the order of the text where they say the same. */
static int order_keys(const void *left_key, const void *right_key)
{
	const struct key *a = left_key, *b = right_key;
	long difference;

	if (a->object != b->object)
		return a->object < b->object ? -1 : 1;
	difference = compare_texts(a, b);
	if (difference)
		return difference < 0 ? -1 : 1;
	return a->text < b->text ? -1 : a->text > b->text;
}

static bool same_key(const struct key *a, const struct key *b)
{
	return a->object == b->object && compare_texts(a, b) == 0;
}

static int add_key(struct scan *s, const unsigned char *text)
{
	if (s->n_keys == s->room) {
		size_t room = s->room ? s->room * 2 : 64;
		struct key *keys = reallocarray(s->keys, room, sizeof(*keys));

		if (!keys)
			return idm_fail(s->err, -ENOMEM, s->step, NULL, NULL);
		s->keys = keys;
		s->room = room;
	}
	s->keys[s->n_keys++] = (struct key){ text, s->open[s->depth - 1] };
	return 0;
}

static int check_keys(struct scan *s)
{
	const struct key *twice = NULL;
	const unsigned char *end;

	if (s->n_keys)
		qsort(s->keys, s->n_keys, sizeof(*s->keys), order_keys);
	for (size_t i = 1; i < s->n_keys; i++)
		if (same_key(&s->keys[i - 1], &s->keys[i]) && (!twice || s->keys[i].text < twice->text))
			twice = &s->keys[i];
	if (!twice)
		return 0;
	end = twice->text;
	while (next_character(&end))
		;
	return FAIL_AT(s, twice->text - 1, "the key \"%.*s\" stands twice in one object",
		       (int)(end - twice->text), twice->text);
}

static bool is_space(unsigned char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static int scan_key_or_string(struct scan *s)
{
	const unsigned char *text = s->at + 1, *behind;
	int r = scan_string(s);

	if (r < 0)
		return r;
	for (behind = s->at; behind < s->end && is_space(*behind); behind++)
		;
	if (behind == s->end || *behind != ':' || !s->depth || !s->open[s->depth - 1])
		return 0;
	return add_key(s, text);
}

/* ---- the other tokens ---- */

static bool is_digit(unsigned char c)
{
	return c >= '0' && c <= '9';
}

static bool is_wordy(unsigned char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c && strchr("+-._", c));
}

/* Passes over digits; false if there is none. */
static bool digits(const unsigned char **p, const unsigned char *end)
{
	const unsigned char *first = *p;

	while (*p < end && is_digit(**p))
		(*p)++;
	return *p > first;
}

static bool is_number(const unsigned char *p, const unsigned char *end)
{
	if (p < end && *p == '-')
		p++;
	if (p < end && *p == '0')
		p++;
	else if (!digits(&p, end))
		return false;
	if (p < end && *p == '.') {
		p++;
		if (!digits(&p, end))
			return false;
	}
	if (p < end && (*p == 'e' || *p == 'E')) {
		p += p + 1 < end && (p[1] == '+' || p[1] == '-') ? 2 : 1;
		if (!digits(&p, end))
			return false;
	}
	return p == end;
}

static const char *const words[] = { "null", "true", "false" };

static bool is_word(const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strlen(words[i]) == n && memcmp(words[i], p, n) == 0)
			return true;
	return false;
}

/* Whether more text would make a word or number of it. */
static bool is_begun(const unsigned char *p, size_t n)
{
	unsigned char longer[40];

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strlen(words[i]) > n && memcmp(words[i], p, n) == 0)
			return true;
	if (n >= sizeof(longer))
		return false;
	memcpy(longer, p, n);
	longer[n] = '0';
	return is_number(longer, longer + n + 1);
}

/* A number, true, false, null, or something else that looks like one. */
static int scan_word(struct scan *s)
{
	const unsigned char *p = s->at;
	size_t n;

	while (s->at < s->end && is_wordy(*s->at))
		s->at++;
	n = (size_t)(s->at - p);
	s->count.nulls += *p == 'n';
	if (is_word(p, n) || is_number(p, s->at))
		return 0;
	if (s->at == s->end && is_begun(p, n))
		return fail_end(s);
	return FAIL_AT(s, p, "\"%.*s\" is no number, and none of true, false and null",
		       n < 40 ? (int)n : 40, p);
}

static int open_bracket(struct scan *s)
{
	if (s->depth == IDM_JSON_DEEPEST)
		return FAIL_AT(s, s->at, "nested more than %d deep", IDM_JSON_DEEPEST);
	s->open[s->depth++] = *s->at++ == '{' ? ++s->objects : 0;
	return 0;
}

static int count_value(struct scan *s)
{
	if (s->count.values++ < IDM_JSON_MOST_VALUES)
		return 0;
	return idm_json_fail_at((const char *)s->text, (size_t)(s->at - s->text), -E2BIG, s->step,
				s->err, "more than %d values", IDM_JSON_MOST_VALUES);
}

static int scan_value(struct scan *s)
{
	int r = count_value(s);

	if (r < 0)
		return r;
	if (*s->at == '"')
		return scan_key_or_string(s);
	if (*s->at == '{' || *s->at == '[')
		return open_bracket(s);
	return scan_word(s);
}

static int scan_token(struct scan *s)
{
	unsigned char c = *s->at;

	if (c == '"' || c == '{' || c == '[' || is_wordy(c))
		return scan_value(s);
	/* Which of the two, and whether one is open, is json-c's business. */
	if (c == '}' || c == ']')
		s->depth -= s->depth > 0;
	else if (c == '\0')
		return FAIL_AT(s, s->at, "a NUL byte");
	else if (c != ',' && c != ':' && !is_space(c))
		return FAIL_AT(s, s->at, "unexpected character");
	s->at++;
	return 0;
}

int idm_json_scan(const char *text, size_t length, enum idm_error_step step,
		  struct idm_json_count *count, struct idm_error *err)
{
	const unsigned char *bytes = (const unsigned char *)text;
	struct scan s = { .text = bytes, .at = bytes, .end = bytes + length, .step = step, .err = err };
	int r = 0;

	if (length > IDM_JSON_MOST_BYTES)
		return idm_fail(err, -E2BIG, step, NULL, "it is %zu bytes long, and %u are allowed",
				length, IDM_JSON_MOST_BYTES);
	while (r == 0 && s.at < s.end)
		r = scan_token(&s);
	if (r == 0)
		r = check_keys(&s);
	free(s.keys);
	*count = s.count;
	return r;
}

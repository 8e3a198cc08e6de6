/* SPDX-License-Identifier: MIT */
/* Pieces of a text that is parsed. A map of many entries has many, so that no call is made for one. */
#ifndef IDM_IDMAP_SLICE_H
#define IDM_IDMAP_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A piece of the text, not NUL-terminated. */
struct idm_slice {
	const char *p;
	size_t n;
};

/* For "%.*s". Longer than any string of struct idm_error, so that there it is seen to be cut. */
#define IDM_LONGEST_QUOTE 1000
#define IDM_QUOTED(s) (int)((s).n > IDM_LONGEST_QUOTE ? IDM_LONGEST_QUOTE : (s).n), (s).p

static inline bool idm_is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* How much of a text is before the first of the separators. By hand: pieces are a few characters long.
 */
static inline size_t idm_slice_length_before(struct idm_slice s, const char *separators)
{
	uint64_t set[4] = { 0 }; /* a bit for each character there is */
	size_t n = 0;

	if (!separators[1]) {
		while (n < s.n && s.p[n] != separators[0])
			n++;
		return n;
	}
	for (const unsigned char *c = (const unsigned char *)separators; *c; c++)
		set[*c >> 6] |= (uint64_t)1 << (*c & 63);
	for (; n < s.n; n++) {
		unsigned char c = (unsigned char)s.p[n];

		if (set[c >> 6] >> (c & 63) & 1)
			return n;
	}
	return n;
}

/* Cuts off and returns what is before the first of the separators; *rest then begins with it. */
static inline struct idm_slice idm_slice_cut(struct idm_slice *rest, const char *separators)
{
	size_t n = idm_slice_length_before(*rest, separators);
	struct idm_slice piece = { rest->p, n };

	rest->p += n;
	rest->n -= n;
	return piece;
}

static inline void idm_slice_skip(struct idm_slice *s, size_t n)
{
	s->p += n;
	s->n -= n;
}

static inline bool idm_slice_skip_blanks(struct idm_slice *s)
{
	size_t n = 0;

	while (n < s->n && idm_is_blank(s->p[n]))
		n++;
	idm_slice_skip(s, n);
	return n > 0;
}

static inline bool idm_slice_skip_prefix(struct idm_slice *s, const char *prefix)
{
	size_t n = strlen(prefix);

	if (s->n < n || memcmp(s->p, prefix, n) != 0)
		return false;
	idm_slice_skip(s, n);
	return true;
}

static inline bool idm_slice_is(struct idm_slice s, const char *word)
{
	return s.n == strlen(word) && memcmp(s.p, word, s.n) == 0;
}

/* An unsigned decimal that fits in 32 bits: digits and nothing else. */
static inline bool idm_slice_to_id(struct idm_slice s, uint32_t *value)
{
	uint64_t v = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(s.p[i] - '0');
		if (v > UINT32_MAX)
			return false;
	}
	*value = (uint32_t)v;
	return s.n > 0;
}

static inline bool idm_slice_is_digits(struct idm_slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	return s.n > 0;
}

/* Cuts an entry into fields; returns their number, or more than `max` when there are too many. */
static inline size_t idm_slice_cut_fields(struct idm_slice entry, const char *separator,
					  struct idm_slice *fields, size_t max)
{
	size_t n = 0;

	for (;;) {
		struct idm_slice field = idm_slice_cut(&entry, separator);

		if (n == max)
			return max + 1;
		fields[n++] = field;
		if (!entry.n)
			return n;
		idm_slice_skip(&entry, 1);
	}
}

#endif

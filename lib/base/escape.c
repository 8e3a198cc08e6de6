// SPDX-License-Identifier: MIT
#include "escape.h"

#include <stdio.h>
#include <string.h>

unsigned int idm_utf8_length(const char *text, size_t n)
{
	const unsigned char *p = (const unsigned char *)text;
	unsigned int length = *p < 0x80	  ? 1
			      : *p < 0xc2 ? 0
			      : *p < 0xe0 ? 2
			      : *p < 0xf0 ? 3
			      : *p < 0xf5 ? 4
					  : 0;

	if (length > n)
		return 0;
	for (unsigned int i = 1; i < length; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	/* longer than it needs to be, a surrogate, past U+10FFFF */
	if ((*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] > 0x9f) || (*p == 0xf0 && p[1] < 0x90) ||
	    (*p == 0xf4 && p[1] > 0x8f))
		return 0;
	return length;
}

bool idm_is_utf8(const char *text)
{
	size_t n = strlen(text);

	while (n) {
		unsigned int length = idm_utf8_length(text, n);

		if (!length)
			return false;
		text += length;
		n -= length;
	}
	return true;
}

/*
 * Of three bytes: marks of direction (U+200E, U+200F), separators of lines and paragraphs (U+2028,
 * U+2029), and what embeds, overrides or isolates a direction (U+202A to U+202E, U+2066 to U+2069).
 */
static bool changes_line(const unsigned char *p)
{
	if (p[0] != 0xe2)
		return false;
	if (p[1] == 0x80)
		return p[2] == 0x8e || p[2] == 0x8f || (p[2] >= 0xa8 && p[2] <= 0xae);
	return p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9;
}

unsigned int idm_printable_length(const char *text, size_t n)
{
	const unsigned char *p = (const unsigned char *)text;
	unsigned int length = idm_utf8_length(text, n);

	switch (length) {
	case 1:
		return *p >= 0x20 && *p != 0x7f;
	case 2: /* U+0080 to U+009F are control characters, too: U+009B is what ESC [ is */
		return p[0] == 0xc2 && p[1] < 0xa0 ? 0 : 2;
	case 3:
		return changes_line(p) ? 0 : 3;
	default:
		return length;
	}
}

void idm_escape(char *to, size_t size, const char *text)
{
	size_t n = strlen(text), used = 0, safe = 0;

	while (n) {
		unsigned int shown = idm_printable_length(text, n), from = shown ? shown : 1;
		char octal[5];

		snprintf(octal, sizeof(octal), "\\%03o", (unsigned char)*text);
		if (used + (shown ? shown : 4) >= size) {
			memcpy(to + safe, "...", 4);
			return;
		}
		memcpy(to + used, shown ? text : octal, shown ? shown : 4);
		used += shown ? shown : 4;
		if (used + 4 <= size)
			safe = used;
		text += from;
		n -= from;
	}
	to[used] = '\0';
}

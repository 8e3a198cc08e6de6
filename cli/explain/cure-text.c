// SPDX-License-Identifier: MIT
#include "cure-text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/escape.h"

bool write_cure(char *text, size_t size, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, size, format, args);
	va_end(args);
	return n >= 0 && (size_t)n < size;
}

static bool needs_no_quotes(const char *path)
{
	return path[strspn(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				 "/._-+,:@%")] == '\0';
}

/* Of a byte that is not printed as it is: the printed line would name another file. */
static bool has_unprintable_bytes(const char *path)
{
	for (size_t n = strlen(path), length; n; path += length, n -= length) {
		length = idm_printable_length(path, n);
		if (!length)
			return true;
	}
	return false;
}

/* Appends the character at `path` to the word, which has room for 4 bytes. Returns its length there. */
static size_t append_character(char *word, const char *path, size_t length)
{
	/* A shell replaces ! by an earlier command. */
	if (!length || *path == '!')
		return (size_t)snprintf(word, 5, "\\%03o", (unsigned char)*path);
	if (*path == '\'' || *path == '\\')
		return (size_t)snprintf(word, 5, "\\%c", *path);
	memcpy(word, path, length);
	return length;
}

/* $'…', since a line has no other way to say a newline. */
static bool quote_unprintable_bytes(const char *path, char *word, size_t size)
{
	size_t left = strlen(path), n = (size_t)snprintf(word, size, "$'");

	while (left) {
		unsigned int length = idm_printable_length(path, left), step = length ? length : 1;

		if (n + 6 >= size)
			return false;
		n += append_character(word + n, path, length);
		path += step;
		left -= step;
	}
	return write_cure(word + n, size - n, "'");
}

bool quote_word(const char *path, char *word, size_t size)
{
	size_t n = 0;

	if (has_unprintable_bytes(path))
		return quote_unprintable_bytes(path, word, size);

	if (needs_no_quotes(path) && *path != '-')
		return write_cure(word, size, "%s", path);
	for (const char *p = path; n + 6 < size; p++) {
		if (p == path || !*p)
			word[n++] = '\'';
		if (!*p) {
			word[n] = '\0';
			return true;
		}
		if (*p == '\'')
			n += (size_t)snprintf(word + n, size - n, "'\\''");
		else
			word[n++] = *p;
	}
	return false;
}

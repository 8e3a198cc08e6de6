// SPDX-License-Identifier: MIT
#include "cure-text.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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

static bool has_control_characters(const char *path)
{
	for (const char *p = path; *p; p++)
		if (iscntrl((unsigned char)*p))
			return true;
	return false;
}

/* $'…', since a line has no other way to say a newline. */
static bool quote_control_characters(const char *path, char *word, size_t size)
{
	size_t n = (size_t)snprintf(word, size, "$'");

	for (const char *p = path; *p; p++) {
		if (n + 6 >= size)
			return false;
		if (iscntrl((unsigned char)*p))
			n += (size_t)snprintf(word + n, size - n, "\\%03o", (unsigned char)*p);
		else if (*p == '\'' || *p == '\\')
			n += (size_t)snprintf(word + n, size - n, "\\%c", *p);
		else
			word[n++] = *p;
	}
	return write_cure(word + n, size - n, "'");
}

bool quote_word(const char *path, char *word, size_t size)
{
	size_t n = 0;

	if (has_control_characters(path))
		return quote_control_characters(path, word, size);

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

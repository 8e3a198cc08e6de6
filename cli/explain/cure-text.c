// SPDX-License-Identifier: MIT
#include "cure-text.h"

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

bool quote_word(const char *path, char *word, size_t size)
{
	size_t n = 0;

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

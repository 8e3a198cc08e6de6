// SPDX-License-Identifier: MIT
#include "unit-lines.h"

#include <string.h>

#define BLANKS " \t\r"

/* Of two backslashes, the second one is a plain character. */
static bool is_continued(const char *line, size_t n)
{
	size_t backslashes = 0;

	while (backslashes < n && line[n - 1 - backslashes] == '\\')
		backslashes++;
	return backslashes % 2;
}

/* Cuts a line of the file off the rest. Returns its length. */
static size_t cut_part(struct unit_lines *lines)
{
	const char *part = lines->rest;
	size_t n = strcspn(part, "\n");

	lines->rest += n + (part[n] == '\n');
	lines->n_read++;
	while (n && part[n - 1] == '\r')
		n--;
	return n;
}

static bool is_comment(const char *part)
{
	part += strspn(part, BLANKS);
	return *part == '#' || *part == ';';
}

bool next_unit_line(struct unit_lines *lines)
{
	size_t n = 0;

	lines->line = NULL;
	while (*lines->rest) {
		char *part = lines->rest;
		size_t length = cut_part(lines);

		if (is_comment(part))
			continue;
		if (!lines->line) {
			lines->line = part;
			lines->number = lines->n_read;
		}
		memmove(lines->line + n, part, length);
		n += length;
		if (!is_continued(lines->line, n))
			break;
		lines->line[n - 1] = ' ';
	}
	if (!lines->line)
		return false;
	lines->line[n] = '\0';
	lines->line += strspn(lines->line, BLANKS);
	return true;
}

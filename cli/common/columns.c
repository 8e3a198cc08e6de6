// SPDX-License-Identifier: MIT
#include "columns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/array.h"
#include "lib/base/escape.h"

/*
 * Bytes are in octal as in /proc/self/mountinfo: a path must not break the table, nor control the
 * terminal. A backslash is escaped too, so that the output can be read back.
 */
static char *printable(const char *text)
{
	size_t n = strlen(text);
	char *copy = malloc(4 * n + 1), *to = copy;

	if (!copy)
		return NULL;
	while (n) {
		unsigned int shown = *text == '\\' ? 0 : idm_printable_length(text, n);

		if (shown)
			memcpy(to, text, shown);
		else
			sprintf(to, "\\%03o", (unsigned char)*text);
		to += shown ? shown : 4;
		text += shown ? shown : 1;
		n -= shown ? shown : 1;
	}
	*to = '\0';
	return copy;
}

/* Counts characters, not bytes: continuation bytes of UTF-8 have no width. */
static size_t width(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

void table_cell(struct table *table, const char *text)
{
	char **new = table->failed ? NULL : idm_array_append(&table->cells, &table->rows, sizeof(*new));

	if (new)
		*new = printable(text);
	if (new && !*new)
		table->rows--;
	if (!new || !*new)
		table->failed = true;
}

static void print_table_row(char **cells, size_t columns, const size_t *widths, const char *end)
{
	while (columns && !*cells[columns - 1]) /* no blanks before empty cells at the end */
		columns--;
	for (size_t c = 0; c < columns; c++) {
		fputs(cells[c], stdout);
		if (c + 1 < columns)
			printf("%*s", (int)(widths[c] - width(cells[c]) + 2), "");
	}
	puts(end);
}

bool table_print(struct table *table)
{
	size_t widths[TABLE_COLUMNS] = { 0 };
	bool colours = use_colours(), printed = !table->failed;
	bool empty = table->rows <= table->columns; /* a heading alone is not printed */

	for (size_t i = 0; i < table->rows; i++) {
		size_t w = width(table->cells[i]);

		if (w > widths[i % table->columns])
			widths[i % table->columns] = w;
	}
	for (size_t i = 0; printed && !empty && i + table->columns <= table->rows; i += table->columns) {
		bool bold = i == 0 && colours;

		fputs(bold ? "\033[1m" : "", stdout);
		print_table_row(table->cells + i, table->columns, widths, bold ? "\033[0m" : "");
	}
	for (size_t i = 0; i < table->rows; i++)
		free(table->cells[i]);
	free(table->cells);
	*table = (struct table){ 0 };
	return printed;
}

bool use_colours(void)
{
	const char *no = getenv("NO_COLOR");

	return isatty(STDOUT_FILENO) && !(no && *no);
}

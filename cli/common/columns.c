// SPDX-License-Identifier: MIT
#include "columns.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/base/array.h"
#include "lib/base/escape.h"

/*
 * Bytes are in octal as in /proc/self/mountinfo: a path must not break the table, nor control the
 * terminal. A backslash is escaped too, so that the output can be read back.
 * The caller names it in `escaped`, and with it a blank where blanks separate cells.
 */
static char *printable(const char *text, const char *escaped)
{
	size_t n = strlen(text);
	char *copy = malloc(4 * n + 1), *to = copy;

	if (!copy)
		return NULL;
	while (n) {
		unsigned int shown = strchr(escaped, *text) ? 0 : idm_printable_length(text, n);

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

/* An empty cell would shift the fields of a raw row. A text that is "-" is not one. */
static char *printable_field(const char *text)
{
	if (!*text)
		return strdup("-");
	return strcmp(text, "-") == 0 ? strdup("\\055") : printable(text, " \\");
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
		*new = table->raw ? printable_field(text) : printable(text, "\\");
	if (new && !*new)
		table->rows--;
	if (!new || !*new)
		table->failed = true;
}

/* ---- widths ---- */

/* How a table is printed: the widths of its columns, and where rows begin and end. */
struct layout {
	size_t widths[TABLE_COLUMNS];
	size_t first; /* the index of the first cell to print */
	size_t fold;  /* the width to which the last column is folded; 0: it is not */
};

/* Returns 0 if standard output is no terminal. */
static size_t get_terminal_width(void)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;

	if (!isatty(STDOUT_FILENO))
		return 0;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col)
		return size.ws_col;
	return columns && atoi(columns) > 0 ? (size_t)atoi(columns) : 80;
}

static void measure_columns(const struct table *table, struct layout *l)
{
	for (size_t i = l->first; i < table->rows; i++) {
		size_t w = width(table->cells[i]);

		if (w > l->widths[i % table->columns])
			l->widths[i % table->columns] = w;
	}
}

static size_t get_table_width(const struct table *table, const struct layout *l)
{
	size_t all = 2 * (table->columns - 1);

	for (size_t c = 0; c < table->columns; c++)
		all += l->widths[c];
	return all;
}

/* Returns the column that is cut next, or table->columns. No column becomes narrower than its heading.
 */
static size_t find_column_to_cut(const struct table *table, const struct layout *l)
{
	size_t found = table->columns;

	for (size_t c = 0; c < table->columns; c++)
		if (table->cut[c] && l->widths[c] > width(table->cells[c]) &&
		    (found == table->columns || table->cut[c] > table->cut[found]))
			found = c;
	return found;
}

static void cut_columns(const struct table *table, struct layout *l, size_t most)
{
	for (size_t all = get_table_width(table, l); all > most; all = get_table_width(table, l)) {
		size_t c = find_column_to_cut(table, l), spare, least;

		if (c == table->columns)
			return;
		least = width(table->cells[c]);
		spare = l->widths[c] - least;
		l->widths[c] -= spare < all - most ? spare : all - most;
	}
}

/* Narrower text is harder to read than lines that the terminal breaks. */
#define LEAST_FOLD 20

static void fit_columns(const struct table *table, struct layout *l)
{
	size_t most = get_terminal_width(), all;

	if (!most || table->whole)
		return;
	cut_columns(table, l, most);
	all = get_table_width(table, l);
	if (table->fold_last && all > most && l->widths[table->columns - 1] >= LEAST_FOLD + (all - most))
		l->fold = l->widths[table->columns - 1] - (all - most);
}

/* ---- printing ---- */

/* Returns the number of bytes of the first n characters. */
static size_t bytes_of(const char *text, size_t n)
{
	size_t i = 0;

	while (text[i] && (n || ((unsigned char)text[i] & 0xc0) == 0x80))
		n -= ((unsigned char)text[i++] & 0xc0) != 0x80;
	return i;
}

/* A mark tells a cut cell from a whole one: a number without its end is another number. */
static void print_cut_cell(const char *text, size_t most)
{
	const char *mark = use_utf8() ? "…" : "...";

	if (width(text) <= most)
		fputs(text, stdout);
	else
		printf("%.*s%s", (int)bytes_of(text, most - width(mark)), text, mark);
}

/* How a text is broken into lines: the widths, and what begins each line but the first. */
struct fold {
	size_t first, further;
	const char *prefix;
	size_t indent;
};

/* Breaks at blanks. */
static void print_folded_text(const char *text, const struct fold *fold)
{
	for (size_t most = fold->first; width(text) > most; most = fold->further) {
		size_t end = bytes_of(text, most), cut = end;

		while (cut && text[cut] != ' ')
			cut--;
		printf("%.*s\n%s%*s", (int)(cut ? cut : end), text, fold->prefix, (int)fold->indent, "");
		text += cut ? cut + 1 : end;
	}
	fputs(text, stdout);
}

void print_folded_line(const char *text, size_t used, const char *prefix, size_t indent)
{
	size_t most = get_terminal_width(), further = used + indent;
	struct fold fold = { SIZE_MAX, SIZE_MAX, prefix, indent };

	if (most >= further + LEAST_FOLD) {
		fold.first = most - used;
		fold.further = most - further;
	}
	print_folded_text(text, &fold);
	putchar('\n');
}

/* Continued lines begin below the first one. */
static void print_folded_cell(const char *text, size_t most, size_t indent)
{
	print_folded_text(text, &(struct fold){ most, most, "", indent });
}

static void print_table_row(const struct table *table, char **cells, const struct layout *l,
			    const char *end)
{
	size_t columns = table->columns, at = 0;

	while (columns && !*cells[columns - 1]) /* no blanks before empty cells at the end */
		columns--;
	for (size_t c = 0; c < columns; c++) {
		size_t w = width(cells[c]), most = l->widths[c];

		if (table->raw)
			fputs(cells[c], stdout);
		else if (l->fold && c + 1 == table->columns)
			print_folded_cell(cells[c], l->fold, at);
		else
			print_cut_cell(cells[c], most);
		if (c + 1 < columns)
			printf("%*s", table->raw ? 1 : (int)(w < most ? most - w : 0) + 2, "");
		at += most + 2;
	}
	puts(end);
}

static void print_rows(const struct table *table)
{
	struct layout l = { .first = table->no_headings ? table->columns : 0 };
	bool colours = use_colours() && !table->raw;

	if (!table->raw) {
		measure_columns(table, &l);
		fit_columns(table, &l);
	}
	for (size_t i = l.first; i + table->columns <= table->rows; i += table->columns) {
		bool bold = i == 0 && colours;

		fputs(bold ? "\033[1m" : "", stdout);
		print_table_row(table, table->cells + i, &l, bold ? "\033[0m" : "");
	}
}

bool table_print(struct table *table)
{
	bool printed = !table->failed;

	if (printed && table->rows > table->columns) /* a heading alone is not printed */
		print_rows(table);
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

/*
 * Reads the variables themselves: setlocale(3) opens files, and where libc is musl every locale has
 * these characters.
 */
bool use_utf8(void)
{
	static const char *const variables[] = { "LC_ALL", "LC_CTYPE", "LANG" };
	const char *locale = NULL;

	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]) && !(locale && *locale); i++)
		locale = getenv(variables[i]);
	return locale && (strcasestr(locale, "UTF-8") || strcasestr(locale, "utf8"));
}

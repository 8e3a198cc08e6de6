/* SPDX-License-Identifier: MIT */
/* Aligned columns on standard output. On a terminal they fit its width, as those of findmnt(8). */
#ifndef IDM_CLI_COMMON_COLUMNS_H
#define IDM_CLI_COMMON_COLUMNS_H

#include <stdbool.h>
#include <stddef.h>

#define TABLE_COLUMNS 16

struct table {
	size_t columns;
	size_t rows;
	char **cells; /* rows × columns */
	bool failed;  /* out of memory */
	/* How the table is printed. */
	bool raw;		/* one blank between cells, and no blanks in them */
	bool no_headings;	/* leave out the first row */
	bool whole;		/* cut nothing, on terminals too */
	bool fold_last;		/* on terminals, break the last column into lines */
	int cut[TABLE_COLUMNS]; /* on terminals, columns with the largest number are cut first; 0: never
				 */
};

/* Adds a cell at the end; a row is full after table->columns of them. */
void table_cell(struct table *table, const char *text);

/*
 * Prints and releases. The first row, the heading, is not printed alone. Returns false if memory was not
 * enough.
 */
bool table_print(struct table *table);

/*
 * Prints a line. On a terminal it is broken at blanks: `prefix`, which is as wide as the `used` columns
 * before the text, and `indent` blanks begin each further line.
 */
void print_folded_line(const char *text, size_t used, const char *prefix, size_t indent);

/* Returns whether standard output may have colours: it is a terminal, and NO_COLOR is not set. */
bool use_colours(void);

/* Returns whether the locale has characters beyond ASCII, such as an arrow. */
bool use_utf8(void);

#endif

/* SPDX-License-Identifier: MIT */
/* Aligned columns on standard output. */
#ifndef IDM_CLI_COMMON_COLUMNS_H
#define IDM_CLI_COMMON_COLUMNS_H

#include <stdbool.h>
#include <stddef.h>

#define TABLE_COLUMNS 8

struct table {
	size_t columns;
	size_t rows;
	char **cells; /* rows × columns */
	bool failed;  /* out of memory */
};

/* Adds a cell at the end; a row is full after table->columns of them. */
void table_cell(struct table *table, const char *text);

/* Prints and releases. The first row, the heading, is not printed alone. False: out of memory. */
bool table_print(struct table *table);

/* Returns whether standard output may have colours: it is a terminal, and NO_COLOR is not set. */
bool use_colours(void);

#endif

/* SPDX-License-Identifier: MIT */
/* The lines of systemd's units, as systemd.syntax(7) joins them. */
#ifndef IDM_CLI_FSTAB_UNIT_LINES_H
#define IDM_CLI_FSTAB_UNIT_LINES_H

#include <stdbool.h>
#include <stddef.h>

/* Begins with `rest` alone: the text, which next_unit_line() changes. */
struct unit_lines {
	char *rest;
	size_t n_read; /* lines of the file */
	char *line;    /* without blanks at the beginning */
	size_t number; /* of its first part in the file */
};

/*
 * Finds the next line. A backslash at the end becomes a blank, and joins it with the next line that is no
 * comment, whose own blanks stay. Returns false at the end.
 */
bool next_unit_line(struct unit_lines *lines);

#endif

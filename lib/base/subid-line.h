/* SPDX-License-Identifier: MIT */
/* Lines of /etc/subuid and /etc/subgid, with all that newuidmap(1) accepts in them. */
#ifndef IDM_BASE_SUBID_LINE_H
#define IDM_BASE_SUBID_LINE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* newuidmap(1) ignores longer lines, counted without their newline. */
#define IDM_SUBID_LINE_MAX 1023

struct idm_subid_line {
	const char *owner; /* a name or a number */
	uint64_t start, count;
};

/* Parses one line without its newline, and changes it. Returns whether it has a range. */
bool idm_parse_subid_line(char *text, struct idm_subid_line *line);

/*
 * Reads up to the next line with a range. The owner is in `text` then. Returns false at the end of the
 * file.
 */
bool idm_read_subid_line(FILE *file, char text[IDM_SUBID_LINE_MAX + 2], struct idm_subid_line *line);

#endif

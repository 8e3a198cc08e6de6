// SPDX-License-Identifier: MIT
/*
 * IDs of a line that newuidmap(1) grants, and another reader passes over, would have no owner for the
 * latter. So this one accepts what shadow does: numbers of each base of strtoul(3), blanks and signs
 * before them, further fields, and a last line without a newline.
 */
#include "subid-line.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Cuts the text at the end of its first field. Returns the rest; NULL: it was the last field. */
static char *cut_field(char *text)
{
	char *colon = strchr(text, ':');

	if (!colon)
		return NULL;
	*colon = '\0';
	return colon + 1;
}

static bool parse_subid_number(const char *text, uint64_t *number)
{
	char *end;

	errno = 0;
	*number = strtoull(text, &end, 0);
	/* A negative one becomes a number that no ID reaches. */
	return *text && !*end && errno == 0 && !strchr(text, '-');
}

/* A line that begins with a sign is NIS's. */
bool idm_parse_subid_line(char *text, struct idm_subid_line *line)
{
	char *start, *count;

	if (strlen(text) > IDM_SUBID_LINE_MAX || strchr("+-:", *text))
		return false;
	line->owner = text;
	start = cut_field(text);
	count = start ? cut_field(start) : NULL;
	if (!count)
		return false;
	cut_field(count);
	return parse_subid_number(start, &line->start) && parse_subid_number(count, &line->count);
}

static void skip_rest_of_line(FILE *file)
{
	int c;

	do
		c = getc(file);
	while (c != '\n' && c != EOF);
}

/* Returns whether the line fits. The last one may lack its newline. */
static bool cut_newline(FILE *file, char *text)
{
	char *newline = strchr(text, '\n');

	if (!newline && !feof(file)) {
		skip_rest_of_line(file);
		return false;
	}
	if (newline)
		*newline = '\0';
	return true;
}

bool idm_read_subid_line(FILE *file, char text[IDM_SUBID_LINE_MAX + 2], struct idm_subid_line *line)
{
	while (fgets(text, IDM_SUBID_LINE_MAX + 2, file))
		if (cut_newline(file, text) && idm_parse_subid_line(text, line))
			return true;
	return false;
}

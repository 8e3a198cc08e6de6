// SPDX-License-Identifier: MIT
/* The lines of fstab. */
#include "fstab.h"

#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/input.h"
#include "cli/common/report.h"
#include "lib/base/array.h"
#include "lib/base/escape.h"

#define BLANKS " \t"

void report_at(struct fstab *fstab, size_t number)
{
	char name[1024];

	idm_escape(name, sizeof(name), input_name(fstab->file));
	snprintf(fstab->place, sizeof(fstab->place), "%s:%zu", name, number);
	report_as(fstab->place);
}

void free_fstab_line(struct fstab_line *line)
{
	free(line->source);
	free(line->target);
	free(line->type);
	free(line->options);
	free(line->rest);
}

void free_fstab_lines(struct fstab *fstab)
{
	for (size_t i = 0; i < fstab->n; i++)
		free_fstab_line(&fstab->lines[i]);
	free(fstab->lines);
}

bool append_fstab_line(struct fstab *fstab, struct fstab_line line)
{
	bool whole = line.source && line.target && line.type && line.options && line.rest;
	struct fstab_line *new = whole ? idm_array_append(&fstab->lines, &fstab->n, sizeof(*new)) : NULL;

	if (new)
		*new = line;
	else
		free_fstab_line(&line);
	return new;
}

/* getmntent(3) reads the rest as two numbers, and ignores any other text. */
static char *copy_rest(const char *line)
{
	for (int i = 0; i < 4; i++) {
		line += strspn(line, BLANKS);
		line += strcspn(line, BLANKS);
	}
	line += strspn(line, BLANKS);
	return strndup(line, strcspn(line, "\r\n"));
}

/*
 * getmntent(3) reads a file, and does not tell the line. So it gets a file for each. musl's requires a
 * line end.
 */
static bool add_fstab_line(struct fstab *fstab, const char *text, int length, size_t number)
{
	const size_t size = (size_t)length + 2;
	char *line = malloc(size), *rest = NULL, *buf = malloc(size);
	struct mntent entry;
	FILE *in = NULL;
	bool good;

	/* fmemopen(3) looks for the end of the text at once. */
	if (line && buf) {
		snprintf(line, size, "%.*s\n", length, text);
		rest = copy_rest(line);
		in = fmemopen(line, size - 1, "r");
	}
	good = in;
	if (in) {
		if (getmntent_r(in, &entry, buf, (int)size)) {
			good = append_fstab_line(
				fstab, (struct fstab_line){
					       number, strdup(entry.mnt_fsname), strdup(entry.mnt_dir),
					       strdup(entry.mnt_type), strdup(entry.mnt_opts), rest });
			rest = NULL;
		}
		fclose(in);
	}
	free(rest);
	free(line);
	free(buf);
	return good;
}

bool parse_fstab(struct fstab *fstab, const char *text)
{
	for (size_t number = 1; *text; number++) {
		size_t n = strcspn(text, "\n");

		if (!add_fstab_line(fstab, text, (int)n, number))
			return false;
		text += n + (text[n] == '\n');
	}
	return true;
}

/* ---- fields ---- */

/* mount(8) ignores a line whose fifth or sixth field is not a number. */
static int check_number_field(int field, const char *text, size_t n)
{
	if (strspn(text, "0123456789") >= n)
		return DONE;
	return report_failure("field %d: expected a number, got %.*s; options contain no blanks", field,
			      (int)n, text);
}

int check_fields(const struct fstab_line *line)
{
	int field = 4, status = DONE;

	for (const char *at = line->rest; *at && status == DONE;) {
		size_t n = strcspn(at, BLANKS);

		field++;
		if (field <= 6)
			status = check_number_field(field, at, n);
		at += n;
		at += strspn(at, BLANKS);
	}
	if (status != DONE || field <= 6)
		return status;
	return report_failure("expected at most 6 fields, got %d", field);
}

// SPDX-License-Identifier: MIT
#include "check-fstab.h"

#include <stdlib.h>
#include <string.h>

#include "cli/common/input.h"
#include "cli/common/option-names.h"
#include "cli/common/report.h"
#include "fstab.h"

/*
 * A text that ends at the byte would hide the rest of the file. Each line with such a byte is reported,
 * and becomes a comment.
 */
static void hide_nul_lines(struct fstab *fstab, char *text, size_t length)
{
	size_t number = 1;

	for (char *line = text, *end; line < text + length; line = end + 1, number++) {
		size_t left = (size_t)(text + length - line);

		end = memchr(line, '\n', left);
		end = end ? end : text + length;
		if (!memchr(line, '\0', (size_t)(end - line)))
			continue;
		report_at(fstab, number);
		report_failure("a NUL byte");
		memset(line, '#', (size_t)(end - line));
		fstab->faulty = true;
	}
}

/* systemd replaces specifiers such as %h. */
static bool has_specifier(const struct fstab *fstab, const struct fstab_line *line)
{
	return fstab->unit &&
	       (strchr(line->source, '%') || strchr(line->options, '%') || strchr(line->target, '%'));
}

static int check_idmap_line(const struct fstab *fstab, const struct fstab_line *line)
{
	int status = check_fields(line);

	if (status == DONE && fstab->unit)
		status = check_unit_keys(fstab, line);
	if (status != DONE) /* the fields are not what they seem */
		return status;
	status = check_idmap_options(line);
	if (check_fstab_source(fstab, line) != DONE || check_fstab_target(fstab, line) != DONE)
		status = FAILED;
	return status;
}

static int check_line(const struct fstab *fstab, const struct fstab_line *line)
{
	int status = check_fstab_type(line);

	if (status != DONE)
		return status;
	if (strcmp(line->type, "idmap") != 0)
		return check_other_type(line);
	return has_specifier(fstab, line) ? DONE : check_idmap_line(fstab, line);
}

static bool is_unit(const char *file)
{
	size_t n = strlen(file);

	return n > 6 && strcmp(file + n - 6, ".mount") == 0;
}

static void check_lines(struct fstab *fstab)
{
	set_front_end(FRONT_END_HELPER);
	for (size_t i = 0; i < fstab->n; i++) {
		report_at(fstab, fstab->lines[i].number);
		fstab->faulty |= check_line(fstab, &fstab->lines[i]) != DONE;
	}
}

int check_fstab(const char *file, size_t *lines)
{
	struct fstab fstab = { .file = file, .unit = is_unit(file) };
	size_t length;
	char *text;
	int status = read_file(file, &text, &length);

	if (status == DONE) {
		hide_nul_lines(&fstab, text, length);
		if (!(fstab.unit ? parse_mount_unit(&fstab, text) : parse_fstab(&fstab, text)))
			status = out_of_memory();
	}
	free(text);
	if (status == DONE)
		check_lines(&fstab);
	report_as("idmount: check");
	*lines += fstab.n;
	free_fstab_lines(&fstab);
	return status == DONE && fstab.faulty ? FAILED : status;
}

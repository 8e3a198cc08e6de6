// SPDX-License-Identifier: MIT
/* Mount units of systemd. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/report.h"
#include "cli/common/suggest.h"
#include "fstab.h"
#include "unit-lines.h"

/* What is read of a unit. */
struct unit {
	struct fstab *fstab;
	struct fstab_line line;
	bool in_mount, has_mount, has_unknown; /* sections */
	size_t options_number;		       /* 0: the unit has no Options= */
};

/* Replaces a text by a value, without blanks around it. */
static bool set_text(char **text, const char *value, size_t n)
{
	while (n && strchr(" \t", *value))
		value++, n--;
	while (n && strchr(" \t", value[n - 1]))
		n--;
	free(*text);
	*text = strndup(value, n); /* analyzer: a member of a unit, which free_fstab_line() frees */
	return *text;
}

/* Sets a member by its key in the section [Mount]. Options= is the line of faults. */
static bool set_unit_key(struct unit *unit, const char *text, size_t n, size_t number)
{
	struct fstab_line *line = &unit->line;
	const char *equals = memchr(text, '=', n);
	size_t key = equals ? (size_t)(equals - text) : n;
	struct {
		const char *name;
		char **text;
	} keys[] = { { "What", &line->source },
		     { "Where", &line->target },
		     { "Type", &line->type },
		     { "Options", &line->options } };

	while (key && strchr(" \t", text[key - 1]))
		key--;
	for (size_t i = 0; equals && i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strlen(keys[i].name) == key && strncmp(keys[i].name, text, key) == 0) {
			if (keys[i].text == &line->options)
				unit->options_number = number;
			return set_text(keys[i].text, equals + 1, n - (size_t)(equals + 1 - text));
		}
	return true;
}

/* ---- sections ---- */

static void report_section(struct unit *unit, const char *name, size_t number)
{
	static const char *const known[] = { "Mount", "Unit", "Install" };
	struct suggestion s = { .word = name };

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		suggest_word(&s, known[i]);
	report_at(unit->fstab, number);
	if (s.best)
		report_failure("[%s]: unknown section; did you mean [%s]?", name, s.best);
	else
		report_failure("[%s]: unknown section", name);
	unit->fstab->faulty = unit->has_unknown = true;
}

static void begin_section(struct unit *unit, const char *text, size_t number)
{
	char name[64];

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(text + 1, "]"), text + 1);
	unit->in_mount = strcmp(name, "Mount") == 0;
	if (unit->in_mount && !unit->has_mount)
		unit->line.number = number;
	unit->has_mount |= unit->in_mount;
	if (!unit->in_mount && strcmp(name, "Unit") != 0 && strcmp(name, "Install") != 0 &&
	    strncmp(name, "X-", 2) != 0)
		report_section(unit, name, number);
}

static bool read_unit_lines(struct unit *unit, char *text)
{
	struct unit_lines at = { .rest = text };

	while (next_unit_line(&at))
		if (*at.line == '[')
			begin_section(unit, at.line, at.number);
		else if (unit->in_mount && !set_unit_key(unit, at.line, strlen(at.line), at.number))
			return false;
	return true;
}

/* To systemd, an empty unit is masked, which is no fault. */
bool parse_mount_unit(struct fstab *fstab, char *text)
{
	const bool empty = !*text;
	struct unit unit = { fstab, { 1, strdup(""), strdup(""), strdup(""), strdup(""), strdup("") },
			     false, false,
			     false, 0 };
	struct fstab_line *line = &unit.line;

	if (!line->source || !line->target || !line->type || !line->options || !line->rest ||
	    !read_unit_lines(&unit, text)) {
		free_fstab_line(line);
		return false;
	}
	if (unit.options_number)
		line->number = unit.options_number;
	if (unit.has_mount)
		return append_fstab_line(fstab, *line);
	free_fstab_line(line);
	if (!empty && !unit.has_unknown) { /* else the section has another name */
		report_at(fstab, 1);
		report_failure("the section [Mount] is missing");
		fstab->faulty = true;
	}
	return true;
}

/* ---- names ---- */

static bool is_plain_in_unit_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       strchr(":_.", c);
}

/* As "systemd-escape --path". The name has room for four times the path, and for "-". */
static void escape_unit_path(const char *path, char *name)
{
	char *to = name;

	for (; *path; path++) {
		bool first = to == name;

		if (*path == '/' && (first || !path[1] || path[1] == '/'))
			continue;
		if (*path == '/')
			*to++ = '-';
		else if (is_plain_in_unit_name(*path) && !(first && *path == '.'))
			*to++ = *path;
		else
			to += sprintf(to, "\\x%02x", (unsigned char)*path);
	}
	if (to == name)
		*to++ = '-';
	*to = '\0';
}

/* systemd refuses a unit with another name. */
static int check_unit_name(const struct fstab *fstab, const struct fstab_line *line)
{
	const char *slash = strrchr(fstab->file, '/'), *name = slash ? slash + 1 : fstab->file;
	char *expected = malloc(4 * strlen(line->target) + sizeof("-.mount"));
	int status = DONE;

	if (!expected)
		return out_of_memory();
	escape_unit_path(line->target, expected);
	strcat(expected, ".mount");
	if (strcmp(expected, name) != 0)
		status = report_failure("%s: expected the name %s for Where=%s", name, expected,
					line->target);
	free(expected);
	return status;
}

int check_unit_keys(const struct fstab *fstab, const struct fstab_line *line)
{
	if (!*line->source)
		return report_failure("What= is missing");
	/* Without Where=, systemd mounts where the name says. */
	return *line->target ? check_unit_name(fstab, line) : DONE;
}

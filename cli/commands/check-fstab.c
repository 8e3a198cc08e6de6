// SPDX-License-Identifier: MIT
#include "check-fstab.h"

#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef STATX_INO
#include <linux/stat.h> /* musl before 1.2.5 has no statx(2) */
#endif

#include "cli/common/fstab-options.h"
#include "cli/common/input.h"
#include "cli/common/option-names.h"
#include "cli/common/report.h"
#include "lib/base/array.h"
#include "lib/base/escape.h"

/* A line of fstab, or a unit. All texts are allocated. */
struct fstab_line {
	size_t number;
	char *source, *target, *type, *options;
};

struct fstab {
	const char *file;
	bool unit; /* of systemd */
	struct fstab_line *lines;
	size_t n;
	bool faulty;
};

/* ---- reports ---- */

/* "FILE:LINE", the prefix of each report about the line. */
struct place {
	char text[1100];
};

static void report_at(const struct fstab *fstab, size_t number, struct place *place)
{
	char name[1024];

	idm_escape(name, sizeof(name), input_name(fstab->file));
	snprintf(place->text, sizeof(place->text), "%s:%zu", name, number);
	report_as(place->text);
}

/* ---- reading ---- */

static void free_line(struct fstab_line *line)
{
	free(line->source);
	free(line->target);
	free(line->type);
	free(line->options);
}

static void free_fstab(struct fstab *fstab)
{
	for (size_t i = 0; i < fstab->n; i++)
		free_line(&fstab->lines[i]);
	free(fstab->lines);
}

static bool is_whole(const struct fstab_line *line)
{
	return line->source && line->target && line->type && line->options;
}

/* Owns the texts of `line`, also without memory. */
static bool append_line(struct fstab *fstab, struct fstab_line line)
{
	struct fstab_line *new = is_whole(&line)
					 ? idm_array_append(&fstab->lines, &fstab->n, sizeof(*new))
					 : NULL;

	if (new)
		*new = line;
	else
		free_line(&line);
	return new;
}

/*
 * getmntent(3) reads a file, and does not tell the line. So it gets a file for each. musl's requires a
 * line end.
 */
static bool add_fstab_line(struct fstab *fstab, const char *text, int length, size_t number)
{
	const size_t size = (size_t)length + 2;
	char *line = malloc(size), *buf = malloc(size);
	struct mntent entry;
	FILE *in = NULL;
	bool good;

	/* fmemopen(3) looks for the end of the text at once. */
	if (line && buf) {
		snprintf(line, size, "%.*s\n", length, text);
		in = fmemopen(line, size - 1, "r");
	}
	good = in;
	if (in) {
		if (getmntent_r(in, &entry, buf, (int)size))
			good = append_line(fstab, (struct fstab_line){ number, strdup(entry.mnt_fsname),
								       strdup(entry.mnt_dir),
								       strdup(entry.mnt_type),
								       strdup(entry.mnt_opts) });
		fclose(in);
	}
	free(line);
	free(buf);
	return good;
}

/*
 * A text that ends at the byte would hide the rest of the file. Each line with such a byte is reported,
 * and becomes a comment.
 */
static void hide_nul_lines(struct fstab *fstab, char *text, size_t length)
{
	struct place place;
	size_t number = 1;

	for (char *line = text, *end; line < text + length; line = end + 1, number++) {
		size_t left = (size_t)(text + length - line);

		end = memchr(line, '\n', left);
		end = end ? end : text + length;
		if (!memchr(line, '\0', (size_t)(end - line)))
			continue;
		report_at(fstab, number, &place);
		report_failure("a NUL byte");
		memset(line, '#', (size_t)(end - line));
		fstab->faulty = true;
	}
}

static bool parse_fstab(struct fstab *fstab, const char *text)
{
	for (size_t number = 1; *text; number++) {
		size_t n = strcspn(text, "\n");

		if (!add_fstab_line(fstab, text, (int)n, number))
			return false;
		text += n + (text[n] == '\n');
	}
	return true;
}

/* ---- units ---- */

/* Replaces a text by a value up to a line end, without blanks around it. */
static bool set_text(char **text, const char *value, size_t n)
{
	while (n && strchr(" \t\r", *value))
		value++, n--;
	while (n && strchr(" \t\r", value[n - 1]))
		n--;
	free(*text);
	*text = strndup(value, n); /* analyzer: a member of a unit, which free_line() frees */
	return *text;
}

/* Sets a member by its key in the section [Mount]. Options= is the line of faults. */
static bool set_unit_key(struct fstab_line *unit, const char *line, size_t n, size_t number)
{
	const char *equals = memchr(line, '=', n);
	size_t key = equals ? (size_t)(equals - line) : n;
	struct {
		const char *name;
		char **text;
	} keys[] = { { "What", &unit->source },
		     { "Where", &unit->target },
		     { "Type", &unit->type },
		     { "Options", &unit->options } };

	while (key && strchr(" \t", line[key - 1]))
		key--;
	for (size_t i = 0; equals && i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strlen(keys[i].name) == key && strncmp(keys[i].name, line, key) == 0) {
			if (keys[i].text == &unit->options || !unit->number)
				unit->number = number;
			return set_text(keys[i].text, equals + 1, n - (size_t)(equals + 1 - line));
		}
	return true;
}

static bool read_unit_lines(struct fstab_line *unit, const char *text)
{
	bool in_mount = false;

	for (size_t number = 1; *text; number++) {
		size_t n = strcspn(text, "\n");

		if (*text == '[')
			in_mount = strncmp(text, "[Mount]", 7) == 0;
		else if (in_mount && !set_unit_key(unit, text, n, number))
			return false;
		text += n + (text[n] == '\n');
	}
	return true;
}

static bool parse_unit(struct fstab *fstab, const char *text)
{
	struct fstab_line unit = { 0, strdup(""), strdup(""), strdup(""), strdup("") };

	if (!is_whole(&unit) || !read_unit_lines(&unit, text)) {
		free_line(&unit);
		return false;
	}
	return append_line(fstab, unit);
}

/* ---- options of other types ---- */

static bool is_option(const char *option, size_t n, const char *name)
{
	return strlen(name) == n && strncmp(option, name, n) == 0;
}

/* Looks for an option, with a value or without one. Quotes keep commas together. */
static bool has_fstab_option(const char *list, const char *name)
{
	bool quoted = false;
	const char *start = list;

	for (const char *at = list;; at++) {
		quoted ^= *at == '"';
		if (*at && (quoted || *at != ','))
			continue;
		if (is_option(start, strcspn(start, "=,"), name))
			return true;
		if (!*at)
			return false;
		start = at + 1;
	}
}

static bool is_bind(const struct fstab_line *line)
{
	return has_fstab_option(line->options, "bind") || has_fstab_option(line->options, "rbind");
}

/* mount(8) passes unknown options of a bind mount to nothing. */
static int check_other_type(const struct fstab_line *line)
{
	const char *word = has_fstab_option(line->options, "map")	  ? "map"
			   : has_fstab_option(line->options, "keep-rest") ? "keep-rest"
									  : NULL;

	if (!word || !(is_bind(line) || strcmp(line->type, "bind") == 0))
		return DONE;
	return report_failure(
		"%s: mount(8) makes a plain bind mount, in which nothing is mapped; write the "
		"type idmap, without bind",
		word);
}

/* ---- options of the type idmap ---- */

/* With these, mount(8) acts by itself for any type, or changes what the helper gets. */
static int check_reserved_options(const struct fstab_line *line)
{
	static const char *const own[] = { "bind", "rbind", "move" };
	static const char *const kept[] = { "suid", "dev" };

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (has_fstab_option(line->options, own[i]))
			return report_failure(
				"%s: mount(8) makes a plain mount, in which nothing is mapped; "
				"leave it out",
				own[i]);
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		if (has_fstab_option(line->options, kept[i]))
			return report_failure("%s: mount(8) does not pass it on; write allow-%s",
					      kept[i], kept[i]);
	return DONE;
}

/* The messages are those of mount.idmap. */
static int check_helper_options(const struct fstab_line *line, struct fstab_options *o)
{
	char *list = strdup(line->options);
	struct idm_error err;
	int status;

	if (!list)
		return out_of_memory();
	status = parse_fstab_options(o, list);
	free(list);
	if (status == DONE)
		status = complete_fstab_options(o);
	if (status == DONE && idm_map_check(o->mount.map, &err) < 0)
		status = report_error(&err);
	return status;
}

/* ---- sources ---- */

static bool is_below(const char *path, const char *directory)
{
	size_t n = strlen(directory);

	while (n > 1 && directory[n - 1] == '/')
		n--;
	return strncmp(path, directory, n) == 0 && (path[n] == '/' || !path[n]);
}

/*
 * Returns the line whose mount has the source, or NULL. The root is mounted before the file is read, and
 * a line of type idmap may mount on its own source.
 */
static const struct fstab_line *find_line_of_source(const struct fstab *fstab,
						    const struct fstab_line *line)
{
	const struct fstab_line *found = NULL;

	for (size_t i = 0; i < fstab->n; i++) {
		const struct fstab_line *l = &fstab->lines[i];

		if (l != line && *l->target == '/' && l->target[1] &&
		    is_below(line->source, l->target) &&
		    (!found || strlen(l->target) > strlen(found->target)))
			found = l;
	}
	return found;
}

static bool is_mount_point(const char *path)
{
	struct statx st;

	return syscall(SYS_statx, AT_FDCWD, path, 0, STATX_INO, &st) == 0 &&
	       st.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

/* As sd_booted(3). */
static bool systemd_mounts(void)
{
	struct stat st;

	return lstat("/run/systemd/system", &st) == 0 && S_ISDIR(st.st_mode);
}

static int check_missing_source(const struct fstab_line *line)
{
	if (!has_fstab_option(line->options, "nofail"))
		return report_failure("%s: the source does not exist; create it, or add nofail",
				      line->source);
	if (!systemd_mounts())
		return DONE;
	return report_failure(
		"%s: the source does not exist; systemd does not pass nofail on, so its unit "
		"fails at boot",
		line->source);
}

/* An ordinary user cannot try a map, and that is no fault of the file. */
static bool is_for_privilege(const struct idm_error *err)
{
	return err->errnum == EPERM || err->errnum == EACCES;
}

static bool treats_mapped_source(const struct fstab_line *line)
{
	return has_fstab_option(line->options, "remap") || has_fstab_option(line->options, "on-top");
}

static int check_mappable(const struct fstab_line *line)
{
	struct idm_check_result check = IDM_CHECK_RESULT_INIT;
	struct idm_error why, err;

	if (idm_check_path(AT_FDCWD, line->source, 0, &check, &why, &err) < 0)
		return is_for_privilege(&err) ? DONE : report_error(&err);
	if (!check.mappable)
		return is_for_privilege(&why) ? DONE : report_error(&why);
	if (check.mapped && !treats_mapped_source(line) && !is_mount_point(line->target))
		return report_failure(
			"%s: the source is on a mount that is ID-mapped already; add remap or "
			"on-top",
			line->source);
	return DONE;
}

static int check_source(const struct fstab *fstab, const struct fstab_line *line)
{
	const struct fstab_line *of = find_line_of_source(fstab, line);

	if (*line->source != '/')
		return report_failure(
			"%s: expected an absolute path as source; mount a filesystem by a line "
			"of its own, and name its directory",
			line->source);
	if (of && of->number > line->number)
		return report_failure(
			"%s: the source is on %s, which line %zu mounts later; move that line up",
			line->source, of->target, of->number);
	if (of && !is_mount_point(of->target))
		return DONE; /* what it will contain is not known */
	if (access(line->source, F_OK) < 0)
		return errno == ENOENT ? check_missing_source(line) : DONE;
	return check_mappable(line);
}

/* ---- the file ---- */

/* systemd replaces specifiers such as %h. */
static bool has_specifier(const struct fstab *fstab, const struct fstab_line *line)
{
	return fstab->unit && (strchr(line->source, '%') || strchr(line->options, '%'));
}

static int check_idmap_line(const struct fstab *fstab, const struct fstab_line *line)
{
	struct fstab_options o = { 0 };
	int status = check_reserved_options(line), source;

	if (status == DONE)
		status = check_helper_options(line, &o);
	source = check_source(fstab, line);
	map_request_free(&o.maps);
	return status == DONE ? source : status;
}

static void check_line(struct fstab *fstab, const struct fstab_line *line)
{
	struct place place;
	int status = DONE;

	report_at(fstab, line->number, &place);
	if (strcmp(line->type, "idmap") != 0)
		status = check_other_type(line);
	else if (!has_specifier(fstab, line))
		status = check_idmap_line(fstab, line);
	fstab->faulty |= status != DONE;
}

static bool is_unit(const char *file)
{
	size_t n = strlen(file);

	return n > 6 && strcmp(file + n - 6, ".mount") == 0;
}

int check_fstab(const char *file)
{
	struct fstab fstab = { .file = file, .unit = is_unit(file) };
	size_t length;
	char *text;
	int status = read_file(file, &text, &length);

	if (status == DONE)
		hide_nul_lines(&fstab, text, length);
	if (status == DONE && !(fstab.unit ? parse_unit(&fstab, text) : parse_fstab(&fstab, text)))
		status = out_of_memory();
	free(text);
	set_front_end(FRONT_END_HELPER);
	for (size_t i = 0; i < fstab.n && status == DONE; i++)
		check_line(&fstab, &fstab.lines[i]);
	report_as("idmount: check");
	free_fstab(&fstab);
	return status == DONE && fstab.faulty ? FAILED : status;
}

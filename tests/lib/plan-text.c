// SPDX-License-Identifier: MIT
#include "plan-text.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/macros.h"
#include "lib/plan/plan.h"

struct idm_plan *new_plan(void)
{
	struct idm_plan *plan;

	assert_int_equal(idm_plan_new(&plan), 0);
	return plan;
}

/* ---- a plan as text ---- */

static void print_attributes(FILE *out, const char *where, const struct idm_attributes *a)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} names[] = {
		{ IDM_ATTR_RDONLY, "rdonly" },	       { IDM_ATTR_NOSUID, "nosuid" },
		{ IDM_ATTR_NODEV, "nodev" },	       { IDM_ATTR_NOEXEC, "noexec" },
		{ IDM_ATTR_NOATIME, "noatime" },       { IDM_ATTR_STRICTATIME, "strictatime" },
		{ IDM_ATTR_NODIRATIME, "nodiratime" }, { IDM_ATTR_NOSYMFOLLOW, "nosymfollow" },
	};

	if (!(a->set | a->clear))
		return;
	fprintf(out, "  %s", where);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (a->set & names[i].bit)
			fprintf(out, " +%s", names[i].name);
		else if (a->clear & names[i].bit)
			fprintf(out, " -%s", names[i].name);
	fputc('\n', out);
}

static void print_path(FILE *out, const char *what, int dirfd, const char *path)
{
	if (!path)
		return;
	fprintf(out, "  %s ", what);
	if (dirfd != AT_FDCWD && *path != '/')
		fputs("DIR:", out);
	fprintf(out, "%s\n", path);
}

static void print_paths(FILE *out, const char *what, const struct idm_path *paths, size_t n)
{
	for (size_t i = 0; i < n; i++)
		print_path(out, what, paths[i].dirfd, paths[i].path);
}

static void print_map(FILE *out, const struct idm_plan_entry *entry)
{
	static const char *const scopes[] = { [IDM_MAP_SAME] = "map",
					      [IDM_MAP_TOP] = "map of this mount alone",
					      [IDM_MAP_DEEP] = "map of all below too" };
	AUTO_FREE char *text = NULL;

	if (!entry->map)
		return;
	text = map_text(entry->map, IDM_FORMAT_TEXT, IDM_BOTH);
	fprintf(out, "  %s %s\n", scopes[entry->map_scope], text);
}

static void print_options(FILE *out, const struct idm_plan_entry *entry)
{
	for (size_t i = 0; i < entry->n_options; i++)
		fprintf(out, "  option %s%s%s\n", entry->options[i].name,
			entry->options[i].value ? "=" : "",
			entry->options[i].value ? entry->options[i].value : "");
}

static void print_entry(FILE *out, const struct idm_plan_entry *entry)
{
	static const char *const propagations[] = { NULL, "private", "slave", "shared", "unbindable" };
	char name[500];

	fprintf(out, "%s%s\n", entry->recursive ? "recursive " : "",
		idm_plan_entry_name(entry, name, sizeof(name)));
	print_path(out, "source", entry->dirfd, entry->source);
	print_paths(out, "lower", entry->lower, entry->n_lower);
	print_paths(out, "data", entry->data, entry->n_data);
	print_path(out, "upper", entry->dirfd, entry->upper);
	print_path(out, "work", entry->dirfd, entry->work);
	print_map(out, entry);
	print_attributes(out, "attributes", &entry->top);
	print_attributes(out, "attributes of all below too", &entry->deep);
	if (entry->propagation)
		fprintf(out, "  %s%s\n", entry->deep_propagation ? "recursively " : "",
			propagations[entry->propagation]);
	print_options(out, entry);
	if (entry->loop)
		fputs("  loop\n", out);
	if (entry->flags & IDM_PLAN_ADD_MKDIR)
		fputs("  target is created\n", out);
	if (entry->flags & IDM_PLAN_ADD_RDONLY_LAST)
		fputs("  read-only last\n", out);
}

char *plan_text(const struct idm_plan *plan)
{
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	for (size_t i = 0; i < plan->n; i++)
		print_entry(out, &plan->entries[i]);
	fclose(out);
	return text;
}

/* ---- reading ---- */

char *file_text(const char *path, size_t *length)
{
	AUTO_CLOSE int fd = (int)must(open(path, O_RDONLY | O_CLOEXEC));
	off_t size = must(lseek(fd, 0, SEEK_END));
	char *text = malloc((size_t)size + 1);

	assert_int_equal(must(pread(fd, text, (size_t)size, 0)), size);
	text[size] = '\0';
	if (length)
		*length = (size_t)size;
	return text;
}

void assert_reads_at(const char *file, int line, const char *what, const char *text, size_t length,
		     const struct idm_plan_read_options *how, const char *expected)
{
	AUTO_PLAN struct idm_plan *plan = new_plan();
	AUTO_FREE char *understood = NULL;
	struct idm_error err;

	assert_ok_at(file, line, what, idm_plan_read(plan, text, length, how, &err), &err);
	understood = plan_text(plan);
	assert_string_at(file, line, what, understood, expected);
}

static void print_error(const struct idm_error *err, char *buf, size_t size)
{
	snprintf(buf, size, "%s\n%s%s%s", err->message, *err->hint ? "hint: " : "", err->hint,
		 *err->hint ? "\n" : "");
}

void assert_unreadable_at(const char *file, int line, const char *what, const char *text, size_t length,
			  const struct idm_plan_read_options *how, int code, const char *expected)
{
	AUTO_PLAN struct idm_plan *plan = new_plan();
	char said[sizeof(struct idm_error)];
	struct idm_error err;

	assert_error_at(file, line, what, idm_plan_read(plan, text, length, how, &err), code, &err, NULL,
			NULL, NULL);
	print_error(&err, said, sizeof(said));
	assert_string_at(file, line, what, said, expected);
	assert_int_equal(plan->n, 0);
	assert_int_equal(idm_plan_read(plan, text, length, how, NULL), code);
}

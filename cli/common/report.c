// SPDX-License-Identifier: MIT
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "option-names.h"
#include "lib/base/escape.h"
#include "lib/base/mount-attr.h"
#include "oci/runtime.h"

static const char *prefix_ = "idmount";
static bool steps_;
static log_error *log_error_;
static struct oci_log log_;

void report_as(const char *prefix)
{
	prefix_ = prefix;
	steps_ = false;
}

void report_in_log(log_error *function, const struct oci_log *log)
{
	log_error_ = function;
	log_ = *log;
}

char *format_line(const char *format, va_list args)
{
	char *text, *line;
	size_t size;

	if (vasprintf(&text, format, args) < 0)
		return NULL;
	size = 4 * strlen(text) + 1;
	line = malloc(size);
	if (line)
		idm_escape(line, size, text);
	free(text);
	return line;
}

int print_line(const char *format, ...)
{
	va_list args;
	char *line;

	va_start(args, format);
	line = format_line(format, args);
	va_end(args);
	if (!line)
		return out_of_memory();
	puts(line);
	free(line);
	return DONE;
}

/* The message, and a hint or NULL. */
static void print_failure(const char *hint, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

static void print_failure(const char *hint, const char *format, va_list args)
{
	char *line = format_line(format, args);

	fflush(stdout);
	fprintf(stderr, "%s: %s\n", prefix_, line ? line : "out of memory");
	if (hint)
		fprintf(stderr, "hint: %s\n", hint);
	if (log_error_)
		log_error_(&log_, line ? line : "out of memory", hint);
	free(line);
}

static void print_with_hint(const char *hint, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void print_with_hint(const char *hint, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_failure(hint, format, args);
	va_end(args);
}

static int print_error(const char *file, const struct idm_error *err)
{
	char *text = err->hint[0] ? hint_with_options(err->hint) : NULL;
	const char *hint = text ? text : err->hint[0] ? err->hint : NULL;

	print_with_hint(hint, "%s%s%s", file, *file ? ": " : "", err->message);
	free(text);
	return FAILED;
}

int report_error(const struct idm_error *err)
{
	return print_error("", err);
}

int report_error_in(const char *file, const struct idm_error *err)
{
	return print_error(file, err);
}

int report_usage(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_failure(NULL, format, args);
	va_end(args);
	return USAGE;
}

int report_failure(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_failure(NULL, format, args);
	va_end(args);
	return FAILED;
}

int out_of_memory(void)
{
	return report_failure("out of memory");
}

static void report_remark(const char *label, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

static void report_remark(const char *label, const char *format, va_list args)
{
	char *line = format_line(format, args);

	fflush(stdout);
	fprintf(stderr, "%s: %s%s\n", prefix_, label, line ? line : "out of memory");
	free(line);
}

void report_note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	report_remark("note: ", format, args);
	va_end(args);
}

void report_steps(void)
{
	struct utsname name;

	steps_ = true;
	uname(&name);
	report_step("idmount %s, Linux %s, user %u", idm_version(), name.release, geteuid());
}

void report_step(const char *format, ...)
{
	va_list args;

	if (!steps_)
		return;
	va_start(args, format);
	report_remark("", format, args);
	va_end(args);
}

struct path_step {
	const char *what, *path;
};

static int report_mount_of_path(const struct idm_mount_info *m, void *data)
{
	const struct path_step *s = data;
	char flags[256];

	idm_describe_attr(m->attr, m->propagation, flags, sizeof(flags));
	report_step("%s %s: %s of %s (%s), at %s, %s%s", s->what, s->path, m->root, m->source, m->fstype,
		    m->target, flags, m->map_state == IDM_MAP_NONE ? "" : ", ID-mapped");
	return 0;
}

void report_path_step(const char *what, const char *path)
{
	struct path_step s = { what, path };
	struct idm_error err;

	if (steps_ && idm_list_path(AT_FDCWD, path, 0, report_mount_of_path, &s, &err) < 0)
		report_step("%s", err.message);
}

int finish_output(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	fprintf(stderr, "%s: standard output: write: %s\n", prefix_, strerror(errno));
	return FAILED;
}

// SPDX-License-Identifier: MIT
#include "report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "option-names.h"
#include "lib/base/escape.h"

static const char *prefix_ = "idmount";

void report_as(const char *prefix)
{
	prefix_ = prefix;
}

/*
 * Prints one line, whatever bytes the quoted arguments and paths have. As in the library's messages,
 * control characters could forge another line, or control the terminal.
 */
static char *one_line(const char *format, va_list args) __attribute__((format(printf, 1, 0)));

static char *one_line(const char *format, va_list args)
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
	line = one_line(format, args);
	va_end(args);
	if (!line)
		return out_of_memory();
	puts(line);
	free(line);
	return DONE;
}

static void print_message(const char *kind, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

static void print_message(const char *kind, const char *format, va_list args)
{
	char *line = one_line(format, args);

	fflush(stdout);
	fprintf(stderr, "%s: %s%s\n", prefix_, kind, line ? line : "out of memory");
	free(line);
}

static void print_hint(const char *hint)
{
	char *text = hint_with_options(hint);

	fprintf(stderr, "hint: %s\n", text ? text : hint);
	free(text);
}

static int print_error(const char *file, const struct idm_error *err)
{
	report_failure("%s%s%s", file, *file ? ": " : "", err->message);
	if (err->hint[0])
		print_hint(err->hint);
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
	print_message("", format, args);
	va_end(args);
	return USAGE;
}

int report_failure(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_message("", format, args);
	va_end(args);
	return FAILED;
}

int out_of_memory(void)
{
	return report_failure("out of memory");
}

void report_note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_message("note: ", format, args);
	va_end(args);
}

int finish_output(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	fprintf(stderr, "%s: standard output: write: %s\n", prefix_, strerror(errno));
	return FAILED;
}

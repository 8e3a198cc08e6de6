// SPDX-License-Identifier: MIT
#include "report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *prefix_ = "idmount";

void report_as(const char *prefix)
{
	prefix_ = prefix;
}

/*
 * One line, whatever is in the words and paths that it quotes: as in the library's messages, control
 * characters could forge another one, or talk to the terminal.
 */
static void put_line(FILE *out, const char *beginning, const char *format, va_list args)
	__attribute__((format(printf, 3, 0)));

static void put_line(FILE *out, const char *beginning, const char *format, va_list args)
{
	char *line;

	if (vasprintf(&line, format, args) < 0)
		line = NULL;
	for (char *c = line; c && *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	fprintf(out, "%s%s\n", beginning, line ? line : "out of memory");
	free(line);
}

void print_line(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put_line(stdout, "", format, args);
	va_end(args);
}

static void say(const char *kind, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

static void say(const char *kind, const char *format, va_list args)
{
	char beginning[128];

	fflush(stdout);
	snprintf(beginning, sizeof(beginning), "%s: %s", prefix_, kind);
	put_line(stderr, beginning, format, args);
}

static int print_error(const char *file, const struct idm_error *err)
{
	report_failure("%s%s%s", file, *file ? ": " : "", err->message);
	if (err->hint[0])
		fprintf(stderr, "hint: %s\n", err->hint);
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
	say("", format, args);
	va_end(args);
	return USAGE;
}

int report_failure(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say("", format, args);
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
	say("note: ", format, args);
	va_end(args);
}

int finish_output(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	fprintf(stderr, "%s: standard output: write: %s\n", prefix_, strerror(errno));
	return FAILED;
}

// SPDX-License-Identifier: MIT
#include "report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *prefix_ = "idmount";

void report_as(const char *prefix)
{
	prefix_ = prefix;
}

static int print_error(const char *file, const struct idm_error *err)
{
	fflush(stdout);
	fprintf(stderr, "%s: %s%s%s\n", prefix_, file, *file ? ": " : "", err->message);
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

static void say(const char *kind, const char *format, va_list args)
{
	fflush(stdout);
	fprintf(stderr, "%s: %s", prefix_, kind);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
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

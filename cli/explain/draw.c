// SPDX-License-Identifier: MIT
#include "draw.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/common/columns.h"
#include "cli/common/report.h"

static bool has_marks(void)
{
	return isatty(STDOUT_FILENO) && use_utf8();
}

static const char *mark_text(enum mark mark)
{
	static const char *const marks[] = {
		[MARK_NONE] = "  ",    [MARK_COMMAND] = "  ",	   [MARK_STEP] = "● ",
		[MARK_MORE] = "│ ",    [MARK_MORE_COMMAND] = "│ ", [MARK_ALLOWED] = "✔ ",
		[MARK_REFUSED] = "✘ ", [MARK_UNKNOWN] = "? ",
	};

	return has_marks() ? marks[mark] : marks[MARK_NONE];
}

static const char *mark_colour(enum mark mark)
{
	static const char *const colours[] = {
		[MARK_ALLOWED] = "\033[32m", /* green */
		[MARK_REFUSED] = "\033[31m", /* red */
		[MARK_UNKNOWN] = "\033[33m", /* yellow */
	};

	return mark >= MARK_ALLOWED && has_marks() && use_colours() ? colours[mark] : "";
}

/* A word such as "process", or the blanks in its place. */
#define LABEL_WIDTH 9
#define MARK_WIDTH 2

static void print_text(enum mark mark, const char *text)
{
	bool continues = mark == MARK_STEP || mark == MARK_MORE;

	if (mark == MARK_COMMAND || mark == MARK_MORE_COMMAND)
		puts(text);
	else
		print_folded_line(text, MARK_WIDTH, mark_text(continues ? MARK_MORE : MARK_NONE),
				  LABEL_WIDTH);
}

void print_row(enum mark mark, const char *format, ...)
{
	const char *colour = mark_colour(mark);
	va_list args;
	char *text;

	va_start(args, format);
	text = format_line(format, args);
	va_end(args);
	if (!text) {
		out_of_memory();
		return;
	}
	printf("%s%s%s", colour, mark_text(mark), *colour ? "\033[0m" : "");
	print_text(mark, text);
	free(text);
}

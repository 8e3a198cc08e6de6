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
		[MARK_NONE] = "  ",    [MARK_STEP] = "● ",    [MARK_MORE] = "│ ",
		[MARK_ALLOWED] = "✔ ", [MARK_REFUSED] = "✘ ", [MARK_UNKNOWN] = "? ",
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

void print_row(enum mark mark, const char *format, ...)
{
	const char *colour = mark_colour(mark);
	va_list args;
	char *text;
	int n;

	va_start(args, format);
	n = vasprintf(&text, format, args);
	va_end(args);
	if (n < 0) {
		out_of_memory();
		return;
	}
	printf("%s%s%s", colour, mark_text(mark), *colour ? "\033[0m" : "");
	print_line("%s", text);
	free(text);
}

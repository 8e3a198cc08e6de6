/* SPDX-License-Identifier: MIT */
/* The lines of a path. On a terminal with UTF-8, a mark before each draws the way to the verdict. */
#ifndef IDM_CLI_EXPLAIN_DRAW_H
#define IDM_CLI_EXPLAIN_DRAW_H

enum mark {
	MARK_NONE,	   /* a note, or more about a verdict */
	MARK_COMMAND,	   /* as MARK_NONE; to paste, so it stays one line */
	MARK_MORE,	   /* continues a step */
	MARK_MORE_COMMAND, /* as MARK_MORE; to paste */
	MARK_STEP,
	MARK_ALLOWED,
	MARK_REFUSED,
	MARK_UNKNOWN
};

/*
 * As print_line(), behind the mark, or behind two blanks. On a terminal, text is broken into lines at
 * blanks.
 */
__attribute__((format(printf, 2, 3))) void print_row(enum mark mark, const char *format, ...);

#endif

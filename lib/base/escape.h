/* SPDX-License-Identifier: MIT */
/*
 * Names are bytes that others chose. Where they are shown, none of them may reach the terminal as a
 * command, break a line, or change the order in which a line is read.
 */
#ifndef IDM_BASE_ESCAPE_H
#define IDM_BASE_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>

/* The length of the UTF-8 character at p, of which n bytes are there; 0: not UTF-8, or cut off. */
unsigned int idm_utf8_length(const char *p, size_t n);

bool idm_is_utf8(const char *text);

/* The length of the character at p if it may be shown as it is; 0: not, and is the next byte's octal. */
unsigned int idm_printable_length(const char *p, size_t n);

/*
 * Copies the text into `size` bytes. Each byte of what may not be shown is written in octal, as in
 * /proc/self/mountinfo: "\033". Backslashes stay, so that a text may go through this twice. What does
 * not fit ends in "...", behind a whole character.
 */
void idm_escape(char *to, size_t size, const char *text);

#endif

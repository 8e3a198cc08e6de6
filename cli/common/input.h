/* SPDX-License-Identifier: MIT */
/* Files that the caller names, or standard input. */
#ifndef IDM_CLI_COMMON_INPUT_H
#define IDM_CLI_COMMON_INPUT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * is_input() returns whether the file is standard input ("-"). input_name() returns its name in
 * messages.
 */
bool is_input(const char *file);
const char *input_name(const char *file);

/*
 * Reads the whole file. *text is the caller's to free if that returns DONE. FAILED has been reported:
 * also a file that is larger than the JSON reader accepts.
 */
int read_file(const char *file, char **text, size_t *length);

/*
 * The two parts of that. load_file() returns 0 or -errno, and reports nothing. report_unread_file()
 * returns FAILED.
 */
int load_file(const char *file, char **text, size_t *length);
int report_unread_file(const char *file, int code);

#endif

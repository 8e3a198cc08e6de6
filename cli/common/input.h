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

#endif

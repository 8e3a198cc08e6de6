/* SPDX-License-Identifier: MIT */
/* Commands of a shell, as text. */
#ifndef IDM_CLI_EXPLAIN_CURE_TEXT_H
#define IDM_CLI_EXPLAIN_CURE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Whether the text is there as a whole. */
__attribute__((format(printf, 3, 4))) bool write_cure(char *text, size_t size, const char *format, ...);

/* As one word of a shell. */
bool quote_word(const char *path, char *word, size_t size);

#endif

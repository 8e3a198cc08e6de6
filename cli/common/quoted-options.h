/* SPDX-License-Identifier: MIT */
/* Lists of options with quotes, as mount(8) and container engines pass them. */
#ifndef IDM_CLI_COMMON_QUOTED_OPTIONS_H
#define IDM_CLI_COMMON_QUOTED_OPTIONS_H

#include <stdbool.h>

/* Quotes keep commas together. An unclosed quote would include the rest of the list. */
bool quotes_are_closed(const char *list);

/*
 * Cuts the next option off a list, in place; returns NULL at the end. An option reaches up to a comma
 * that is not inside double quotes. The quotes are removed.
 */
char *cut_quoted_option(char **list);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Translates the library's own names to the words of the reader: an option of the command, or a word
 * behind mount(8)'s -o.
 */
#ifndef IDM_CLI_COMMON_FRONT_WORDS_H
#define IDM_CLI_COMMON_FRONT_WORDS_H

/* FRONT_RUN: --bind has words of its own. FRONT_CONTAINER: mounts are in config.json. */
enum front_kind { FRONT_COMMAND, FRONT_HELPER, FRONT_RUN, FRONT_CONTAINER, FRONTS };

/* Sets the program in front of the library; the default is the command. */
void front_is(enum front_kind front);

/* A name of the library such as "IDM_ATTACH_MKDIR", as an option here. */
const char *front_word(const char *name);

/* A copy of a hint, with all such names in it replaced; NULL: no memory. */
char *front_hint(const char *hint);

#endif

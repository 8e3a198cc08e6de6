/* SPDX-License-Identifier: MIT */
/* Translates names of the library into the options of the program in front of it. */
#ifndef IDM_CLI_COMMON_OPTION_NAMES_H
#define IDM_CLI_COMMON_OPTION_NAMES_H

/* FRONT_END_RUN: --bind has its own options. FRONT_END_CONTAINER: mounts are in config.json. */
enum front_end { FRONT_END_COMMAND, FRONT_END_HELPER, FRONT_END_RUN, FRONT_END_CONTAINER, FRONT_ENDS };

/* Sets the program in front of the library; the default is the command. */
void set_front_end(enum front_end front);

/* Returns the option for a name of the library such as "IDM_ATTACH_MKDIR". */
const char *option_name(const char *name);

/* Returns a copy of a hint with all such names replaced, or NULL without memory. */
char *hint_with_options(const char *hint);

#endif

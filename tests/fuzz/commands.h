/* SPDX-License-Identifier: MIT */
/* Functions for the targets of both programs, which run without effects. */
#ifndef COMMANDS_H
#define COMMANDS_H

#include "fuzz.h"

/* Returns the `first` arguments and one for each line, then NULL. Free them by free_arguments(). */
char **arguments_of(const char *const *first, const uint8_t *data, size_t size, int *argc);
void free_arguments(char **argv);

/*
 * Runs a main() with the arguments. Its standard error has to be whole lines of printable text, at most
 * `most` of them, except for steps of -v. Each line begins with `name`, or is a hint. With a status
 * other than 0 the program has to print a message. Returns the status.
 */
int run_main(int (*program)(int argc, char **argv), const char *name, size_t most, int argc,
	     char **argv);

#endif

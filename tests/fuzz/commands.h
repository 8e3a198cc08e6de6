/* SPDX-License-Identifier: MIT */
/* What the two programs have in common, up to where they would do something. */
#ifndef COMMANDS_H
#define COMMANDS_H

#include "fuzz.h"

/* An argument a line, behind those that are given; ends with NULL, to free_arguments(). */
char **arguments_of(const char *const *first, const uint8_t *data, size_t size, int *argc);
void free_arguments(char **argv);

/*
 * Runs a main() with them. What it prints on standard error has to be whole lines of printable text that
 * begin with `name` or are a hint, and no more than `most` of them. With a status other than 0 something
 * has to be said. Returns the status.
 */
int run_main(int (*program)(int argc, char **argv), const char *name, size_t most, int argc,
	     char **argv);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef SLURP_H
#define SLURP_H

#include <stdbool.h>
#include <stddef.h>

/* One byte more than the library takes, so that it can say so. */
#define MOST_BYTES ((16UL << 20) + 1)

/*
 * All of a file, or the first MOST_BYTES of it, in *text, which is NULL at first and the caller's to
 * free whatever comes back; false with errno set.
 */
bool slurp(int fd, char **text, size_t *length);

/* Whether the file is standard input ("-"); what it is called in messages. */
bool is_input(const char *file);
const char *input_name(const char *file);

/* The same of a file by its name, which the caller frees if it is DONE. FAILED has been reported. */
int read_file(const char *file, char **text, size_t *length);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef SLURP_H
#define SLURP_H

#include <stdbool.h>
#include <stddef.h>

/* One byte more than the library takes, so that it can say so. */
#define MOST_BYTES ((16UL << 20) + 1)

/*
 * All of a file, or the first MOST_BYTES of it, in *text, which is NULL at first and the caller's to free
 * whatever comes back; false with errno set.
 */
bool slurp(int fd, char **text, size_t *length);

#endif

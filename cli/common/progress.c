// SPDX-License-Identifier: MIT
#include "progress.h"

#include <stdio.h>
#include <unistd.h>

/* Fewer are done before a user could read the line. */
#define MUCH 64

int show_progress(size_t done, size_t all, void *noun)
{
	if (all <= MUCH || !isatty(STDERR_FILENO))
		return 0;
	fprintf(stderr, "\r%s %zu of %zu", (const char *)noun, done, all);
	if (done == all)
		fprintf(stderr, "\r\033[K");
	return 0;
}

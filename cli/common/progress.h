/* SPDX-License-Identifier: MIT */
/* A line that shows how far something has got; on terminals, when there is much to do. */
#ifndef IDM_CLI_COMMON_PROGRESS_H
#define IDM_CLI_COMMON_PROGRESS_H

#include <stddef.h>

/* A callback of the library; `noun` (const char *) is what is counted. */
void show_progress(size_t done, size_t all, void *noun);

#endif

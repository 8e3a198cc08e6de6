/* SPDX-License-Identifier: MIT */
/*
 * A line that shows the progress of an operation; on terminals only, and only when much is to be done.
 */
#ifndef IDM_CLI_COMMON_PROGRESS_H
#define IDM_CLI_COMMON_PROGRESS_H

#include <stddef.h>

/* A callback of the library; `noun` (const char *) names the counted things. */
int show_progress(size_t done, size_t all, void *noun);

#endif

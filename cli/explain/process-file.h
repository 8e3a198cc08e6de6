/* SPDX-License-Identifier: MIT */
#ifndef IDM_CLI_EXPLAIN_PROCESS_FILE_H
#define IDM_CLI_EXPLAIN_PROCESS_FILE_H

#include <sys/types.h>

/* Opens a file below /proc/PID; 0: of the caller. `flags` are those of open(2). Returns -1 with errno. */
int open_process_file(pid_t pid, const char *name, int flags);

#endif

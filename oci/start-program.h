/* SPDX-License-Identifier: MIT */
/* Programs whose output answers a question. Their errors are discarded. */
#ifndef IDM_OCI_START_PROGRAM_H
#define IDM_OCI_START_PROGRAM_H

#include <sys/types.h>

/* Starts a program of PATH, or of a path, which writes to `out`. Returns 0 or a negative errno. */
int start_program_to(const char *const argv[], int out, pid_t *pid);

/* Waits for its exit. Returns the exit status, or -1 if a signal killed it. */
int wait_for_program(pid_t pid);

#endif

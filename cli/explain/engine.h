/* SPDX-License-Identifier: MIT */
/* Questions to container engines, whose answers are what a command of theirs prints. */
#ifndef IDM_CLI_EXPLAIN_ENGINE_H
#define IDM_CLI_EXPLAIN_ENGINE_H

#include <stddef.h>

#define ENGINE_MS 10000 /* an engine that does not answer until then is killed */

/*
 * Runs an engine, and writes what it prints. Its standard error is `errors`, or nowhere: -1. Returns 1,
 * 0 for a failure, or -ETIMEDOUT.
 */
int run_engine(const char *const *argv, int errors, char *text, size_t size);

#define COMPLAINT_MOST 256

/* For `errors` of run_engine(): a file, or -1. */
int open_messages(void);

/*
 * Writes why an engine failed, as "; podman says: REASON", if the reason is not that it lacks the
 * container. The complaint of an engine before stays.
 */
void note_complaint(const char *engine, int messages, char text[COMPLAINT_MOST]);

#endif

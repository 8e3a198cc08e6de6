/* SPDX-License-Identifier: MIT */
/* The command's messages to people, and its exit status. */
#ifndef IDM_CLI_COMMON_REPORT_H
#define IDM_CLI_COMMON_REPORT_H

#include <stdarg.h>

#include "idmount.h"

struct oci_log;
typedef void log_error(const struct oci_log *log, const char *message, const char *hint);

enum { DONE = 0, FAILED = 1, USAGE = 2 };

/* The prefix of every message: "idmount: mount". The string is kept. No steps are reported any more. */
void report_as(const char *prefix);

/*
 * Adds each error to that log of a runtime, too. The function is oci_log_error(), which the mount helper
 * lacks.
 */
void report_in_log(log_error *function, const struct oci_log *log);

/* Prints one line, and a second one if a hint exists. Returns FAILED. */
int report_error(const struct idm_error *err);

/* The same about the contents of a file. */
int report_error_in(const char *file, const struct idm_error *err);

/* "prefix: message", for wrong usage. Returns USAGE. */
int report_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same for a failure without an idm_error. Returns FAILED. */
int report_failure(const char *format, ...) __attribute__((format(printf, 1, 2)));
int out_of_memory(void);

/* "prefix: note: message" */
void report_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* -v: the next report_step() are printed, the first is about this program, the kernel and the caller. */
void report_steps(void);

/* "prefix: message" on standard error, after report_steps(). Tells a done step in a bug report. */
void report_step(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A step about the mount that holds a path. */
void report_path_step(const char *what, const char *path);

/*
 * Returns one line, whatever bytes the quoted arguments and paths have, or NULL: no memory. As in the
 * library's messages, control characters could forge another line, or control the terminal.
 */
char *format_line(const char *format, va_list args) __attribute__((format(printf, 1, 0)));

/* A line on standard output, as printable as the messages: DONE, or FAILED with a message. */
int print_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Flushes the output. Returns `status`, or FAILED with a message if standard output failed. */
int finish_output(int status);

#endif

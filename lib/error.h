/* SPDX-License-Identifier: MIT */
#ifndef IDM_ERROR_H
#define IDM_ERROR_H

#include "idmount.h"

/*
 * Fills in *err (may be NULL) and returns `code`, a negative errno, so that a failing function ends in
 * one statement. `subject` may be NULL. `reason` is a printf format; NULL stands for the errno's text.
 */
int idm_fail(struct idm_error *err, int code, const char *step, const char *subject, const char *reason,
	     ...) __attribute__((format(printf, 5, 6)));

#ifndef __cppcheck__ /* which does not know such expressions */
/* So that whoever analyses the code file by file sees that what goes in comes out. */
#define idm_fail(err, code, ...)                   \
	({                                         \
		int code_ = (code);                \
		idm_fail(err, code_, __VA_ARGS__); \
		code_;                             \
	})
#endif

/* Names the subject of an error that has none. */
void idm_subject(struct idm_error *err, const char *subject);

/* Adds the hint to an error that idm_fail() has filled in. */
void idm_hint(struct idm_error *err, const char *hint, ...) __attribute__((format(printf, 2, 3)));

/* What an errno says, and its name (EPERM), in no locale; NULL: it is none. */
const char *idm_errno_text(int errnum);
const char *idm_errno_name(int errnum);

/* Adds the kernel's own words. */
void idm_kernel_words(struct idm_error *err, const char *words);

#endif

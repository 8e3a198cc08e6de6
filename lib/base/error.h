/* SPDX-License-Identifier: MIT */
#ifndef IDM_BASE_ERROR_H
#define IDM_BASE_ERROR_H

#include "idmount.h"

/* Steps of the command alone. No number of the library's own gets here. */
#define IDM_STEP_COMMAND 0x10000U
#define IDM_STEP_OPEN_SOURCE ((enum idm_error_step)(IDM_STEP_COMMAND + 0))
#define IDM_STEP_JUDGE_ANNOTATION ((enum idm_error_step)(IDM_STEP_COMMAND + 1))
#define IDM_STEP_ENTER_CONTAINER ((enum idm_error_step)(IDM_STEP_COMMAND + 2))
#define IDM_STEP_ATTACH_IN_CONTAINER ((enum idm_error_step)(IDM_STEP_COMMAND + 3))
#define IDM_STEP_READ_POLICY ((enum idm_error_step)(IDM_STEP_COMMAND + 4))
#define IDM_STEP_READ_STATE ((enum idm_error_step)(IDM_STEP_COMMAND + 5))
#define IDM_STEP_PREPARE_BUNDLE ((enum idm_error_step)(IDM_STEP_COMMAND + 6))
#define IDM_STEP_ASK_FOR_FEATURES ((enum idm_error_step)(IDM_STEP_COMMAND + 7))
#define IDM_STEP_PRINT_JSON ((enum idm_error_step)(IDM_STEP_COMMAND + 8))

/*
 * Fills in *err, which may be NULL, and returns `code`, a negative errno. So a failing function ends in
 * one statement. `subject` may be NULL. `reason` is a printf format. Where the errno is all that is
 * known, use idm_fail_errno() in sys/fail-errno.h.
 */
int idm_fail(struct idm_error *err, int code, enum idm_error_step step, const char *subject,
	     const char *reason, ...) __attribute__((format(printf, 5, 6)));

#ifndef __cppcheck__ /* which does not know such expressions */
/* So that an analyzer that reads one file at a time sees that `code` is returned. */
#define idm_fail(err, code, ...)                   \
	({                                         \
		int code_ = (code);                \
		idm_fail(err, code_, __VA_ARGS__); \
		code_;                             \
	})
#endif

/* The most that each of them has, with a final NUL; they fit into one message together. */
#define IDM_SUBJECT_SIZE 512
#define IDM_REASON_SIZE 512
#define IDM_KERNEL_SIZE 160

/* The two arguments of "%.*s" for a part of the message: IDM_PART(err, subject). */
#define IDM_PART(err, part) (int)(err)->part.length, (err)->message + (err)->part.start

/* Fails with -ENOENT: an empty path, and no flag that asks for the directory itself. */
int idm_fail_empty(struct idm_error *err, enum idm_error_step step);

/* Fails with -EBUSY: the mount at this path is in use. The hint names the path, too. */
int idm_fail_busy_mount(struct idm_error *err, const char *target);

/* Names the subject of an error that has none. */
void idm_subject(struct idm_error *err, const char *subject);

/* Adds the hint to an error that idm_fail() has filled in. */
void idm_hint(struct idm_error *err, const char *hint, ...) __attribute__((format(printf, 2, 3)));

/* What an errno says, and its name (EPERM), in no locale. NULL: an unknown number. */
const char *idm_errno_text(int errnum);
const char *idm_errno_name(int errnum);

/* Adds the kernel's own words. */
void idm_kernel_log(struct idm_error *err, const char *words);

#endif

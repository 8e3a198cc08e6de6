// SPDX-License-Identifier: MIT
/* One way to report: -errno for programs, struct idm_error for people. */
#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "util.h"

/* Marks a text that did not fit, so that nobody takes half a path for the whole. */
static void mark_cut(char *buf, size_t size, int length)
{
	if (length >= 0 && (size_t)length >= size)
		memcpy(buf + size - 4, "...", 4);
}

/* Control characters in a path or map would let it forge lines in a log. */
static void make_printable(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = '?';
}

static void put(char *buf, size_t size, const char *format, va_list args)
{
	mark_cut(buf, size, vsnprintf(buf, size, format, args));
	make_printable(buf);
}

static void put_subject(struct idm_error *err, const char *subject)
{
	mark_cut(err->subject, sizeof(err->subject),
		 snprintf(err->subject, sizeof(err->subject), "%s", subject));
	make_printable(err->subject);
}

/* "subject: step: reason (kernel: words)" */
static void compose_message(struct idm_error *err)
{
	bool subject = err->subject[0], kernel = err->kernel[0];
	int n = snprintf(err->message, sizeof(err->message), "%s%s%s: %s%s%s%s", err->subject,
			 subject ? ": " : "", err->step, err->reason, kernel ? " (kernel: " : "",
			 err->kernel, kernel ? ")" : "");

	mark_cut(err->message, sizeof(err->message), n);
}

int(idm_fail)(struct idm_error *err, int code, const char *step, const char *subject, const char *reason,
	      ...)
{
	va_list args;

	if (!err)
		return code;

	err->errnum = -code;
	err->kernel[0] = '\0';
	err->hint[0] = '\0';
	mark_cut(err->step, sizeof(err->step), snprintf(err->step, sizeof(err->step), "%s", step));
	put_subject(err, subject ? subject : "");
	if (reason) {
		va_start(args, reason);
		put(err->reason, sizeof(err->reason), reason, args);
		va_end(args);
	} else {
		const char *text = idm_errno_text(-code);

		snprintf(err->reason, sizeof(err->reason), "%s", text ? text : "unknown error");
	}
	compose_message(err);
	return code;
}

void idm_subject(struct idm_error *err, const char *subject)
{
	if (!err || err->subject[0])
		return;
	put_subject(err, subject);
	compose_message(err);
}

void idm_hint(struct idm_error *err, const char *hint, ...)
{
	va_list args;

	if (!err)
		return;
	va_start(args, hint);
	put(err->hint, sizeof(err->hint), hint, args);
	va_end(args);
}

void idm_kernel_words(struct idm_error *err, const char *words)
{
	if (!err)
		return;
	mark_cut(err->kernel, sizeof(err->kernel),
		 snprintf(err->kernel, sizeof(err->kernel), "%s", words));
	make_printable(err->kernel);
	compose_message(err);
}

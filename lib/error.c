// SPDX-License-Identifier: MIT
/* One way to report: -errno for programs, struct idm_error for people. */
#include "error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "kernel.h"
#include "printable.h"
#include "seccomp-probe.h"

/* Control characters in a path or map would let it forge lines in a log, or talk to the terminal. */
static void put(char *buf, size_t size, const char *format, va_list args)
{
	char text[sizeof(((struct idm_error *)NULL)->reason) +
		  1]; /* one more: a cut is seen, and marked */

	if (vsnprintf(text, sizeof(text), format, args) < 0)
		text[0] = '\0';
	idm_printable(buf, size, text);
}

/* "subject: step: reason (kernel: words)" */
static void compose_message(struct idm_error *err)
{
	bool subject = err->subject[0], kernel = err->kernel[0];
	char text[sizeof(*err)];

	snprintf(text, sizeof(text), "%s%s%s: %s%s%s%s", err->subject, subject ? ": " : "",
		 idm_error_step_text(err->step), err->reason, kernel ? " (kernel: " : "", err->kernel,
		 kernel ? ")" : "");
	idm_printable(err->message, sizeof(err->message), text);
}

/* An errno that names a limit, but not which: say it, and where it is now. */
static void hint_limit(struct idm_error *err, int code)
{
	if (code == -EMFILE)
		idm_hint(err, "RLIMIT_NOFILE (ulimit -n) is %llu descriptors",
			 (unsigned long long)idm_sys_limit(RLIMIT_NOFILE));
	else if (code == -EFBIG)
		idm_hint(err, "RLIMIT_FSIZE is %llu bytes; it also limits files in memory",
			 (unsigned long long)idm_sys_limit(RLIMIT_FSIZE));
}

/* EPERM and ENOSYS can be a seccomp filter's words. */
static void say_errno(struct idm_error *err, int code)
{
	const char *text = idm_errno_text(-code);
	const char *call = code == -EPERM || code == -ENOSYS ? idm_refused_call() : NULL;

	if (call)
		snprintf(err->reason, sizeof(err->reason), "a seccomp filter refuses %s(2)", call);
	else
		snprintf(err->reason, sizeof(err->reason), "%s", text ? text : "unknown error");
	if (call)
		idm_hint(err, "let the seccomp profile of the container or service allow %s", call);
	hint_limit(err, code);
}

int(idm_fail)(struct idm_error *err, int code, enum idm_error_step step, const char *subject,
	      const char *reason, ...)
{
	va_list args;

	if (!err)
		return code;

	err->errnum = -code;
	err->kernel[0] = '\0';
	err->hint[0] = '\0';
	err->step = step;
	idm_printable(err->subject, sizeof(err->subject), subject ? subject : "");
	if (reason) {
		va_start(args, reason);
		put(err->reason, sizeof(err->reason), reason, args);
		va_end(args);
	} else {
		say_errno(err, code);
	}
	compose_message(err);
	return code;
}

void idm_subject(struct idm_error *err, const char *subject)
{
	if (!err || err->subject[0])
		return;
	idm_printable(err->subject, sizeof(err->subject), subject);
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
	idm_printable(err->kernel, sizeof(err->kernel), words);
	compose_message(err);
}

// SPDX-License-Identifier: MIT
/* One way to report: -errno for programs, struct idm_error for people. */
#include "error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "escape.h"

/* What a message is made of. */
struct words {
	char subject[IDM_SUBJECT_SIZE];
	char reason[IDM_REASON_SIZE];
	char kernel[IDM_KERNEL_SIZE];
};

/* The longest step has to fit as well, with what is between the parts; a subject keeps some of its own.
 */
#define LONGEST_STEP 48
#define SHORTEST_SUBJECT 100
_Static_assert(SHORTEST_SUBJECT + LONGEST_STEP + IDM_REASON_SIZE + IDM_KERNEL_SIZE +
			       sizeof(": :  (kernel: )") <=
		       sizeof(((struct idm_error *)NULL)->message),
	       "the reason and the kernel's words fit into every message");

/* Control characters in a path or map would let it forge lines in a log, or talk to the terminal. */
static void format_escaped(char *buf, size_t size, const char *format, va_list args)
{
	char text[IDM_REASON_SIZE + 1]; /* one more: a cut is seen, and marked */

	if (vsnprintf(text, sizeof(text), format, args) < 0)
		text[0] = '\0';
	idm_escape(buf, size, text);
}

/* ---- the message ---- */

size_t idm_error_part(const struct idm_error *err, struct idm_error_range part, char *buf, size_t size)
{
	/* A range that is not of this error must not lead past the message. */
	size_t start = part.start < sizeof(err->message) ? part.start : sizeof(err->message);
	size_t length = strnlen(err->message + start, sizeof(err->message) - start);
	size_t copied;

	if (length > part.length)
		length = part.length;
	copied = length < size ? length : size - 1;
	if (size && buf) {
		memcpy(buf, err->message + start, copied);
		buf[copied] = '\0';
	}
	return length;
}

static struct idm_error_range append_part(struct idm_error *err, const char *before, const char *text,
					  const char *behind)
{
	size_t n = strlen(err->message);

	if (!*text)
		return (struct idm_error_range){ 0, 0 };
	snprintf(err->message + n, sizeof(err->message) - n, "%s%s%s", before, text, behind);
	return (struct idm_error_range){ (uint16_t)(n + strlen(before)), (uint16_t)strlen(text) };
}

/* "subject: step: reason (kernel: words)". Only the subject is cut to fit. */
static void compose_message(struct idm_error *err, const struct words *words)
{
	const char *step = idm_error_step_text(err->step);
	size_t others = strlen(step) + strlen(words->reason) + strlen(words->kernel) +
			(*words->kernel ? strlen(": :  (kernel: )") : strlen(": : "));
	char subject[IDM_SUBJECT_SIZE];
	size_t space = sizeof(err->message) - others;

	idm_escape(subject, space < sizeof(subject) ? space : sizeof(subject), words->subject);
	err->message[0] = '\0';
	err->subject = append_part(err, "", subject, ": ");
	append_part(err, "", step, ": ");
	err->reason = append_part(err, "", words->reason, "");
	err->kernel = append_part(err, " (kernel: ", words->kernel, ")");
}

static void split_message(const struct idm_error *err, struct words *words)
{
	idm_error_part(err, err->subject, words->subject, sizeof(words->subject));
	idm_error_part(err, err->reason, words->reason, sizeof(words->reason));
	idm_error_part(err, err->kernel, words->kernel, sizeof(words->kernel));
}

/* ---- what is said ---- */

int(idm_fail)(struct idm_error *err, int code, enum idm_error_step step, const char *subject,
	      const char *reason, ...)
{
	struct words words;
	va_list args;

	if (!err)
		return code;

	err->errnum = -code;
	err->step = step;
	err->hint[0] = '\0';
	words.kernel[0] = '\0';
	idm_escape(words.subject, sizeof(words.subject), subject ? subject : "");
	va_start(args, reason);
	format_escaped(words.reason, sizeof(words.reason), reason, args);
	va_end(args);
	compose_message(err, &words);
	return code;
}

void idm_subject(struct idm_error *err, const char *subject)
{
	struct words words;

	if (!err || err->subject.length)
		return;
	split_message(err, &words);
	idm_escape(words.subject, sizeof(words.subject), subject);
	compose_message(err, &words);
}

void idm_hint(struct idm_error *err, const char *hint, ...)
{
	va_list args;

	if (!err)
		return;
	va_start(args, hint);
	format_escaped(err->hint, sizeof(err->hint), hint, args);
	va_end(args);
}

void idm_kernel_log(struct idm_error *err, const char *text)
{
	struct words words;

	if (!err)
		return;
	split_message(err, &words);
	idm_escape(words.kernel, sizeof(words.kernel), text);
	compose_message(err, &words);
}

int idm_fail_empty(struct idm_error *err, enum idm_error_step step)
{
	return idm_fail(err, -ENOENT, step, NULL, "the path is empty");
}

int idm_fail_busy_mount(struct idm_error *err, const char *target)
{
	idm_fail(err, -EBUSY, IDM_STEP_UNMOUNT, target, "the mount is in use");
	idm_hint(err,
		 "\"fuser -vm %s\" lists its users; IDM_UMOUNT_LAZY detaches it anyway, "
		 "IDM_UMOUNT_RECURSIVE unmounts those below it first",
		 target);
	return -EBUSY;
}

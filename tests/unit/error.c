// SPDX-License-Identifier: MIT
/* struct idm_error: complete strings, one line, whatever goes in. */
#include "error.h"

#include <stdio.h>
#include <stdlib.h>

#include "test.h"

TEST(message_says_subject_step_and_reason)
{
	struct idm_error err;

	memset(&err, 'x', sizeof(err));
	assert_error(idm_fail(&err, -EINVAL, "open tree", "/srv/image", "it is %d times wrong", 2),
		     -EINVAL, &err, "/srv/image", "open tree", "it is 2 times wrong");
	assert_string_equal(err.message, "/srv/image: open tree: it is 2 times wrong");
	assert_string_equal(err.kernel, "");
	assert_string_equal(err.hint, "");
}

TEST(without_subject_and_reason)
{
	struct idm_error err;

	idm_fail(&err, -ENOENT, "open tree", NULL, NULL);
	assert_string_equal(err.message, "open tree: No such file or directory");
	idm_fail(&err, -12345, "open tree", "", NULL);
	assert_string_equal(err.message, "open tree: unknown error");
}

TEST(kernel_words_and_hint_are_added)
{
	struct idm_error err;

	idm_fail(&err, -EINVAL, "make overlay", "/a", "the kernel refused");
	idm_kernel_words(&err, "overlayfs: no\nway");
	idm_hint(&err, "try %s", "harder");
	assert_string_equal(err.message,
			    "/a: make overlay: the kernel refused (kernel: overlayfs: no?way)");
	assert_string_equal(err.hint, "try harder");
}

TEST(a_subject_is_added_only_where_there_is_none)
{
	struct idm_error err;

	idm_fail(&err, -EINVAL, "step", NULL, "reason");
	idm_subject(&err, "/a\n");
	assert_string_equal(err.message, "/a?: step: reason");
	idm_subject(&err, "/b");
	assert_string_equal(err.message, "/a?: step: reason");
	idm_subject(NULL, "/a");
}

TEST(a_new_failure_replaces_all_of_the_old_one)
{
	struct idm_error err;

	idm_fail(&err, -EINVAL, "first", "/a", "old");
	idm_kernel_words(&err, "old");
	idm_hint(&err, "old");
	idm_fail(&err, -EPERM, "second", NULL, "new");
	assert_int_equal(err.errnum, EPERM);
	assert_string_equal(err.message, "second: new");
	assert_string_equal(err.kernel, "");
	assert_string_equal(err.hint, "");
}

static void assert_cut(const char *text, size_t size)
{
	assert_int_equal(strnlen(text, size), size - 1);
	assert_string_equal(text + size - 4, "...");
}

TEST(long_texts_end_in_dots)
{
	struct idm_error err;
	char text[4000];

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	idm_fail(&err, -EINVAL, text, text, "%s", text);
	idm_kernel_words(&err, text);
	idm_hint(&err, "%s", text);
	assert_cut(err.step, sizeof(err.step));
	assert_cut(err.subject, sizeof(err.subject));
	assert_cut(err.reason, sizeof(err.reason));
	assert_cut(err.kernel, sizeof(err.kernel));
	assert_cut(err.hint, sizeof(err.hint));
	assert_cut(err.message, sizeof(err.message));
}

TEST(texts_that_just_fit_are_whole)
{
	struct idm_error err;
	char text[sizeof(err.subject)];

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	idm_fail(&err, -EINVAL, "step", text, "%s", text);
	assert_string_equal(err.subject, text);
	assert_string_equal(err.reason, text);
}

TEST(control_characters_cannot_forge_a_line)
{
	struct idm_error err;

	assert_error(idm_fail(&err, -EINVAL, "step", "a\nb\x1b[2J\x7f", "c\rd\te"), -EINVAL, &err,
		     "a?b?[2J?", "step", "c?d?e");
	idm_hint(&err, "f\ng");
	assert_string_equal(err.hint, "f?g");
}

TEST(nobody_needs_to_want_words)
{
	assert_int_equal(idm_fail(NULL, -EPERM, "step", "subject", "reason"), -EPERM);
	idm_hint(NULL, "hint");
	idm_kernel_words(NULL, "words");
}

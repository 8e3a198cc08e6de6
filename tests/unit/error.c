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
	assert_error(
		idm_fail(&err, -EINVAL, IDM_STEP_OPEN_TREE, "/srv/image", "it is %d times wrong", 2),
		-EINVAL, &err, "/srv/image", "open tree", "it is 2 times wrong");
	assert_string_equal(err.message, "/srv/image: open tree: it is 2 times wrong");
	assert_string_equal(err.kernel, "");
	assert_string_equal(err.hint, "");
}

TEST(without_subject_and_reason)
{
	struct idm_error err;

	idm_fail(&err, -ENOENT, IDM_STEP_OPEN_TREE, NULL, NULL);
	assert_string_equal(err.message, "open tree: No such file or directory");
	idm_fail(&err, -12345, IDM_STEP_OPEN_TREE, "", NULL);
	assert_string_equal(err.message, "open tree: unknown error");
}

TEST(kernel_words_and_hint_are_added)
{
	struct idm_error err;

	idm_fail(&err, -EINVAL, IDM_STEP_OPEN_OVERLAY, "/a", "the kernel refused");
	idm_kernel_words(&err, "overlayfs: no\nway");
	idm_hint(&err, "try %s", "harder");
	assert_string_equal(err.message,
			    "/a: open overlay: the kernel refused (kernel: overlayfs: no\\012way)");
	assert_string_equal(err.hint, "try harder");
}

TEST(a_subject_is_added_only_where_there_is_none)
{
	struct idm_error err;

	idm_fail(&err, -EINVAL, IDM_STEP_UNDO, NULL, "reason");
	idm_subject(&err, "/a\n");
	assert_string_equal(err.message, "/a\\012: undo: reason");
	idm_subject(&err, "/b");
	assert_string_equal(err.message, "/a\\012: undo: reason");
	idm_subject(NULL, "/a");
}

TEST(a_new_failure_replaces_all_of_the_old_one)
{
	struct idm_error err;

	idm_fail(&err, -EINVAL, IDM_STEP_OPEN_TREE, "/a", "old");
	idm_kernel_words(&err, "old");
	idm_hint(&err, "old");
	idm_fail(&err, -EPERM, IDM_STEP_ATTACH, NULL, "new");
	assert_int_equal(err.errnum, EPERM);
	assert_string_equal(err.message, "attach: new");
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
	idm_fail(&err, -EINVAL, IDM_STEP_UNDO, text, "%s", text);
	idm_kernel_words(&err, text);
	idm_hint(&err, "%s", text);
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
	idm_fail(&err, -EINVAL, IDM_STEP_UNDO, text, "%s", text);
	assert_string_equal(err.subject, text);
	assert_string_equal(err.reason, text);
}

TEST(control_characters_cannot_forge_a_line)
{
	struct idm_error err;

	assert_error(idm_fail(&err, -EINVAL, IDM_STEP_UNDO, "a\nb\x1b[2J\x7f", "c\rd\te"), -EINVAL, &err,
		     "a\\012b\\033[2J\\177", "undo", "c\\015d\\011e");
	idm_hint(&err, "f\ng");
	assert_string_equal(err.hint, "f\\012g");
}

TEST(nobody_needs_to_want_words)
{
	assert_int_equal(idm_fail(NULL, -EPERM, IDM_STEP_UNDO, "subject", "reason"), -EPERM);
	idm_hint(NULL, "hint");
	idm_kernel_words(NULL, "words");
}

/* Names are bytes: a lone continuation, a cut character, a surrogate, C1's CSI, and what reorders a
 * line. */
TEST(what_is_not_to_be_shown_is_written_in_octal)
{
	static const char *const cases[][2] = {
		{ "\x9b"
		  "2J",
		  "\\2332J" },
		{ "a\xff"
		  "b",
		  "a\\377b" },
		{ "\xc3", "\\303" },
		{ "\xed\xa0\x80", "\\355\\240\\200" },
		{ "\xc2\x9b"
		  "31m",
		  "\\302\\23331m" },
		{ "\xe2\x80\xae"
		  "txt",
		  "\\342\\200\\256txt" },
		{ "\xe2\x81\xa9", "\\342\\201\\251" },
		{ "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80", "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80" },
		{ "back\\slash", "back\\slash" },
	};
	struct idm_error err;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		idm_fail(&err, -EINVAL, IDM_STEP_UNDO, cases[i][0], "%s", cases[i][0]);
		assert_string_equal(err.subject, cases[i][1]);
		assert_string_equal(err.reason, cases[i][1]);
		idm_fail(&err, -EINVAL, IDM_STEP_UNDO, cases[i][1],
			 NULL); /* a text may go through it twice */
		assert_string_equal(err.subject, cases[i][1]);
	}
}

/* No half of a character or of an escape is in front of the dots. */
TEST(a_text_is_cut_between_characters)
{
	struct idm_error err;
	char text[sizeof(err.subject) + 8];

	for (size_t blanks = 0; blanks < 8; blanks++) {
		size_t n = sizeof(text) - 1;

		memset(text, ' ', blanks);
		for (size_t i = blanks; i < n; i++)
			text[i] = (i - blanks) % 2 ? '\xa4' : '\xc3';
		text[n] = '\0';
		idm_fail(&err, -EINVAL, IDM_STEP_UNDO, text, NULL);
		assert_int_equal((strlen(err.subject) - 3 - blanks) % 2, 0);
		assert_string_equal(err.subject + strlen(err.subject) - 5, "\xc3\xa4...");
		memset(text + blanks, '\x1b', n - blanks);
		idm_fail(&err, -EINVAL, IDM_STEP_UNDO, text, NULL);
		assert_int_equal((strlen(err.subject) - 3 - blanks) % 4, 0);
		assert_string_equal(err.subject + strlen(err.subject) - 7, "\\033...");
	}
}

/* ---- steps ---- */

static void check_step(const char *name, enum idm_error_step step)
{
	const char *text = idm_error_step_text(step);

	if (!*text)
		fail_msg("%s has no text", name);
	for (unsigned int other = 1; other < step; other++)
		if (strcmp(idm_error_step_text((enum idm_error_step)other), text) == 0)
			fail_msg("the text of %s is that of step %u", name, other);
}

/* The header is read, so that a step without a text is noticed. */
TEST(every_step_has_a_text_of_its_own)
{
	char path[4096], line[512], name[64], comma[2];
	unsigned int step = 0;
	FILE *header;

	snprintf(path, sizeof(path), "%s/include/idmount.h", getenv("IDM_SOURCE_ROOT"));
	header = fopen(path, "re");
	assert_non_null(header);
	while (fgets(line, sizeof(line), header))
		if (sscanf(line, "\tIDM_STEP_%63[A-Z_]%1[,]", name, comma) == 2)
			check_step(name, (enum idm_error_step)++ step);
	fclose(header);
	assert_true(step > 50);
	assert_string_equal(idm_error_step_text((enum idm_error_step)(step + 1)), "");
}

TEST(a_step_that_is_unknown_has_an_empty_text)
{
	assert_string_equal(idm_error_step_text(IDM_STEP_NONE), "");
	assert_string_equal(idm_error_step_text((enum idm_error_step) - 1), "");
	assert_string_equal(idm_error_step_text((enum idm_error_step)1000000), "");
	assert_string_equal(idm_error_step_text(IDM_STEP_PRINT_JSON), "print JSON");
	assert_string_equal(idm_error_step_text(IDM_STEP_OPEN_SOURCE), "open source");
	assert_string_equal(idm_error_step_text((enum idm_error_step)(IDM_STEP_PRINT_JSON + 1)), "");
}

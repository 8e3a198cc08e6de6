// SPDX-License-Identifier: MIT
/* struct idm_error: complete strings and one line, for all inputs. */
#include "lib/base/error.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/sys/fail-errno.h"
#include "tests/lib/test.h"

TEST(message_says_subject_step_and_reason)
{
	struct idm_error err;

	memset(&err, 'x', sizeof(err));
	assert_error(
		idm_fail(&err, -EINVAL, IDM_STEP_OPEN_TREE, "/srv/image", "it is %d times wrong", 2),
		-EINVAL, &err, "/srv/image", "open tree", "it is 2 times wrong");
	assert_string_equal(err.message, "/srv/image: open tree: it is 2 times wrong");
	assert_string_equal(PART(err, kernel), "");
	assert_string_equal(err.hint, "");
}

TEST(without_subject_and_reason)
{
	struct idm_error err;

	idm_fail_errno(&err, -ENOENT, IDM_STEP_OPEN_TREE, NULL);
	assert_string_equal(err.message, "open tree: No such file or directory");
	idm_fail_errno(&err, -12345, IDM_STEP_OPEN_TREE, "");
	assert_string_equal(err.message, "open tree: unknown error");
}

TEST(kernel_words_and_hint_are_added)
{
	struct idm_error err;

	idm_fail(&err, -EINVAL, IDM_STEP_OPEN_OVERLAY, "/a", "the kernel refused");
	idm_kernel_log(&err, "overlayfs: no\nway");
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
	idm_kernel_log(&err, "old");
	idm_hint(&err, "old");
	idm_fail(&err, -EPERM, IDM_STEP_ATTACH, NULL, "new");
	assert_int_equal(err.errnum, EPERM);
	assert_string_equal(err.message, "attach: new");
	assert_string_equal(PART(err, kernel), "");
	assert_string_equal(err.hint, "");
}

static void assert_cut(const char *text, size_t length)
{
	assert_int_equal(strlen(text), length);
	assert_string_equal(text + length - 3, "...");
}

static void fill(char *text, size_t size, char c)
{
	memset(text, c, size - 1);
	text[size - 1] = '\0';
}

TEST(it_is_small)
{
	assert_true(sizeof(struct idm_error) <= 1331);
}

TEST(long_texts_end_in_dots)
{
	struct idm_error err;
	char text[4000];

	fill(text, sizeof(text), 'a');
	idm_fail(&err, -EINVAL, IDM_STEP_UNDO, text, "%s", text);
	idm_kernel_log(&err, text);
	idm_hint(&err, "%s", text);
	assert_cut(PART(err, reason), IDM_REASON_SIZE - 1);
	assert_cut(PART(err, kernel), IDM_KERNEL_SIZE - 1);
	assert_cut(PART(err, subject), err.subject.length);
	assert_cut(err.hint, sizeof(err.hint) - 1);
	assert_int_equal(strlen(err.message), sizeof(err.message) - 1);
	assert_string_equal(err.message + sizeof(err.message) - 5, "...)");
}

/* Only the subject is cut, for every length of it and of the reason. */
TEST(the_reason_is_never_cut)
{
	char subject[1000], reason[IDM_REASON_SIZE], kernel[IDM_KERNEL_SIZE];
	struct idm_error err;

	for (size_t n = 1; n < sizeof(subject); n += 7) {
		fill(subject, n + 1, 's');
		fill(reason, n % sizeof(reason) + 1, 'r');
		fill(kernel, n % sizeof(kernel) + 1, 'k');
		idm_fail(&err, -EINVAL, IDM_STEP_MAKE_PID_NAMESPACE_PROCESS, subject, "%s", reason);
		idm_kernel_log(&err, kernel);
		assert_string_equal(PART(err, reason), reason);
		assert_string_equal(PART(err, kernel), kernel);
		assert_true(err.subject.length >= (n < 100 ? n : 100));
		assert_true(strlen(err.message) < sizeof(err.message));
	}
}

TEST(texts_that_just_fit_are_whole)
{
	struct idm_error err;
	char subject[300], reason[IDM_REASON_SIZE];

	fill(subject, sizeof(subject), 's');
	fill(reason, sizeof(reason), 'r');
	idm_fail(&err, -EINVAL, IDM_STEP_UNDO, subject, "%s", reason);
	assert_string_equal(PART(err, subject), subject);
	assert_string_equal(PART(err, reason), reason);
}

TEST(a_part_is_copied_like_snprintf)
{
	struct idm_error err;
	char buf[8] = "before";

	idm_fail(&err, -EINVAL, IDM_STEP_UNDO, "/a", "the reason");
	assert_int_equal(idm_error_part(&err, err.reason, NULL, 0), 10);
	assert_int_equal(idm_error_part(&err, err.reason, buf, 0), 10);
	assert_string_equal(buf, "before");
	assert_int_equal(idm_error_part(&err, err.reason, buf, sizeof(buf)), 10);
	assert_string_equal(buf, "the rea");
	assert_int_equal(idm_error_part(&err, err.subject, buf, sizeof(buf)), 2);
	assert_string_equal(buf, "/a");
	assert_int_equal(idm_error_part(&err, err.kernel, buf, sizeof(buf)), 0);
	assert_string_equal(buf, "");
}

/* A range that was kept from another error, or never filled in. */
TEST(a_part_is_never_read_past_the_message)
{
	struct idm_error err;
	char buf[16];

	idm_fail(&err, -EINVAL, IDM_STEP_UNDO, "/a", "the reason");
	assert_int_equal(idm_error_part(&err, (struct idm_error_range){ 60000, 9 }, buf, sizeof(buf)),
			 0);
	assert_string_equal(buf, "");
	assert_int_equal(idm_error_part(&err, (struct idm_error_range){ 0, 65535 }, buf, sizeof(buf)),
			 strlen(err.message));
	assert_int_equal(strlen(buf), sizeof(buf) - 1);
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
	idm_kernel_log(NULL, "words");
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
		assert_string_equal(PART(err, subject), cases[i][1]);
		assert_string_equal(PART(err, reason), cases[i][1]);
		idm_fail_errno(&err, -EINVAL, IDM_STEP_UNDO,
			       cases[i][1]); /* a text may go through it twice */
		assert_string_equal(PART(err, subject), cases[i][1]);
	}
}

/* No half of a character or of an escape is in front of the dots. */
TEST(a_text_is_cut_between_characters)
{
	struct idm_error err;
	char text[IDM_SUBJECT_SIZE + 8];

	for (size_t blanks = 0; blanks < 8; blanks++) {
		size_t n = sizeof(text) - 1;

		memset(text, ' ', blanks);
		for (size_t i = blanks; i < n; i++)
			text[i] = (i - blanks) % 2 ? '\xa4' : '\xc3';
		text[n] = '\0';
		idm_fail_errno(&err, -EINVAL, IDM_STEP_UNDO, text);
		assert_int_equal((err.subject.length - 3 - blanks) % 2, 0);
		assert_string_equal(PART(err, subject) + err.subject.length - 5, "\xc3\xa4...");
		memset(text + blanks, '\x1b', n - blanks);
		idm_fail_errno(&err, -EINVAL, IDM_STEP_UNDO, text);
		assert_int_equal((err.subject.length - 3 - blanks) % 4, 0);
		assert_string_equal(PART(err, subject) + err.subject.length - 7, "\\033...");
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

/* ---- cleanup ---- */

TEST(variables_release_what_they_hold)
{
	int closed;

	{
		__attribute__((cleanup(idm_map_freep))) struct idm_map *map = NULL, *none = NULL;
		__attribute__((cleanup(idm_plan_freep))) struct idm_plan *plan = NULL;
		__attribute__((cleanup(idm_userns_cache_freep))) struct idm_userns_cache *cache = NULL;
		__attribute__((cleanup(idm_reaper_freep))) struct idm_reaper *reaper = NULL;
		__attribute__((cleanup(idm_closep))) int fd = dup(STDIN_FILENO), no_fd = -1;

		assert_ok(idm_map_new(&map), NULL);
		assert_ok(idm_plan_new(&plan), NULL);
		assert_ok(idm_userns_cache_new(1, &cache, NULL), NULL);
		assert_ok(idm_reaper_new(&reaper, NULL), NULL);
		assert_true(!none && no_fd == -1 && fd >= 0);
		closed = fd;
	}
	assert_int_equal(fcntl(closed, F_GETFD), -1);
}

// SPDX-License-Identifier: MIT
/* Whose subordinate ID an ID is, by the text of /etc/subuid. */
#include <stdio.h>

#include "lib/base/macros.h"
#include "service/owner.h"
#include "tests/lib/test.h"

static const char users[] = "root:x:0:0::/:/bin/sh\njoe:x:1500:1500::/:/bin/sh\n";

static FILE *open_text(const char *text)
{
	FILE *file = *text ? fmemopen((void *)text, strlen(text), "r") : fopen("/dev/null", "re");

	assert_non_null(file);
	return file;
}

static void owned_by(const char *text, uint32_t id, uint32_t owner)
{
	FILE *subuid = open_text(text), *passwd = open_text(users);

	assert_int_equal(find_subordinate_owner(subuid, passwd, id), owner);
	fclose(subuid);
	fclose(passwd);
}

TEST(ids_of_a_line_are_its_users)
{
	static const char text[] = "ann:100000:65536\njoe:200000:10\njoe:300000:10\n";

	owned_by(text, 200000, 1500);
	owned_by(text, 200009, 1500);
	owned_by(text, 300005, 1500);
	owned_by(text, 199999, 199999);
	owned_by(text, 200010, 200010);
	owned_by(text, 1500, 1500);
	owned_by(text, 0, 0);
	owned_by("", 200000, 200000);
}

TEST(users_can_be_numbers_or_in_another_database)
{
	static const char text[] = "1600:100000:10\nann:400000:10\nann:500000:10\n7x:600000:10\n";

	owned_by(text, 100003, 1600);
	owned_by(text, 400003, 400000);
	owned_by(text, 500003, 400000);
	owned_by(text, 600003, 600000);
}

TEST(other_lines_are_passed_over)
{
	owned_by("joe\njoe:\njoe:200000\njoe:200000:\njoe:x:10\njoe:200000:10x\n:200000:10\n"
		 "joe::10\njoe:200000 :10\njoe:200000:10 \n+joe:200000:10\njoe:08:10\n\n",
		 200000, 200000);
	owned_by("joe:200000:99999999999999999999999\n", 200000, 200000);
	owned_by("joe:4294967290:10\n", 4294967294U, 1500);
	owned_by("joe:99999999999999999999999:10\n", 200000, 200000);
	owned_by("4294967295:200000:10\n", 200001, 200000);
}

/* newuidmap(1) grants the IDs of each. */
TEST(odd_lines_count)
{
	static const char *const texts[] = {
		"ann:1:1\njoe:200000:10", "joe:0x30d40:10\n",	"joe:0606500:012\n", "joe:+200000:+10\n",
		"joe: 200000:\t10\n",	   "joe:200000:10:\n", "joe:200000:10:x:y\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		owned_by(texts[i], 200000, 1500);
		owned_by(texts[i], 200009, 1500);
		owned_by(texts[i], 200010, 200010);
	}
}

/* A line of this length, with a range at its end if `tail` is one. */
static void owned_by_long(size_t length, const char *tail, uint32_t owner)
{
	char text[2048];

	memset(text, '0', length);
	memcpy(text, "joe:200000:10:", strlen("joe:200000:10:"));
	memcpy(text + length - strlen(tail), tail, strlen(tail));
	strcpy(text + length, "\nann:100000:1\n");
	owned_by(text, 200000, owner);
	owned_by(text, 100000, 100000);
}

/* The rest of a line is no line. */
TEST(long_lines)
{
	owned_by_long(300, "", 1500);
	owned_by_long(1023, "", 1500);
	owned_by_long(1024, "", 200000);
	owned_by_long(1024 + 13, "joe:200000:10", 200000);
	owned_by_long(1025 + 13, "joe:200000:10", 200000);
}

TEST(a_file_can_be_missing)
{
	FILE *subuid = open_text("joe:200000:10\n");

	assert_int_equal(find_subordinate_owner(NULL, NULL, 200000), 200000);
	assert_int_equal(find_subordinate_owner(subuid, NULL, 200001), 200000);
	fclose(subuid);
}

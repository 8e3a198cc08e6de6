// SPDX-License-Identifier: MIT
/* Names in maps, through whatever name service this host has. */
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/macros.h"
#include "tests/lib/maps.h"

/* A user whose primary group has another number, to see that the group is looked up too. */
static struct passwd *unequal_user(void)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";
	struct passwd *pw;

	while ((pw = getpwent()))
		if (pw->pw_uid != pw->pw_gid && strspn(pw->pw_name, plain) == strlen(pw->pw_name))
			break;
	endpwent();
	if (!pw)
		skip_test("no user has a primary group of another number");
	return pw;
}

static void assert_parses(const char *text, const char *expected)
{
	AUTO_MAP struct idm_map *map = map_of("");
	struct idm_error err;
	int r = idm_map_parse(map, text, IDM_MAP_PARSE_LOOKUP, &err);

	if (r < 0)
		fail_msg("\"%s\": %s", text, err.message);
	assert_map_at(HERE, text, map, expected);
}

static void assert_refused(const char *text, int code, const char *reason)
{
	AUTO_MAP struct idm_map *map = map_of("1:2:3");
	struct idm_error err;

	assert_error_at(HERE, text, idm_map_parse(map, text, IDM_MAP_PARSE_LOOKUP, &err), code, &err,
			text, NULL, reason);
	assert_map(map, "1:2:3");
}

TEST(root_is_0)
{
	assert_parses("root:1000", "0:1000:1");
	assert_parses("1000:root", "1000:0:1");
	assert_parses("root:root", "0:0:1");
	assert_parses("u:root:1000", "u:0:1000:1");
	assert_parses("g:root:1000:1", "g:0:1000:1");
	assert_parses("root:1000,1000:root", "0:1000:1,1000:0:1");
}

TEST(a_user_brings_the_primary_group)
{
	const struct passwd *pw = unequal_user();
	char text[300], expected[100];

	snprintf(text, sizeof(text), "%s:400000", pw->pw_name);
	snprintf(expected, sizeof(expected), "u:%u:400000:1,g:%u:400000:1", pw->pw_uid, pw->pw_gid);
	assert_parses(text, expected);
	snprintf(text, sizeof(text), "400000:%s:1", pw->pw_name);
	snprintf(expected, sizeof(expected), "u:400000:%u:1,g:400000:%u:1", pw->pw_uid, pw->pw_gid);
	assert_parses(text, expected);
	snprintf(text, sizeof(text), "u:%s:400000", pw->pw_name);
	snprintf(expected, sizeof(expected), "u:%u:400000:1", pw->pw_uid);
	assert_parses(text, expected);
}

/* With a prefix the name is a group's, even where a user is called the same. */
TEST(groups)
{
	struct group *gr;
	char text[300], expected[100];

	while ((gr = getgrent()) && (gr->gr_gid == 0 || strchr(gr->gr_name, '.')))
		;
	endgrent();
	if (!gr)
		skip_test("there is no group but root's");
	snprintf(text, sizeof(text), "g:%s:400000", gr->gr_name);
	snprintf(expected, sizeof(expected), "g:%u:400000:1", gr->gr_gid);
	assert_parses(text, expected);
}

TEST(numbers_stay_numbers)
{
	assert_parses("0:100000:65536", "0:100000:65536");
	assert_parses("uidmap=0:1:2,gidmap=0:1:2", "0:1:2");
}

TEST(names_that_nobody_has)
{
	assert_refused("no_such_user_here:0", -ENOENT, "unknown user \"no_such_user_here\"");
	assert_refused("0:no_such_user_here", -ENOENT, "unknown user \"no_such_user_here\"");
	assert_refused("u:no_such_user_here:0", -ENOENT, "unknown user");
	assert_refused("g:no_such_group_here:0", -ENOENT, "unknown group \"no_such_group_here\"");
}

TEST(a_name_is_one_id)
{
	assert_refused("root:1000:2", -EINVAL, "expected a count of 1 for a name");
	assert_refused("1000:root:0", -EINVAL, "expected a count of 1 for a name");
}

TEST(what_is_no_name)
{
	char text[1000] = "";

	assert_refused("-root:0", -EINVAL, "expected a number, got \"-root\"");
	assert_refused("0root:0", -EINVAL, "expected a number, got \"0root\"");
	memset(text, 'a', 300);
	strcat(text, ":0");
	assert_refused(text, -EINVAL, "the name is too long");
}

/* The dialects of other programs know numbers only. */
TEST(no_names_in_other_dialects)
{
	AUTO_MAP struct idm_map *map = map_of("");
	struct idm_error err;

	assert_error(idm_map_parse(map, "uidmap=root:0:1", IDM_MAP_PARSE_LOOKUP, &err), -EINVAL, &err,
		     "root:0:1", "parse map", "expected a number, got \"root\"");
	assert_error(idm_map_parse(map, "uids=root-0-1", IDM_MAP_PARSE_LOOKUP, &err), -EINVAL, &err,
		     "root-0-1", "parse map", "expected a number, got \"root\"");
}

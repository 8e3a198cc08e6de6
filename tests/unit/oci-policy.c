// SPDX-License-Identifier: MIT
/* Root's rules for annotations: what they mean, and that each line that is wrong is named. */
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/macros.h"
#include "oci/policy.h"
#include "tests/lib/maps.h"

/* ---- reading ---- */

static const char prefix[] = IDM_POLICY_FILE ": read policy: ";

static void assert_refused_at(const char *file, int line, const char *text, size_t length,
			      const char *expected)
{
	AUTO_FREE char *exact = malloc(length + 1);
	struct idm_policy *policy;
	struct idm_error err;

	/* Without a NUL behind it: with a sanitizer, who reads behind the end is seen. */
	exact = realloc(exact, length ? length : 1);
	memcpy(exact, text, length);
	assert_int_equal(idm_policy_parse(exact, length, &policy, &err), -EINVAL);
	assert_string_at(file, line, text, err.message + strlen(prefix), expected);
}
#define assert_refused(text, expected) assert_refused_at(HERE, text, sizeof(text) - 1, expected)

TEST(wrong_lines_are_named)
{
	assert_refused("alow disk=1 seen=1", "line 1: expected allow, deny or off, got \"alow\"");
	assert_refused("\n\n# x\nallow disk=1", "line 4: allow requires disk= and seen=");
	assert_refused("allow\n", "line 1: allow requires disk= and seen=");
	assert_refused("deny disk=1", "line 1: deny refuses all IDs: it has no disk= and seen=");
	assert_refused("off on", "line 1: expected nothing after \"off\", got \"on\"");
	assert_refused("off\ndeny what", "line 2: expected KEY=VALUE, got \"what\"");
	assert_refused("deny source=/a # x", "line 1: expected KEY=VALUE, got \"#\"");
	assert_refused("deny what=1", "line 1: unknown key \"what\"");
	assert_refused("deny Source=/", "line 1: unknown key \"Source\"");
	assert_refused("deny =1", "line 1: unknown key \"\"");
	assert_refused("deny namespace=", "line 1: namespace is empty");
	assert_refused("deny source=", "line 1: source is empty");
	assert_refused("deny handler=a handler=a", "line 1: duplicate handler");
	assert_refused("deny source=/a source=/a", "line 1: duplicate source");
	assert_refused("allow disk=1 seen=1 disk=1", "line 1: duplicate disk");
}

TEST(paths_are_plain)
{
#define EXPECTED "line 1: source: expected an absolute path without \".\", \"..\" and empty components"
	assert_refused("deny source=a", EXPECTED);
	assert_refused("deny source=./a", EXPECTED);
	assert_refused("deny source=//a", EXPECTED);
	assert_refused("deny source=//", EXPECTED);
	assert_refused("deny source=/a//b", EXPECTED);
	assert_refused("deny source=/a//", EXPECTED);
	assert_refused("deny source=/a/../b", EXPECTED);
	assert_refused("deny source=/..", EXPECTED);
	assert_refused("deny source=/a/./", EXPECTED);
	assert_refused("deny source=/a/\\056\\056/b", EXPECTED);
#undef EXPECTED
	assert_refused("deny source=/\\x",
		       "line 1: source: expected three octal digits behind a backslash");
	assert_refused("deny source=/\\",
		       "line 1: source: expected three octal digits behind a backslash");
	assert_refused("deny source=/\\08",
		       "line 1: source: expected three octal digits behind a backslash");
	assert_refused("deny source=/\\400",
		       "line 1: source: expected three octal digits behind a backslash");
	assert_refused("deny source=/\\000",
		       "line 1: source: expected three octal digits behind a backslash");
}

static void assert_accepted(const char *text)
{
	struct idm_policy *policy;
	struct idm_error err;

	assert_int_equal(idm_policy_parse(text, strlen(text), &policy, &err), 0);
	idm_policy_free(policy);
}

/* A rule for a name that cannot exist would never match. */
TEST(names_can_match)
{
#define REFUSED(name)                     \
	assert_refused(                   \
		"\ndeny namespace=" name, \
		"line 2: namespace: expected *, - or one name of a-z, 0-9 and \"-\", got \"" name "\"")
#define LABEL_63 "a23456789-123456789-123456789-123456789-123456789-123456789-123"
	REFUSED("team-*");
	REFUSED("**");
	REFUSED("--");
	REFUSED("default,team-a");
	REFUSED("Default");
	REFUSED("-a");
	REFUSED("a-");
	REFUSED("a_b");
	REFUSED("a.b");
	REFUSED("a/b");
	REFUSED("\xc3\xa4");
	REFUSED(LABEL_63 "4");
#undef REFUSED
#define REFUSED(name)                                                                             \
	assert_refused("deny handler=" name,                                                      \
		       "line 1: handler: expected one name of letters, digits, \"-\", \".\" and " \
		       "\"_\", got \"" name "\"")
	REFUSED("*");
	REFUSED("a*");
	REFUSED("a,b");
	REFUSED("a/b");
#undef REFUSED
	assert_accepted("deny namespace=*\ndeny namespace=-\ndeny namespace=a\ndeny namespace=0\n"
			"deny namespace=team-a\ndeny namespace=" LABEL_63 "\ndeny handler=a.B_c-1");
}

TEST(ids_are_numbers)
{
#define REFUSED(ids, word) \
	assert_refused("\nallow seen=1 disk=" ids, "line 2: expected ID, ID-ID or any, got \"" word "\"")
	REFUSED("", "");
	REFUSED("1,", "");
	REFUSED(",1", "");
	REFUSED("x", "x");
	REFUSED("-1", "-1");
	REFUSED("+1", "+1");
	REFUSED("01", "01");
	REFUSED("0x1", "0x1");
	REFUSED("1-", "1-");
	REFUSED("1-2-3", "1-2-3");
	REFUSED("1:2", "1:2");
	REFUSED("u:", "u:");
	REFUSED("b:1", "b:1");
	REFUSED("u:g:1", "u:g:1");
	REFUSED("any-1", "any-1");
	REFUSED("Any", "Any");
	REFUSED("root", "root");
	REFUSED("4294967295", "4294967295");
	REFUSED("0-4294967295", "0-4294967295");
	REFUSED("4294967296", "4294967296");
	REFUSED("18446744073709551617", "18446744073709551617");
#undef REFUSED
	assert_refused("allow seen=1 disk=5-1", "line 1: expected the lower ID first, got \"5-1\"");
	assert_refused("allow disk=1 seen=1,g:2-1",
		       "line 1: expected the lower ID first, got \"g:2-1\"");
}

TEST(control_characters)
{
	assert_refused("off\r\n", "line 1: it has a control character");
	assert_refused("#\n# \001", "line 2: it has a control character");
	assert_refused("off\0\nallow", "line 1: it has a control character");
	assert_refused("#\n\0", "line 2: it has a control character");
	assert_refused("\0", "line 1: it has a control character");
	assert_refused("off\n\033[0m", "line 2: it has a control character");
}

/* Whatever it is made of: it is refused by a line, or it is understood. */
TEST(any_words)
{
	static const char *const words[] = { "allow",	  "deny",  "off",    " ",	 "\n",
					     "source=/a", "disk=", "seen=",  "1",	 "any",
					     ",",	  "u:",	   "-",	     "=",	 "#",
					     "\t",	  "\\",	   "disk=1", "seen=any", "handler=h" };

	srand(1);
	for (int i = 0; i < 50000; i++) {
		char text[200] = "";
		struct idm_policy *policy;
		struct idm_error err;
		int n = rand() % 12, r;

		while (n--)
			strcat(text, words[(size_t)rand() % ARRAY_SIZE(words)]);
		r = idm_policy_parse(text, strlen(text), &policy, &err);
		if (r == 0)
			idm_policy_free(policy);
		else
			assert_int_equal(strncmp(err.message + strlen(prefix), "line ", 5), 0);
	}
}

/* ---- judging ---- */

static const char *judge(const char *text, const char *map_words, struct idm_policy_request q)
{
	AUTO_MAP struct idm_map *map = map_words ? map_of(map_words) : NULL;
	static struct idm_error err;
	struct idm_policy *policy = NULL;
	int r;

	if (text)
		assert_int_equal(idm_policy_parse(text, strlen(text), &policy, &err), 0);
	q.annotation = "A";
	q.map = map;
	r = idm_policy_judge(policy, &q, &err);
	idm_policy_free(policy);
	assert_true(r == 0 || r == -EPERM);
	return r == 0 ? "" : PART(err, reason);
}

#define JUDGE(expected, text, map, ...)                                                             \
	assert_string_at(HERE, #text, judge(text, map, (struct idm_policy_request){ __VA_ARGS__ }), \
			 expected)
#define FACTS(namespace, handler, source) "namespace " namespace ", handler " handler ", " source
#define NO_RULE(...) "no rule of " IDM_POLICY_FILE " matches " FACTS(__VA_ARGS__)
#define BY(n, ...) "line " #n " of " IDM_POLICY_FILE " denies " FACTS(__VA_ARGS__)
#define BELOW(n, path, ...)                               \
	"line " #n " of " IDM_POLICY_FILE " denies " path \
	", which is below the source: " FACTS(__VA_ARGS__)
#define NO_POD "- (no pod)"
#define UNKNOWN "not known"
#define NOT(what, n) what " is not allowed by line " #n " of " IDM_POLICY_FILE
#define ALL "allow disk=any seen=any"

TEST(default_rule)
{
	JUDGE("", NULL, "1:0");
	JUDGE("", NULL, "1:0:4294967294");
	JUDGE("the default rule refuses disk uid 0; " IDM_POLICY_FILE " is the file that allows it",
	      NULL, "u:0:5:1,g:1:1:1");
	JUDGE("the default rule refuses disk gid 0; " IDM_POLICY_FILE " is the file that allows it",
	      NULL, "u:5:0:1,g:7:7:1,g:0:9:3");
	JUDGE("the default rule refuses all maps of pods; " IDM_POLICY_FILE
	      " is the file that allows them",
	      NULL, "1:1", .pod = true);
	JUDGE("the default rule refuses all maps of pods; " IDM_POLICY_FILE
	      " is the file that allows them",
	      NULL, NULL, .pod = true);
	JUDGE("", NULL, NULL);
}

TEST(ranges)
{
	JUDGE("", "allow disk=10-19 seen=0-9", "10:0:10");
	JUDGE(NOT("disk uid 20", 1), "allow disk=10-19 seen=0-99", "10:0:11");
	JUDGE(NOT("disk uid 9", 1), "allow disk=10-19 seen=0-99", "9:0:5");
	JUDGE(NOT("disk uid 0", 1), "allow disk=1-4294967294 seen=any", "0:0:4294967295");
	JUDGE(NOT("seen uid 10", 1), "allow disk=10-19 seen=0-9", "10:1:10");
	JUDGE(NOT("disk gid 5", 1), "allow disk=u:5 seen=any", "5:5");
	JUDGE(NOT("seen gid 6", 1), "allow disk=any seen=u:6,g:7", "5:6");
	JUDGE("", "allow disk=any seen=u:6,g:7", "u:5:6:1,g:5:7:1");
	/* A range that several of the rule's cover, in any order. */
	JUDGE("", "allow disk=7-9,0-3,4,6,5 seen=any", "0:0:10");
	JUDGE(NOT("disk uid 5", 1), "allow disk=7-9,0-3,4,6 seen=any", "0:0:10");
	JUDGE("", "allow disk=any seen=any", "0:0:4294967295");
}

TEST(sources)
{
	static const char text[] = "allow source=/a/b disk=any seen=any";

	JUDGE("", text, "1:1", .source = "/a/b");
	JUDGE("", text, "1:1", .source = "/a/b/c");
	JUDGE(NO_RULE(NO_POD, UNKNOWN, "source /a/bc"), text, "1:1", .source = "/a/bc");
	JUDGE(NO_RULE(NO_POD, UNKNOWN, "source /a"), text, "1:1", .source = "/a");
	JUDGE(NO_RULE(NO_POD, UNKNOWN, "source /"), text, "1:1", .source = "/");
	JUDGE(NO_RULE(NO_POD, UNKNOWN, "no source"), text, "1:1");
	JUDGE("", "allow source=/a/b/ disk=any seen=any", "1:1", .source = "/a/b");
	JUDGE("", "allow source=/ disk=any seen=any", "1:1", .source = "/x");
	JUDGE("", "allow source=/ disk=any seen=any", "1:1", .source = "/");
	JUDGE("", "allow source=/a\\040b disk=any seen=any", "1:1", .source = "/a b");
	JUDGE(BY(1, NO_POD, UNKNOWN, "source /a/b/c"), "deny source=/a/b\n" ALL, "1:1",
	      .source = "/a/b/c");
	/* What is denied comes along with what is above it. */
	JUDGE(BELOW(1, "/a/b", NO_POD, UNKNOWN, "source /a"), "deny source=/a/b\n" ALL, "1:1",
	      .source = "/a");
	JUDGE(BELOW(1, "/a/b", NO_POD, UNKNOWN, "source /"), "deny source=/a/b\n" ALL, "1:1",
	      .source = "/");
	JUDGE("", "deny source=/a/b\n" ALL, "1:1", .source = "/a/bc");
	JUDGE("", "deny source=/a/b\n" ALL, "1:1", .source = "/a/c");
	JUDGE("", "deny source=/a/b\n" ALL, "1:1");
}

TEST(askers)
{
	static const char by_namespace[] = "allow namespace=x disk=any seen=any",
			  any_pod[] = "allow namespace=* disk=any seen=any",
			  no_pod[] = "allow namespace=- disk=any seen=any",
			  by_handler[] = "allow handler=h disk=any seen=any";

	JUDGE("", by_namespace, "1:1", .pod = true, .namespace = "x");
	JUDGE(NO_RULE("\"xx\"", UNKNOWN, "no source"), by_namespace, "1:1", .pod = true,
	      .namespace = "xx");
	JUDGE(NO_RULE(UNKNOWN, UNKNOWN, "no source"), by_namespace, "1:1", .pod = true);
	JUDGE(NO_RULE(NO_POD, UNKNOWN, "no source"), by_namespace, "1:1", .namespace = "x");
	JUDGE("", any_pod, "1:1", .pod = true);
	JUDGE(NO_RULE(NO_POD, UNKNOWN, "no source"), any_pod, "1:1");
	JUDGE("", no_pod, "1:1");
	JUDGE(NO_RULE(UNKNOWN, UNKNOWN, "no source"), no_pod, "1:1", .pod = true);
	JUDGE("", by_handler, "1:1", .pod = true, .handler = "h");
	JUDGE(NO_RULE(UNKNOWN, "\"g\"", "no source"), by_handler, "1:1", .pod = true, .handler = "g");
	JUDGE(NO_RULE(UNKNOWN, UNKNOWN, "no source"), by_handler, "1:1", .pod = true);
	/* What is not known of a pod is denied. */
	JUDGE(BY(1, UNKNOWN, UNKNOWN, "no source"), "deny namespace=x\n" ALL, "1:1", .pod = true);
	JUDGE("", "deny namespace=x\n" ALL, "1:1", .pod = true, .namespace = "y");
	JUDGE("", "deny namespace=x\n" ALL, "1:1");
	JUDGE(BY(1, UNKNOWN, UNKNOWN, "no source"), "deny handler=h\n" ALL, "1:1", .pod = true);
}

TEST(the_first_rule_decides)
{
	JUDGE("", ALL "\ndeny", "1:1");
	JUDGE(BY(2, NO_POD, UNKNOWN, "no source"), "# x\ndeny\n" ALL, "1:1");
	JUDGE(NOT("disk uid 1", 1), "allow disk=2 seen=any\n" ALL, "1:1");
	JUDGE(NO_RULE(NO_POD, UNKNOWN, "no source"), "", "1:1");
	JUDGE("line 3 of " IDM_POLICY_FILE " switches annotations off", ALL "\n\n\toff \n" ALL, "1:1");
	JUDGE("line 1 of " IDM_POLICY_FILE " switches annotations off", "off", NULL);
	JUDGE("", "deny", NULL);
}

// SPDX-License-Identifier: MIT
/* Maps from /etc/subuid and /etc/subgid. It needs root, for an /etc of its own. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config.h"
#include "lib/base/macros.h"
#include "lib/sys/syscall.h"
#include "tests/lib/maps.h"
#include "tests/lib/scratch.h"

/* A private copy of /etc with these subordinate IDs; NULL: no such file. */
static void enter(const char *subuid, const char *subgid)
{
	AUTO_CLOSE int passwd = -1;
	static const char users[] = "alice:x:4001:4001::/:/bin/sh\nbob:x:4002:4002::/:/bin/sh\n";

	if (!HAVE_LIBSUBID)
		skip_test("the library was built without libsubid");
	scratch_enter();
	scratch_dir(SCRATCH "/etc");
	assert_int_equal(RUN("cp", "-a", "/etc/.", SCRATCH "/etc"), 0);
	do_mount(SCRATCH "/etc", "/etc", NULL, MS_BIND, NULL);
	scratch_file("/etc/nsswitch.conf", "passwd: files\ngroup: files\n");
	passwd = (int)must(open("/etc/passwd", O_WRONLY | O_APPEND | O_CLOEXEC));
	must(write(passwd, users, strlen(users)));
	unlink("/etc/subuid");
	unlink("/etc/subgid");
	if (subuid)
		scratch_file("/etc/subuid", subuid);
	if (subgid)
		scratch_file("/etc/subgid", subgid);
}

static void assert_ranges(const char *owner, const char *expected)
{
	AUTO_MAP struct idm_map *map = map_of("");
	struct idm_error err;

	assert_ok(idm_map_add_subid(map, owner, &err), &err);
	assert_map(map, expected);
}

static void assert_auto(const char *text, const char *expected)
{
	AUTO_MAP struct idm_map *map = map_of("");
	struct idm_error err;

	assert_ok(idm_map_parse(map, text, IDM_MAP_PARSE_LOOKUP, &err), &err);
	assert_map(map, expected);
}

static void assert_refused(const char *owner, int code, const char *subject, const char *step,
			   const char *reason)
{
	AUTO_MAP struct idm_map *map = map_of("u:4294967294:4294967294:1");
	struct idm_error err;

	assert_error(idm_map_add_subid(map, owner, &err), code, &err, subject, step, reason);
	assert_map(map, "u:4294967294:4294967294:1");
	if (code == -ENOENT)
		assert_true(err.hint[0]);
	assert_int_equal(idm_map_add_subid(map, owner, NULL), code);
}

TEST(one_range)
{
	enter("alice:100000:65536\n", "alice:200000:65536\n");
	assert_ranges("alice", "u:0:100000:65536,g:0:200000:65536");
	assert_auto("auto:alice", "u:0:100000:65536,g:0:200000:65536");
}

TEST(one_range_after_the_other)
{
	enter("bob:1:1\nalice:300000:1000\nbob:2:2\nalice:100000:65536\n", "alice:400000:10\nbob:7:7\n");
	assert_ranges("alice", "u:0:300000:1000,u:1000:100000:65536,g:0:400000:10");
}

TEST(neighbours_are_merged)
{
	enter("alice:100000:1000\nalice:101000:1000\n", "alice:100000:2000\n");
	assert_ranges("alice", "0:100000:2000");
}

/* libsubid, and the reader of a static build. */
TEST(odd_lines)
{
	enter("alice:0x186a0: +1000:more\nalice:0606500:012",
	      "alice:+100000:1000:\n+alice:1:1\nalice:2:3 \n");
	assert_ranges("alice", "u:0:100000:1000,u:1000:200000:10,g:0:100000:1000");
}

static void as_alice(void *unused)
{
	(void)unused;
	become_user(4001, 4001);
	assert_auto("auto", "0:100000:65536");
	assert_auto("auto:", "0:100000:65536");
	assert_auto("auto:bob", "0:5:5");
}

TEST(auto_is_the_caller)
{
	enter("alice:100000:65536\nroot:7:8\nbob:5:5\n", "alice:100000:65536\nroot:7:8\nbob:5:5\n");
	assert_auto("auto", "0:7:8");
	in_child(as_alice, NULL);
}

static void as_nobody_known(void *unused)
{
	AUTO_MAP struct idm_map *map = map_of("");
	struct idm_error err;

	(void)unused;
	become_user(unused_uid(), 4001);
	assert_error(idm_map_parse(map, "auto", IDM_MAP_PARSE_LOOKUP, &err), -ENOENT, &err, "auto",
		     "parse map", "the caller's uid has no user name");
}

TEST(auto_of_a_caller_without_a_name)
{
	enter("alice:100000:65536\n", "alice:100000:65536\n");
	in_child(as_nobody_known, NULL);
}

TEST(no_range)
{
	enter("alice:100000:65536\nbob:1:1\n", "alice:100000:65536\n");
	assert_refused("root", -ENOENT, "root", "look up subordinate IDs", "no range in /etc/subuid");
	assert_refused("bob", -ENOENT, "bob", "look up subordinate IDs", "no range in /etc/subgid");
	assert_refused("no_such_user_here", -ENOENT, "no_such_user_here", "look up subordinate IDs",
		       "no range in /etc/subuid");
	assert_refused("", -ENOENT, "", "look up subordinate IDs", "the user's name is empty");
}

static void assert_hint(const char *owner, const char *reason, const char *hint)
{
	AUTO_MAP struct idm_map *map = map_of("");
	struct idm_error err;

	assert_int_equal(idm_map_add_subid(map, owner, &err), -ENOENT);
	assert_string_equal(PART(err, reason), reason);
	assert_string_equal(err.hint, hint);
}

static const char limits[] =
	"# SUB_UID_MIN 1\nSUB_UID_MIN 100000\nSUB_UID_MAX\t600100000\nSUB_UID_COUNT 0x10000\n"
	"SUB_GID_MIN 7000\nSUB_GID_MAX 8000\nSUB_GID_COUNT 10\n";

/* A range that another owner has would make the files of one the other's. */
TEST(the_range_of_the_hint_is_free)
{
	static const char no_uids[] = "no range in /etc/subuid", no_gids[] = "no range in /etc/subgid";

	enter("bob:100000:65536\n", "bob:7000:5\n");
	scratch_file("/etc/login.defs", limits);
	assert_hint("alice", no_uids,
		    "usermod --add-subuids 165536-231071 --add-subgids 7005-7014 alice");
	assert_hint("no_such_user_here", no_uids,
		    "the user does not exist; expected a line such as "
		    "no_such_user_here:165536:65536 in /etc/subuid");
	/* In any order, with gaps that are too small, and one that fits; a user's own id is not free. */
	scratch_file("/etc/subgid", "bob:7000:5\n4001:8001:1\n");
	scratch_file("/etc/passwd", "alice:x:4001:4001::/:\nfar:x:300000:1::/:\n");
	scratch_file("/etc/subuid",
		     "x:400000:65536\nbob:100000:65536\n7:165537:10\n\nnonsense\nx:y:z\n");
	assert_hint("alice", no_uids, "usermod --add-subuids 165547-231082 alice");
	scratch_file("/etc/subuid", "x:400000:65536\nbob:100000:65536\n7:165537:100000\n");
	assert_hint("alice", no_uids, "usermod --add-subuids 300001-365536 alice");
	/* As newuidmap(1) reads it. */
	scratch_file("/etc/subuid", "bob:0x186a0: 65536:more\nx:165536:10");
	scratch_file("/etc/passwd", "alice:x:4001:4001::/:\n");
	assert_hint("alice", no_uids, "usermod --add-subuids 165546-231081 alice");
	/* The other kind has limits of its own. */
	scratch_file("/etc/subuid", "alice:1:1\n");
	assert_hint("alice", no_gids, "usermod --add-subgids 7005-7014 alice");
	scratch_file("/etc/subgid", "bob:7000:995\n");
	assert_hint(
		"alice", no_gids,
		"expected 10 free IDs from 7000 to 8000: remove a range there, or change the limits in "
		"/etc/login.defs");
	unlink("/etc/login.defs");
	assert_hint("alice", no_gids, "usermod --add-subgids 100000-165535 alice");
}

/* libsubid asks the files then. */
TEST(a_source_in_nsswitch_conf_that_is_not_installed)
{
	enter("alice:100000:65536\n", "alice:100000:65536\n");
	scratch_file("/etc/nsswitch.conf", "passwd: files\ngroup: files\nsubid: nonesuch\n");
	assert_ranges("alice", "0:100000:65536");
	assert_refused("bob", -ENOENT, "bob", "look up subordinate IDs", "no range in /etc/subuid");
}

TEST(no_files)
{
	enter(NULL, NULL);
	assert_refused("alice", -ENOENT, "alice", "look up subordinate IDs", "no range in /etc/subuid");
}

TEST(ranges_past_the_last_id)
{
	enter("alice:4294967290:10\nbob:4294967290:5\n", "alice:1:1\nbob:4294967290:5\n");
	assert_refused("alice", -EINVAL, "alice", "look up subordinate IDs",
		       "the range 4294967290:10 in /etc/subuid exceeds 4294967294");
	assert_ranges("bob", "0:4294967290:5");
}

TEST(ranges_that_are_together_too_long)
{
	enter("alice:0:3000000000\nalice:3000000000:1000000000\nalice:100:1294967295\n", "alice:1:1\n");
	assert_refused("alice", -EINVAL, "alice", "look up subordinate IDs", "the range 100:1294967295");
}

TEST(ranges_that_overlap)
{
	enter("alice:100:10\nalice:105:10\n", "alice:1:1\n");
	assert_refused("alice", -EINVAL, "u:10:105:10", "add to map", "both have the seen ID 105");
}

TEST(overlap_with_what_is_there)
{
	AUTO_MAP struct idm_map *map = map_of("g:3:3:1");
	struct idm_error err;

	enter("alice:100:10\n", "alice:100:10\n");
	/* The uid side would do, the gid side does not. */
	assert_error(idm_map_add_subid(map, "alice", &err), -EINVAL, &err, "g:", "add to map",
		     "disk ID 3");
	assert_map(map, "g:3:3:1");
}

/* libsubid would print a message; the library prints none. */
TEST(nothing_is_printed)
{
	AUTO_CLOSE int output = (int)must(memfd_create("stderr", MFD_CLOEXEC));
	AUTO_CLOSE int old = (int)must(dup(STDERR_FILENO));

	enter("alice:nonsense\n", NULL);
	fflush(stderr);
	must(dup2(output, STDERR_FILENO));
	assert_refused("alice", -ENOENT, "alice", "look up subordinate IDs", "no range");
	fflush(stderr);
	must(dup2(old, STDERR_FILENO));
	assert_int_equal(must(lseek(output, 0, SEEK_END)), 0);
}

static void *look_up_often(void *owner)
{
	for (int i = 0; i < 50; i++)
		assert_ranges(owner, strcmp(owner, "alice") == 0 ? "0:100000:10" : "0:200000:10");
	return NULL;
}

/* libsubid itself is not made for threads. */
TEST(many_threads_at_once)
{
	static char owners[2][8] = { "alice", "bob" };
	pthread_t threads[8];

	enter("alice:100000:10\nbob:200000:10\n", "alice:100000:10\nbob:200000:10\n");
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, look_up_often, owners[i % 2]), 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
}

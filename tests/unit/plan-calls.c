// SPDX-License-Identifier: MIT
/* Mounts that are added to a plan by calls: every word, what is refused and how, and hardening. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/macros.h"
#include "tests/lib/plan-text.h"

/* ---- words ---- */

#define MOST_WORDS 8

struct row {
	const char *type, *source, *target;
	const char *words[MOST_WORDS];
	const char *expected; /* the plan, or the error's message */
};

static struct idm_plan_add_options mount_of(const struct row *row)
{
	struct idm_plan_add_options m = IDM_PLAN_ADD_OPTIONS_INIT;

	m.type = row->type;
	m.source = row->source;
	m.target = row->target;
	m.options = row->words;
	while (m.n_options < MOST_WORDS && row->words[m.n_options])
		m.n_options++;
	return m;
}

static void assert_understood(const struct row *row)
{
	AUTO_PLAN struct idm_plan *plan = new_plan();
	struct idm_plan_add_options m = mount_of(row);
	AUTO_FREE char *text = NULL;
	struct idm_error err;

	assert_ok(idm_plan_add(plan, &m, &err), &err);
	text = plan_text(plan);
	assert_string_equal(text, row->expected);
}

#define BIND(...)           \
	"bind", "/s", "/",  \
	{                   \
		__VA_ARGS__ \
	}
#define IS_BIND "bind on /\n  source /s\n"
#define MAP "uidmap=0:1:2", "gidmap=0:1:2" /* two words */

TEST(words)
{
	static const struct row rows[] = {
		{ BIND("bind"), IS_BIND },
		{ BIND("rbind"), "recursive " IS_BIND },
		{ BIND("rbind", "bind"), IS_BIND },
		{ BIND("ro"), IS_BIND "  attributes +rdonly\n" },
		{ BIND("rw"), IS_BIND "  attributes -rdonly\n" },
		{ BIND("nosuid"), IS_BIND "  attributes +nosuid\n" },
		{ BIND("suid"), IS_BIND "  attributes -nosuid\n" },
		{ BIND("nodev"), IS_BIND "  attributes +nodev\n" },
		{ BIND("dev"), IS_BIND "  attributes -nodev\n" },
		{ BIND("noexec"), IS_BIND "  attributes +noexec\n" },
		{ BIND("exec"), IS_BIND "  attributes -noexec\n" },
		{ BIND("nosymfollow"), IS_BIND "  attributes +nosymfollow\n" },
		{ BIND("symfollow"), IS_BIND "  attributes -nosymfollow\n" },
		{ BIND("noatime"), IS_BIND "  attributes +noatime -strictatime\n" },
		{ BIND("atime"), IS_BIND "  attributes -noatime\n" },
		{ BIND("strictatime"), IS_BIND "  attributes -noatime +strictatime\n" },
		{ BIND("nostrictatime"), IS_BIND "  attributes -strictatime\n" },
		{ BIND("relatime"), IS_BIND "  attributes -noatime -strictatime\n" },
		{ BIND("norelatime"), IS_BIND },
		{ BIND("nodiratime"), IS_BIND "  attributes +nodiratime\n" },
		{ BIND("diratime"), IS_BIND "  attributes -nodiratime\n" },
		{ BIND("private"), IS_BIND "  private\n" },
		{ BIND("slave"), IS_BIND "  slave\n" },
		{ BIND("shared"), IS_BIND "  shared\n" },
		{ BIND("unbindable"), IS_BIND "  unbindable\n" },
		{ BIND("defaults", "async", "nomand", "nolazytime", "noiversion", "loud", "silent"),
		  IS_BIND },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_understood(&rows[i]);
}

TEST(words_for_all_below)
{
	static const struct row rows[] = {
		{ BIND("rro"), IS_BIND "  attributes of all below too +rdonly\n" },
		{ BIND("rrw"), IS_BIND "  attributes of all below too -rdonly\n" },
		{ BIND("rnosuid"), IS_BIND "  attributes of all below too +nosuid\n" },
		{ BIND("rsuid"), IS_BIND "  attributes of all below too -nosuid\n" },
		{ BIND("rnodev"), IS_BIND "  attributes of all below too +nodev\n" },
		{ BIND("rdev"), IS_BIND "  attributes of all below too -nodev\n" },
		{ BIND("rnoexec"), IS_BIND "  attributes of all below too +noexec\n" },
		{ BIND("rexec"), IS_BIND "  attributes of all below too -noexec\n" },
		{ BIND("rnosymfollow"), IS_BIND "  attributes of all below too +nosymfollow\n" },
		{ BIND("rsymfollow"), IS_BIND "  attributes of all below too -nosymfollow\n" },
		{ BIND("rnoatime"), IS_BIND "  attributes of all below too +noatime -strictatime\n" },
		{ BIND("ratime"), IS_BIND "  attributes of all below too -noatime\n" },
		{ BIND("rstrictatime"),
		  IS_BIND "  attributes of all below too -noatime +strictatime\n" },
		{ BIND("rnostrictatime"), IS_BIND "  attributes of all below too -strictatime\n" },
		{ BIND("rrelatime"), IS_BIND "  attributes of all below too -noatime -strictatime\n" },
		{ BIND("rnorelatime"), IS_BIND },
		{ BIND("rnodiratime"), IS_BIND "  attributes of all below too +nodiratime\n" },
		{ BIND("rdiratime"), IS_BIND "  attributes of all below too -nodiratime\n" },
		{ BIND("rprivate"), IS_BIND "  recursively private\n" },
		{ BIND("rslave"), IS_BIND "  recursively slave\n" },
		{ BIND("rshared"), IS_BIND "  recursively shared\n" },
		{ BIND("runbindable"), IS_BIND "  recursively unbindable\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_understood(&rows[i]);
}

TEST(the_later_word_holds)
{
	static const struct row rows[] = {
		{ BIND("ro", "rw"), IS_BIND "  attributes -rdonly\n" },
		{ BIND("rw", "ro"), IS_BIND "  attributes +rdonly\n" },
		{ BIND("noatime", "strictatime"), IS_BIND "  attributes -noatime +strictatime\n" },
		{ BIND("strictatime", "noatime"), IS_BIND "  attributes +noatime -strictatime\n" },
		{ BIND("noatime", "relatime"), IS_BIND "  attributes -noatime -strictatime\n" },
		{ BIND("strictatime", "nostrictatime"), IS_BIND "  attributes -noatime -strictatime\n" },
		{ BIND("rshared", "private"), IS_BIND "  private\n" },
		{ BIND("ro", "rrw"),
		  IS_BIND "  attributes +rdonly\n  attributes of all below too -rdonly\n" },
		{ BIND(MAP, "idmap", "ridmap"), IS_BIND "  map of all below too 0:1:2\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_understood(&rows[i]);
}

TEST(maps)
{
	static const struct row rows[] = {
		{ BIND(MAP), IS_BIND "  map 0:1:2\n" },
		{ BIND("gidmap=5:6:7", "ro", "uidmap=0:1:2,9:9:1"),
		  IS_BIND "  map u:0:1:2,u:9:9:1,g:5:6:7\n  attributes +rdonly\n" },
		{ BIND(MAP, "idmap"), IS_BIND "  map of this mount alone 0:1:2\n" },
		{ BIND("ridmap", MAP), IS_BIND "  map of all below too 0:1:2\n" },
		{ BIND("idmap=uids=0-1-2;gids=0-1-2"), IS_BIND "  map of this mount alone 0:1:2\n" },
		{ BIND("ridmap=uids=0-1-2#5-6-7;gids=0-1-2"),
		  IS_BIND "  map of all below too u:0:1:2,u:5:6:7,g:0:1:2\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_understood(&rows[i]);
}

TEST(types)
{
	static const struct row rows[] = {
		{ NULL, "/s", NULL, { "bind" }, IS_BIND },
		{ "", "/s", "", { "rbind" }, "recursive " IS_BIND },
		{ "none", "/s", "/", { "ro", "bind" }, IS_BIND "  attributes +rdonly\n" },
		{ "tmpfs", "/s", "/", { "bind" }, IS_BIND },
		{ "tmpfs",
		  NULL,
		  "/",
		  { "size=1m", "huge" },
		  "tmpfs on /\n  option size=1m\n  option huge\n" },
		{ "proc",
		  "proc",
		  "/",
		  { "hidepid=2" },
		  "proc on /\n  source proc\n  option hidepid=2\n" },
		{ "sysfs", NULL, "/", { NULL }, "sysfs on /\n" },
		{ "devpts", NULL, "/", { "newinstance" }, "devpts on /\n  option newinstance\n" },
		{ "mqueue", NULL, "/", { NULL }, "mqueue on /\n" },
		{ "cgroup", NULL, "/", { NULL }, "cgroup on /\n" },
		{ "cgroup2", NULL, "/", { NULL }, "cgroup2 on /\n" },
		{ "ext4", "/dev/x", "/", { "acl" }, "ext4 on /\n  source /dev/x\n  option acl\n" },
		{ "xfs", "/x", "/", { "loop" }, "xfs on /\n  source /x\n  loop\n" },
		{ "erofs",
		  "/x",
		  "/",
		  { "loop", "ro" },
		  "erofs on /\n  source /x\n  attributes +rdonly\n  loop\n" },
		{ "ext3", "/x", "/", { NULL }, "ext3 on /\n  source /x\n" },
		{ "btrfs", "/x", "/", { "subvol=a" }, "btrfs on /\n  source /x\n  option subvol=a\n" },
		{ "squashfs", "/x", "/", { "loop" }, "squashfs on /\n  source /x\n  loop\n" },
		{ "vfat", "/x", "/", { NULL }, "vfat on /\n  source /x\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_understood(&rows[i]);
}

#define OVERLAY(...)          \
	"overlay", NULL, "/", \
	{                     \
		__VA_ARGS__   \
	}
#define IS_OVERLAY "overlay on /\n"

TEST(layers)
{
	static const struct row rows[] = {
		{ OVERLAY("lowerdir=/a"), IS_OVERLAY "  lower /a\n" },
		{ OVERLAY("lowerdir=/a:b"), IS_OVERLAY "  lower /a\n  lower b\n" },
		{ OVERLAY("lowerdir=/a\\:b:/c\\\\:/d\\e"),
		  IS_OVERLAY "  lower /a:b\n  lower /c\\\n  lower /d\\e\n" },
		{ OVERLAY("lowerdir=/a::/b::/c"), IS_OVERLAY "  lower /a\n  data /b\n  data /c\n" },
		{ OVERLAY("lowerdir+=/a:b", "lowerdir+=/c,d", "datadir+=/e"),
		  IS_OVERLAY "  lower /a:b\n  lower /c,d\n  data /e\n" },
		{ OVERLAY("lowerdir=/a:/b", "lowerdir+=/c"),
		  IS_OVERLAY "  lower /a\n  lower /b\n  lower /c\n" },
		{ OVERLAY("workdir=/w", "upperdir=/u:v", "lowerdir=/a", "index=off", "volatile"),
		  IS_OVERLAY "  lower /a\n  upper /u:v\n  work /w\n  option index=off\n"
			     "  option volatile\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_understood(&rows[i]);
}

TEST(targets)
{
	static const char *const roots[] = { NULL, "",	 "/",	"//",	 ".",
					     "./", "/.", "./.", ".//./", "/././/" };
	struct row row = { BIND(NULL), IS_BIND };
	AUTO_PLAN struct idm_plan *plan = new_plan();
	AUTO_FREE char *text = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(roots); i++) {
		row.target = roots[i];
		assert_understood(&row);
	}
	for (size_t i = 0; i < 5; i++) {
		static const char *const others[] = { "/", "//a//", "./a", "/.../b", "/..a/b.." };
		struct idm_plan_add_options m = IDM_PLAN_ADD_OPTIONS_INIT;
		struct idm_error err;

		m.type = "tmpfs";
		m.target = others[i];
		assert_ok(idm_plan_add(plan, &m, &err), &err);
	}
	text = plan_text(plan);
	assert_string_equal(text, "tmpfs on /\ntmpfs on /a\ntmpfs on /./a\ntmpfs on /.../b\n"
				  "tmpfs on /..a/b..\n");
}

TEST(flags)
{
	AUTO_PLAN struct idm_plan *plan = new_plan();
	struct idm_plan_add_options m = IDM_PLAN_ADD_OPTIONS_INIT;
	AUTO_FREE char *text = NULL;
	struct idm_error err;

	m.type = "tmpfs";
	m.flags = IDM_PLAN_ADD_MKDIR | IDM_PLAN_ADD_RDONLY_LAST;
	assert_ok(idm_plan_add(plan, &m, &err), &err);
	m.target = "/a";
	m.flags = IDM_PLAN_ADD_MKDIR;
	assert_ok(idm_plan_add(plan, &m, &err), &err);
	/* What becomes of it could not be said before it is attached. */
	m.flags = IDM_PLAN_ADD_RDONLY_LAST;
	assert_error(idm_plan_add(plan, &m, &err), -EINVAL, &err, "tmpfs on /a", "plan mount",
		     "only the root");
	text = plan_text(plan);
	assert_string_equal(text, "tmpfs on /\n  target is created\n  read-only last\n"
				  "tmpfs on /a\n  target is created\n");
}

/* ---- what is refused ---- */

/* The plan has a root already, and stays as it is. */
static void assert_refused(struct idm_plan *plan, const struct idm_plan_add_options *m, int code,
			   const char *message)
{
	AUTO_FREE char *before = plan_text(plan), *after = NULL;
	struct idm_error err;

	assert_error(idm_plan_add(plan, m, &err), code, &err, NULL, NULL, NULL);
	assert_string_equal(err.message, message);
	assert_int_equal(idm_plan_add(plan, m, NULL), code);
	after = plan_text(plan);
	assert_string_equal(after, before);
}

static struct idm_plan *plan_with_root(void)
{
	struct row row = { BIND(NULL), NULL };
	struct idm_plan *plan = new_plan();
	struct idm_plan_add_options m = mount_of(&row);
	struct idm_error err;

	assert_ok(idm_plan_add(plan, &m, &err), &err);
	return plan;
}

#define ON_T(...)           \
	"bind", "/s", "/t", \
	{                   \
		__VA_ARGS__ \
	}
#define OVERLAY_ON_T(...)       \
	"overlay", NULL, "/t/", \
	{                       \
		__VA_ARGS__     \
	}
#define HOLE(word) "overlay on /t: plan mount: " word ": expected a directory, got nothing"

TEST(refused)
{
	static const struct row rows[] = {
		/* words */
		{ ON_T("nosuch"), "bind on /t: plan mount: nosuch: unknown option of a bind" },
		{ ON_T("size=1m"), "bind on /t: plan mount: size=1m: unknown option of a bind" },
		{ ON_T("ro,nosuid"), "bind on /t: plan mount: ro,nosuid: unknown option of a bind" },
		{ ON_T("RO"), "bind on /t: plan mount: RO: unknown option of a bind" },
		{ ON_T("ro "), "bind on /t: plan mount: ro : unknown option of a bind" },
		{ ON_T("rrro"), "bind on /t: plan mount: rrro: unknown option of a bind" },
		{ ON_T("rloop"), "bind on /t: plan mount: rloop: unknown option of a bind" },
		{ ON_T("rdefaults"), "bind on /t: plan mount: rdefaults: unknown option of a bind" },
		{ ON_T("r"), "bind on /t: plan mount: r: unknown option of a bind" },
		{ ON_T("lowerdir=/a"), "bind on /t: plan mount: lowerdir=/a: unknown option of a bind" },
		{ ON_T("ro=1"), "bind on /t: plan mount: ro: expected no value, got \"1\"" },
		{ ON_T("rnoatime=on"),
		  "bind on /t: plan mount: rnoatime: expected no value, got \"on\"" },
		{ ON_T("rslave="), "bind on /t: plan mount: rslave: expected no value, got \"\"" },
		{ ON_T("defaults=1=2"),
		  "bind on /t: plan mount: defaults: expected no value, got \"1=2\"" },
		{ ON_T("rdefaults=1"), "bind on /t: plan mount: rdefaults=1: unknown option of a bind" },
		{ ON_T("rbind=1"), "bind on /t: plan mount: rbind: expected no value, got \"1\"" },
		{ ON_T("remount=1"), "bind on /t: plan mount: remount: not supported by idmount" },
		{ ON_T("remount"), "bind on /t: plan mount: remount: not supported by idmount" },
		{ ON_T("tmpcopyup"), "bind on /t: plan mount: tmpcopyup: not supported by idmount" },
		{ ON_T("ro", ""), "bind on /t: plan mount: an option is empty" },
		{ ON_T("X-containerd.x=1"),
		  "bind on /t: plan mount: X-containerd.x=1: an option for another program, unknown "
		  "to idmount" },
		{ OVERLAY_ON_T("lowerdir=/a", "x-gvfs-hide"),
		  "overlay on /t: plan mount: x-gvfs-hide: an option for another program, unknown "
		  "to idmount" },
		{ ON_T("loop"), "bind on /t: plan mount: loop: requires a filesystem on a device" },
		{ "tmpfs",
		  NULL,
		  "/t",
		  { "loop" },
		  "tmpfs on /t: plan mount: loop: requires a filesystem on a device" },
		{ "tmpfs",
		  NULL,
		  "/t",
		  { "remount" },
		  "tmpfs on /t: plan mount: remount: not supported by idmount" },
		{ "tmpfs",
		  NULL,
		  "/t",
		  { "ro=1" },
		  "tmpfs on /t: plan mount: ro: expected no value, got \"1\"" },
		{ "ext4",
		  "/s",
		  "/t",
		  { "loop=/dev/loop0" },
		  "ext4 on /t: plan mount: loop: expected no value, got \"/dev/loop0\"" },
		{ OVERLAY_ON_T("lowerdir=/a:/b", "nosuid=1"),
		  "overlay on /t: plan mount: nosuid: expected no value, got \"1\"" },
		/* types, sources, targets */
		{ "zfs", "/s", "/t", { NULL }, "zfs: plan mount: unknown type of mount" },
		{ "crypto_LUKS",
		  "/s",
		  "/t",
		  { NULL },
		  "crypto_LUKS: plan mount: unknown type of mount" },
		{ "Bind", "/s", "/t", { NULL }, "Bind: plan mount: unknown type of mount" },
		{ NULL, "/s", "/t", { "ro" }, "/t: plan mount: the type is missing" },
		{ "bind",
		  NULL,
		  "/t/",
		  { NULL },
		  "bind on /t: plan mount: the type bind requires a source" },
		{ "bind",
		  "",
		  "/t",
		  { NULL },
		  "bind on /t: plan mount: the type bind requires a source" },
		{ "ext4",
		  NULL,
		  "/t",
		  { "loop" },
		  "ext4 on /t: plan mount: the type ext4 requires a source" },
		{ "bind",
		  "/s",
		  "/t/../x",
		  { NULL },
		  "/t/../x: plan mount: expected a target without \"..\"" },
		{ "bind", "/s", "..", { NULL }, "..: plan mount: expected a target without \"..\"" },
		{ "bind",
		  "/s",
		  "/t/..",
		  { NULL },
		  "/t/..: plan mount: expected a target without \"..\"" },
		/* layers */
		{ OVERLAY_ON_T(NULL), "overlay on /t: plan mount: lowerdir= is missing" },
		{ OVERLAY_ON_T("datadir+=/a"), "overlay on /t: plan mount: lowerdir= is missing" },
		{ OVERLAY_ON_T("lowerdir="), HOLE("lowerdir") },
		{ OVERLAY_ON_T("lowerdir=:/a"), HOLE("lowerdir") },
		{ OVERLAY_ON_T("lowerdir=/a:"), HOLE("lowerdir") },
		{ OVERLAY_ON_T("lowerdir=::/a"), HOLE("lowerdir") },
		{ OVERLAY_ON_T("lowerdir=/a::"), HOLE("lowerdir") },
		{ OVERLAY_ON_T("lowerdir=/a:::/b"), HOLE("lowerdir") },
		{ OVERLAY_ON_T("lowerdir=/a::/b:/c"), HOLE("lowerdir") },
		{ OVERLAY_ON_T("lowerdir+="),
		  "overlay on /t: plan mount: lowerdir+: expected a directory, got nothing" },
		{ OVERLAY_ON_T("datadir+="),
		  "overlay on /t: plan mount: datadir+: expected a directory, got nothing" },
		{ OVERLAY_ON_T("lowerdir=/a", "lowerdir=/b"),
		  "overlay on /t: plan mount: lowerdir: duplicate option" },
		{ OVERLAY_ON_T("lowerdir=/a", "upperdir="),
		  "overlay on /t: plan mount: upperdir: expected a directory, got nothing" },
		{ OVERLAY_ON_T("lowerdir=/a", "upperdir=/u", "upperdir=/v"),
		  "overlay on /t: plan mount: upperdir: duplicate option" },
		{ OVERLAY_ON_T("lowerdir=/a", "workdir=/u", "workdir=/u"),
		  "overlay on /t: plan mount: workdir: duplicate option" },
		{ OVERLAY_ON_T("lowerdir=/a", "upperdir=/u"),
		  "overlay on /t: plan mount: workdir= is missing" },
		{ OVERLAY_ON_T("lowerdir=/a", "workdir=/u"),
		  "overlay on /t: plan mount: upperdir= is missing" },
		/* maps */
		{ ON_T("uidmap=0:1:2"),
		  "bind on /t: plan mount: expected a map of user and group IDs, got only user IDs" },
		{ ON_T("ro", "gidmap=0:1:2"),
		  "bind on /t: plan mount: expected a map of user and group IDs, got only group IDs" },
		{ ON_T("idmap=uids=0-1-2"),
		  "bind on /t: plan mount: expected a map of user and group IDs, got only user IDs" },
		{ ON_T("uidmap=", "gidmap=0:1:2"), "bind on /t: plan mount: uidmap=: the map is empty" },
		{ ON_T("ridmap="), "bind on /t: plan mount: ridmap=: the map is empty" },
		{ ON_T("idmap"), "bind on /t: plan mount: idmap requires a map" },
		{ ON_T("ro", "ridmap"), "bind on /t: plan mount: ridmap requires a map" },
		{ ON_T(MAP, "uidmap=7:7:7"), "bind on /t: plan mount: uidmap=7:7:7: duplicate map" },
		{ ON_T("idmap=uids=0-1-2;gids=0-1-2", "gidmap=7:7:7"),
		  "bind on /t: plan mount: gidmap=7:7:7: duplicate map" },
		{ ON_T("uidmap=0:1:2", "ridmap=uids=5-1-2;gids=0-1-2"),
		  "bind on /t: plan mount: ridmap=uids=5-1-2;gids=0-1-2: duplicate map" },
		{ ON_T("uidmap=0:1:0", "gidmap=0:1:2"),
		  "u:0:1:0: add to map: expected a count of 1 or more, got 0" },
		{ ON_T("uidmap=root:1:1", "gidmap=0:1:2"),
		  "root:1:1: parse map: expected a number, got \"root\"" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_PLAN struct idm_plan *plan = plan_with_root();
		struct idm_plan_add_options m = mount_of(&rows[i]);

		assert_refused(plan, &m, -EINVAL, rows[i].expected);
	}
}

/* The second column of a map of n entries that cannot be merged. */
static void add_many(struct idm_map *map, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		struct idm_entry e = { 2 * i, 4000000000U + 3 * i, 1 };

		assert_int_equal(idm_map_add(map, IDM_BOTH, &e, 1, NULL), 0);
	}
}

TEST(a_map_beside_the_words)
{
	AUTO_PLAN struct idm_plan *plan = plan_with_root();
	AUTO_MAP struct idm_map *map = map_of("0:1:2"), *half = map_of("u:0:1:2"), *big = map_of("");
	struct row row = { ON_T("idmap"), NULL }, with_map = { ON_T(MAP), NULL };
	struct idm_plan_add_options m = mount_of(&row);
	AUTO_FREE char *text = NULL;
	struct idm_error err;

	m.map = half;
	assert_refused(
		plan, &m, -EINVAL,
		"bind on /t: plan mount: expected a map of user and group IDs, got only user IDs");
	m.map = map;
	assert_ok(idm_plan_add(plan, &m, &err), &err);
	text = plan_text(plan);
	assert_string_equal(text, IS_BIND "bind on /t\n  source /s\n  map of this mount alone 0:1:2\n");
	m = mount_of(&with_map);
	m.map = map;
	assert_refused(plan, &m, -EINVAL,
		       "bind on /t: plan mount: duplicate map: one among the options, one beside them");
	add_many(big, 341);
	m = mount_of(&row);
	m.map = big;
	assert_error(idm_plan_add(plan, &m, &err), -E2BIG, &err, NULL, NULL, "340");
}

TEST(options_that_are_null_are_refused)
{
	AUTO_PLAN struct idm_plan *plan = plan_with_root();
	static const char *const options[] = { "ro", NULL };
	struct idm_plan_add_options m = IDM_PLAN_ADD_OPTIONS_INIT;

	m.type = "tmpfs";
	m.target = "/t";
	m.n_options = 2;
	assert_refused(plan, &m, -EINVAL, "plan mount: options: expected 2 options, got NULL");
	m.options = options;
	assert_refused(plan, &m, -EINVAL, "/t: plan mount: options[1]: expected an option, got NULL");
}

TEST(options_of_another_size)
{
	AUTO_PLAN struct idm_plan *plan = plan_with_root();
	struct {
		struct idm_plan_add_options m;
		char more[16];
	} newer = { IDM_PLAN_ADD_OPTIONS_INIT, { 0 } };
	struct idm_plan_add_options m = IDM_PLAN_ADD_OPTIONS_INIT;
	struct idm_error err;

	newer.m.size = sizeof(newer);
	newer.m.type = "tmpfs";
	newer.m.target = "/t";
	assert_ok(idm_plan_add(plan, &newer.m, &err), &err);
	newer.more[15] = 1;
	assert_refused(plan, &newer.m, -E2BIG, "plan mount: these options require a newer library");
	m.size = 0;
	assert_refused(plan, &m, -EINVAL, "plan mount: the options' size is not set");
	m.size = 8;
	assert_error(idm_plan_add(plan, &m, &err), -EINVAL, &err, "", "plan mount",
		     "expected a size of at least ");
	m.size = offsetof(struct idm_plan_add_options, map);
	assert_error(idm_plan_add(plan, &m, &err), -EINVAL, &err, "", "plan mount", ", got ");
	m.type = "tmpfs";
	m.target = "/t";
	m.size = sizeof(m);
	m.map = NULL;
	m.flags = 0x14;
	assert_refused(plan, &m, -EINVAL, "/t: plan mount: unknown flags 0x14");
}

TEST(only_the_first_mount_is_the_root)
{
	static const char *const targets[] = { NULL, "", "/", "//", ".", "/./", "//.//." };
	struct row row = { ON_T(NULL), NULL };
	struct idm_plan_add_options m = mount_of(&row);

	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		AUTO_PLAN struct idm_plan *plan = plan_with_root();

		m.target = targets[i];
		assert_refused(plan, &m, -EINVAL, "bind on /: plan mount: duplicate root");
	}
}

TEST(the_first_mount_is_the_root)
{
	AUTO_PLAN struct idm_plan *plan = new_plan();
	struct row row = { ON_T(NULL), NULL };
	struct idm_plan_add_options m = mount_of(&row);

	assert_refused(plan, &m, -EINVAL, "bind on /t: plan mount: expected the root as first mount");
}

TEST(a_directory_that_is_none)
{
	AUTO_PLAN struct idm_plan *plan = plan_with_root();
	struct row row = { ON_T(NULL), NULL };
	struct idm_plan_add_options m = mount_of(&row);

	m.dirfd = 987;
	assert_refused(plan, &m, -EBADF, "bind on /t: plan mount: descriptor 987 is not open");
}

/* What a program passes in is its own again when the call returns. */
TEST(everything_is_copied)
{
	AUTO_PLAN struct idm_plan *plan = new_plan();
	char type[] = "overlay", source[] = "rootfs", target[] = "/", word[] = "lowerdir=a:/b",
	     option[] = "index=off";
	const char *words[] = { word, option };
	struct idm_plan_add_options m = IDM_PLAN_ADD_OPTIONS_INIT;
	AUTO_FREE char *text = NULL;
	struct idm_error err;

	m.type = type;
	m.source = source;
	m.target = target;
	m.options = words;
	m.n_options = 2;
	m.map = map_of("0:1:2");
	m.dirfd = (int)must(open("/", O_PATH | O_CLOEXEC));
	assert_ok(idm_plan_add(plan, &m, &err), &err);
	must(close(m.dirfd));
	idm_map_free((struct idm_map *)m.map);
	assert_string_equal(word, "lowerdir=a:/b");
	memset(type, 'x', sizeof(type) - 1);
	memset(source, 'x', sizeof(source) - 1);
	memset(target, 'x', sizeof(target) - 1);
	memset(word, 'x', sizeof(word) - 1);
	memset(option, 'x', sizeof(option) - 1);
	words[0] = words[1] = NULL;
	text = plan_text(plan);
	assert_string_equal(text,
			    IS_OVERLAY "  source DIR:rootfs\n  lower DIR:a\n  lower /b\n  map 0:1:2\n"
				       "  option index=off\n");
}

/* A mount is told by a name that may not fit into an error: that is seen. */
TEST(a_very_long_target)
{
	AUTO_PLAN struct idm_plan *plan = plan_with_root();
	struct row row = { ON_T("nosuch"), NULL };
	struct idm_plan_add_options m = mount_of(&row);
	char target[3000];
	struct idm_error err;

	memset(target, 'a', sizeof(target) - 1);
	target[sizeof(target) - 1] = '\0';
	m.target = target;
	assert_error(idm_plan_add(plan, &m, &err), -EINVAL, &err, "bind on /aaa", "plan mount",
		     "nosuch");
	assert_string_equal(PART(err, subject) + strlen(PART(err, subject)) - 4, "a...");
}

/* ---- hardening ---- */

/* Adds the mount with the map, hardens the plan and returns its text: as the first mount, or the second.
 */
static char *hardened(const struct row *row, const char *text, bool first, const char *container,
		      size_t changed)
{
	AUTO_MAP struct idm_map *map = text ? map_of(text) : NULL;
	AUTO_MAP struct idm_map *ids = container ? map_of(container) : NULL;
	AUTO_PLAN struct idm_plan *plan = first ? new_plan() : plan_with_root();
	struct idm_plan_add_options m = mount_of(row);
	struct idm_hardening_info why;
	struct idm_error err;

	m.map = map;
	m.target = first ? "/" : "/t";
	assert_ok(idm_plan_add(plan, &m, &err), &err);
	assert_int_equal(idm_plan_harden(plan, ids, &why), changed);
	assert_int_equal(!!why.kind, changed);
	assert_int_equal(idm_plan_harden(plan, ids, NULL), 0);
	return plan_text(plan);
}

#define DEVLESS "  attributes +nodev\n"
#define SAFE "  attributes +nosuid +nodev\n"

/* A root filesystem has no device files, and its set-user-ID programs as long as they are no other's. */
TEST(hardening_of_the_root)
{
	static const struct {
		struct row row;
		const char *map;
		size_t changed;
	} tries[] = {
		{ { BIND("ro"), IS_BIND "  attributes +rdonly +nodev\n" }, NULL, 0 },
		{ { BIND("dev"), IS_BIND "  attributes -nodev\n" }, NULL, 0 },
		{ { BIND("rbind"), "recursive " IS_BIND "  attributes of all below too +nodev\n" },
		  NULL,
		  0 },
		{ { BIND(NULL), IS_BIND "  map 0:0:9\n" DEVLESS }, "0:0:9", 0 },
		{ { BIND(NULL), IS_BIND "  map 0:100000:65536\n" DEVLESS }, "0:100000:65536", 0 },
		{ { BIND(NULL), IS_BIND "  map 1000:0:1\n" SAFE }, "1000:0:1", 1 },
		{ { BIND(NULL), IS_BIND "  map u:0:0:1,g:5:0:1\n" SAFE }, "u:0:0:1,g:5:0:1", 1 },
		{ { BIND("suid"), IS_BIND "  map 5:0:1\n  attributes -nosuid +nodev\n" }, "5:0:1", 1 },
		{ { BIND("dev"), IS_BIND "  map 5:0:1\n  attributes +nosuid -nodev\n" }, "5:0:1", 1 },
		{ { BIND("suid", "dev"), IS_BIND "  map 5:0:1\n  attributes -nosuid -nodev\n" },
		  "5:0:1",
		  0 },
		{ { BIND("nodev", "nosuid"), IS_BIND "  map 5:0:1\n" SAFE }, "5:0:1", 0 },
		{ { OVERLAY("lowerdir=/a:/b"), IS_OVERLAY "  lower /a\n  lower /b\n  map 5:0:1\n" SAFE },
		  "5:0:1",
		  1 },
		{ { OVERLAY("lowerdir=/a"), IS_OVERLAY "  lower /a\n" DEVLESS }, NULL, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(tries); i++) {
		AUTO_FREE char *text = hardened(&tries[i].row, tries[i].map, true, NULL,
						tries[i].changed);

		assert_string_equal(text, tries[i].row.expected);
	}
}

/* No mount of others needs set-user-ID programs that belong to another user on disk. */
TEST(hardening_of_binds)
{
	static const struct {
		struct row row;
		const char *map, *container;
		const char *expected; /* the last lines */
		size_t changed;
	} tries[] = {
		{ { BIND(NULL), NULL }, NULL, NULL, "bind on /t\n  source /s\n" DEVLESS, 0 },
		{ { BIND("dev"), NULL }, NULL, NULL, "source /s\n  attributes -nodev\n", 0 },
		{ { BIND(NULL), NULL }, "0:0:9", NULL, "map 0:0:9\n" DEVLESS, 0 },
		{ { BIND(NULL), NULL }, "0:100000:65536", NULL, SAFE, 1 },
		{ { BIND(NULL), NULL }, "4321:4322:1", NULL, SAFE, 1 },
		{ { BIND(NULL), NULL }, "u:0:0:9,g:4:5:1", NULL, SAFE, 1 },
		{ { BIND("suid"), NULL }, "4:5:1", NULL, "  attributes -nosuid +nodev\n", 1 },
		{ { BIND("suid", "dev"), NULL }, "4:5:1", NULL, "  attributes -nosuid -nodev\n", 0 },
		{ { BIND("rbind"), NULL },
		  "4:5:1",
		  NULL,
		  "map 4:5:1\n  attributes of all below too +nosuid +nodev\n",
		  1 },
		{ { BIND("rbind", "idmap"), NULL },
		  "4:5:1",
		  NULL,
		  "map of this mount alone 4:5:1\n  attributes +nosuid\n"
		  "  attributes of all below too +nodev\n",
		  1 },
		{ { "tmpfs", NULL, "/", { NULL }, NULL }, NULL, NULL, "tmpfs on /t\n", 0 },
		{ { "devpts", NULL, "/", { NULL }, NULL }, NULL, NULL, "devpts on /t\n", 0 },
		{ { "tmpfs", NULL, "/", { NULL }, NULL }, "4:5:1", NULL, SAFE, 1 },
		{ { "ext4", "/dev/x", "/", { NULL }, NULL }, NULL, NULL, DEVLESS, 0 },
		{ { BIND(NULL), NULL }, "0:100000:65536", "0:100000:65536", "65536\n" DEVLESS, 0 },
		{ { BIND(NULL), NULL }, "1000:100000:1", "0:100000:65536", SAFE, 1 },
		{ { BIND(NULL), NULL }, "1000:1000:1", "0:100000:65536", SAFE, 1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(tries); i++) {
		AUTO_FREE char *text = hardened(&tries[i].row, tries[i].map, false, tries[i].container,
						tries[i].changed);
		size_t n = strlen(text), tail = strlen(tries[i].expected);

		assert_true(n >= tail);
		assert_string_equal(text + n - tail, tries[i].expected);
	}
}

TEST(hardening_counts_mounts)
{
	AUTO_PLAN struct idm_plan *plan = plan_with_root();
	AUTO_MAP struct idm_map *map = map_of("7:8:1");
	struct row row = { ON_T(NULL), NULL };
	struct idm_plan_add_options m = mount_of(&row);
	struct idm_hardening_info why;
	struct idm_error err;

	assert_int_equal(idm_plan_harden(plan, NULL, &why), 0);
	assert_int_equal(why.kind, 0);
	m.map = map;
	for (int i = 0; i < 3; i++)
		assert_ok(idm_plan_add(plan, &m, &err), &err);
	assert_int_equal(idm_plan_harden(plan, NULL, &why), 3);
	assert_int_equal(why.kind, IDM_UID);
	assert_int_equal(why.disk, 7);
	assert_int_equal(why.seen, 8);
	assert_ok(idm_plan_add(plan, &m, &err), &err);
	assert_int_equal(idm_plan_harden(plan, NULL, NULL), 1);
}

TEST(no_plan)
{
	idm_plan_free(NULL);
}

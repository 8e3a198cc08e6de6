// SPDX-License-Identifier: MIT
/* Plans put together: every mount with its map and attributes, in both ways, and nothing beside it. */
#include <limits.h>
#include <stdarg.h>
#include <sys/wait.h>

#include "lib/sys/syscall.h"
#include "plans.h"

#define OUTSIDE SCRATCH "/outside"

static const unsigned int ways[] = { 0, IDM_PLAN_APPLY_IN_NAMESPACE, IDM_PLAN_APPLY_DETACHED };

/* Before Linux 6.15 the last one is refused: see a_way_that_is_not_there. */
static size_t ways_here(void)
{
	return ARRAY_SIZE(ways) - kernel_is_before(6, 15);
}

#define EACH_WAY(way) for (size_t i_ = 0, way; i_ < ways_here() && (way = ways[i_], true); i_++)

static void apply_in(const struct idm_plan *plan, size_t way)
{
	struct idm_plan_apply_options o = IDM_PLAN_APPLY_OPTIONS_INIT;
	struct idm_error err;

	o.flags = (unsigned int)way;
	assert_ok(idm_plan_apply(plan, AT_FDCWD, TARGET, &o, &err), &err);
}

static uint32_t attributes_of(const char *path)
{
	return mount_at(path).attr & ~IDM_ATTR_IDMAP;
}

/* A bind has those of its source too, and the scratch filesystem is nosuid and nodev. */
static uint32_t attributes_of_bind(const char *path)
{
	return attributes_of(path) & ~(IDM_ATTR_NOSUID | IDM_ATTR_NODEV);
}

static bool is_mapped(const char *path)
{
	return mount_at(path).attr & IDM_ATTR_IDMAP;
}

/* ---- what is put together ---- */

TEST(a_root_with_everything)
{
	AUTO_PLAN struct idm_plan *plan = plan_new();

	enter_image();
	scratch_dir(OUTSIDE);
	scratch_file(OUTSIDE "/hosts", "127.0.0.1 localhost\n");
	scratch_dir(ROOT "/dev");
	scratch_dir(ROOT "/proc");
	plan_step(plan, "bind", ROOT, "/", "rw", MAP, NULL);
	plan_step(plan, "tmpfs", "shm", "/dev", "nosuid", "noexec", "size=1m", "mode=755", NULL);
	add_flags = IDM_PLAN_ADD_MKDIR; /* in a tmpfs that is not mounted anywhere yet */
	plan_step(plan, "devpts", "devpts", "/dev/pts", "newinstance", "ptmxmode=0666", NULL);
	plan_step(plan, "mqueue", "mqueue", "/dev/mqueue", NULL);
	add_flags = 0;
	plan_step(plan, "proc", "proc", "/proc", "nosuid", "nodev", "noexec", NULL);
	plan_step(plan, "bind", OUTSIDE "/hosts", "/etc/hosts", "ro", "uidmap=0:100000:1",
		  "gidmap=0:100000:1", NULL);
	EACH_WAY(way)
	{
		struct snapshot *before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);

		apply_in(plan, way);
		assert_owner(TARGET "/etc/passwd", 100000, 100000);
		assert_owner(TARGET "/etc/mail", 100008, 100012);
		assert_int_equal(attributes_of(TARGET "/dev"), IDM_ATTR_NOSUID | IDM_ATTR_NOEXEC);
		assert_int_equal(attributes_of(TARGET "/proc"),
				 IDM_ATTR_NOSUID | IDM_ATTR_NODEV | IDM_ATTR_NOEXEC);
		must(access(TARGET "/dev/pts/ptmx", R_OK | W_OK));
		must(access(TARGET "/proc/self/status", R_OK));
		/* A read-only bind with a map is both. */
		assert_owner(TARGET "/etc/hosts", 100000, 100000);
		assert_int_equal(open(TARGET "/etc/hosts", O_RDWR | O_CLOEXEC), -1);
		assert_int_equal(errno, EROFS);
		unmount_target();
		snapshot_assert_same(before);
	}
}

TEST(nothing_is_seen_before_it_is_attached)
{
	AUTO_PLAN struct idm_plan *plan = plan_new();

	enter_image();
	plan_step(plan, "bind", ROOT, "/", MAP, NULL);
	plan_step(plan, "tmpfs", NULL, "/etc", NULL);
	EACH_WAY(way)
	{
		struct snapshot *before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
		struct snapshot *mounts = snapshot_take(SNAPSHOT_MOUNTS);
		struct idm_plan_apply_options o = IDM_PLAN_APPLY_OPTIONS_INIT;
		struct idm_error err;
		int tree;

		o.flags = (unsigned int)way;
		tree = (int)assert_ok(idm_plan_open(plan, &o, &err), &err);
		snapshot_assert_same(mounts);
		/* It is all there, though. */
		assert_int_equal(faccessat(tree, "etc/passwd", F_OK, 0), -1);
		must(faccessat(tree, "bin/sh", F_OK, 0));
		must(close(tree));
		snapshot_assert_same(before);
	}
}

TEST(overlays)
{
	AUTO_PLAN struct idm_plan *plan = plan_new();
	struct idm_plan_apply_options o = IDM_PLAN_APPLY_OPTIONS_INIT;
	struct idm_error err;

	enter_image();
	scratch_dir(SCRATCH "/l2/var");
	scratch_dir(SCRATCH "/up");
	scratch_dir(SCRATCH "/work");
	must(chown(SCRATCH "/l2/var", 5, 6));
	plan_step(plan, "overlay", "rootfs", "/", "index=off", "workdir=" SCRATCH "/work",
		  "upperdir=" SCRATCH "/up", "lowerdir=" SCRATCH "/l2:" ROOT, MAP, NULL);
	plan_step(plan, "tmpfs", NULL, "/etc", "size=64k", NULL);
	EACH_WAY(way)
	{
		o.flags = (unsigned int)way;
		o.upper_ids = IDM_UPPER_DISK;
		assert_ok(idm_plan_apply(plan, AT_FDCWD, TARGET, &o, &err), &err);
		assert_owner(TARGET "/var", 100005, 100006);
		assert_owner(TARGET "/bin/sh", 100000, 100000);
		must(chown(TARGET "/bin/sh", 100007, 100007));
		assert_owner(SCRATCH "/up/bin/sh", 7, 7);
		must(chown(TARGET "/bin/sh", 100000, 100000));
		unmount_target();
	}
}

/* The root has no upper directory, and the flag is not for it. */
TEST(uppers_that_the_caller_calls_unused_are_not_searched_for)
{
	AUTO_PLAN struct idm_plan *plan = plan_new();
	struct idm_plan_apply_options o = IDM_PLAN_APPLY_OPTIONS_INIT;
	struct idm_error err;

	enter_image();
	scratch_dir(SCRATCH "/l2");
	scratch_dir(SCRATCH "/up");
	scratch_dir(SCRATCH "/work");
	plan_step(plan, "overlay", "rootfs", "/", "lowerdir=" SCRATCH "/l2:" ROOT, NULL);
	plan_step(plan, "overlay", "changes", "/etc", "upperdir=" SCRATCH "/up",
		  "workdir=" SCRATCH "/work", "lowerdir=" SCRATCH "/l2", NULL);
	EACH_WAY(way)
	{
		int tree;

		apply_in(plan, way);
		o.flags = (unsigned int)way;
		assert_error(idm_plan_open(plan, &o, &err), -EBUSY, &err, SCRATCH "/up", "open overlay",
			     "in use");
		o.flags |= IDM_PLAN_APPLY_UPPER_UNUSED;
		tree = (int)assert_ok(idm_plan_open(plan, &o, &err), &err);
		close(tree);
		unmount_target();
	}
}

TEST(filesystems_on_a_file)
{
	AUTO_PLAN struct idm_plan *plan = plan_new();
	struct snapshot *before;

	enter_image();
	scratch_filesystem("ext4", SCRATCH "/made", ROOT);
	do_umount_idle(SCRATCH "/made");
	plan_step(plan, "ext4", SCRATCH "/made.ext4", "/", "loop", "ro", MAP, NULL);
	plan_step(plan, "tmpfs", NULL, "/etc", NULL);
	before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
	EACH_WAY(way)
	{
		apply_in(plan, way);
		assert_owner(TARGET "/bin/sh", 100000, 100000);
		assert_int_equal(mkdir(TARGET "/new", 0755), -1);
		assert_int_equal(errno, EROFS);
		unmount_target();
	}
	snapshot_assert_same(before);
}

/* ---- recursive binds ---- */

/* The root as a recursive bind with a mount below it. */
static void enter_with_submount(void)
{
	enter_image();
	scratch_dir(ROOT "/sub");
	mount_mappable(ROOT "/sub/mount");
	owned_file(ROOT "/sub/mount/file", 1, 2);
}

/* ...: words */
#define apply_bind(way, ...)                                            \
	do {                                                            \
		AUTO_PLAN struct idm_plan *plan_ = plan_new();          \
		plan_step(plan_, "bind", ROOT, "/", __VA_ARGS__, NULL); \
		apply_in(plan_, way);                                   \
	} while (0)

TEST(how_far_a_map_goes)
{
	enter_with_submount();
	EACH_WAY(way)
	{
		/* As far as the bind, as containerd does it. */
		apply_bind(way, "rbind", MAP);
		assert_owner(TARGET "/etc/passwd", 100000, 100000);
		assert_owner(TARGET "/sub/mount/file", 100001, 100002);
		unmount_target();
		apply_bind(way, "rbind", "ridmap", MAP);
		assert_owner(TARGET "/sub/mount/file", 100001, 100002);
		unmount_target();
		apply_bind(way, "rbind", "idmap", MAP);
		assert_owner(TARGET "/etc/passwd", 100000, 100000);
		assert_owner(TARGET "/sub/mount/file", 1, 2);
		assert_true(!is_mapped(TARGET "/sub/mount"));
		unmount_target();
		apply_bind(way, "bind", "ridmap", MAP);
		assert_owner(TARGET "/etc/passwd", 100000, 100000);
		assert_int_equal(access(TARGET "/sub/mount/file", F_OK), -1);
		unmount_target();
	}
}

TEST(how_far_attributes_go)
{
	enter_with_submount();
	EACH_WAY(way)
	{
		apply_bind(way, "rbind", "ro", "rnoexec");
		assert_int_equal(attributes_of_bind(TARGET "/etc"), IDM_ATTR_RDONLY | IDM_ATTR_NOEXEC);
		assert_int_equal(attributes_of_bind(TARGET "/sub/mount"), IDM_ATTR_NOEXEC);
		unmount_target();
		apply_bind(way, "rbind", "rro", "rw");
		assert_int_equal(attributes_of_bind(TARGET "/etc"), 0);
		assert_int_equal(attributes_of_bind(TARGET "/sub/mount"), IDM_ATTR_RDONLY);
		unmount_target();
		apply_bind(way, "rbind", "rnoatime", "strictatime");
		assert_int_equal(attributes_of_bind(TARGET "/etc"), IDM_ATTR_STRICTATIME);
		assert_int_equal(attributes_of_bind(TARGET "/sub/mount"), IDM_ATTR_NOATIME);
		unmount_target();
		/* Of two that contradict each other the later one holds. */
		apply_bind(way, "ro", "rw", "noexec");
		assert_int_equal(attributes_of_bind(TARGET "/etc"), IDM_ATTR_NOEXEC);
		unmount_target();
	}
}

/* ---- targets ---- */

TEST(targets_are_created)
{
	AUTO_PLAN struct idm_plan *plan = plan_new();
	struct idm_plan_apply_options o = IDM_PLAN_APPLY_OPTIONS_INIT;
	struct idm_error err;

	enter_image();
	scratch_dir(OUTSIDE);
	scratch_file(OUTSIDE "/file", "");
	add_flags = IDM_PLAN_ADD_RDONLY_LAST;
	plan_step(plan, "bind", ROOT, "/", "ro", NULL);
	add_flags = 0;
	plan_step(plan, "tmpfs", NULL, "/new//deep/", NULL);
	plan_step(plan, "bind", OUTSIDE "/file", "/etc/new.conf", NULL);
	EACH_WAY(way)
	{
		struct snapshot *before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);

		o.flags = (unsigned int)way;
		assert_error(idm_plan_apply(plan, AT_FDCWD, TARGET, &o, &err), -ENOENT, &err,
			     "new//deep", "open target", NULL);
		snapshot_assert_same(before);
		o.flags |= IDM_PLAN_APPLY_MKDIR;
		assert_ok(idm_plan_apply(plan, AT_FDCWD, TARGET, &o, &err), &err);
		assert_int_equal(attributes_of_bind(TARGET "/etc"), IDM_ATTR_RDONLY);
		must(access(TARGET "/new/deep", W_OK));
		must(access(TARGET "/etc/new.conf", W_OK));
		unmount_target();
		must(rmdir(ROOT "/new/deep"));
		must(rmdir(ROOT "/new"));
		must(unlink(ROOT "/etc/new.conf"));
	}
}

/* What symbolic links in an image are made for. */
TEST(no_link_leads_out)
{
	static const struct {
		const char *link, *to, *target;
		int error; /* 0: mounted, at... */
		const char *place;
	} tries[] = {
		{ "absolute", OUTSIDE, "/absolute", -ELOOP, NULL },
		{ "relative", "../outside", "/relative", -ELOOP, NULL },
		{ "up", "../../../../../..", "/up/etc", 0, TARGET "/etc" },
		{ "out", OUTSIDE, "/out/dir", -ENOENT, NULL },
		{ "in", "/etc", "/in/dir", 0, TARGET "/etc/dir" },
		{ "magic", "/proc/self/cwd", "/magic/etc", -ELOOP, NULL },
		{ "magic-root", "/proc/self/root", "/magic-root/etc", -ELOOP, NULL },
		{ "loop", "loop", "/loop/x", -ELOOP, NULL },
		/* The last component is not followed, whatever is behind it. */
		{ "slash", "/etc", "/slash/", -ELOOP, NULL },
		{ "slashes", "/etc", "/slashes//", -ELOOP, NULL },
		{ "dot", "/etc", "/dot/.", -ELOOP, NULL },
		{ "dots", "/etc", "/dots/././", -ELOOP, NULL },
	};
	struct idm_error err;

	enter_image();
	scratch_dir(OUTSIDE "/dir");
	scratch_dir(ROOT "/etc/dir");
	scratch_dir(ROOT "/proc");
	for (size_t i = 0; i < ARRAY_SIZE(tries); i++) {
		char link[PATH_MAX];

		snprintf(link, sizeof(link), ROOT "/%s", tries[i].link);
		must(symlink(tries[i].to, link));
	}
	EACH_WAY(way)
	for (size_t i = 0; i < ARRAY_SIZE(tries); i++) {
		AUTO_PLAN struct idm_plan *plan = plan_new();
		struct snapshot *before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
		struct idm_plan_apply_options o = IDM_PLAN_APPLY_OPTIONS_INIT;

		o.flags = (unsigned int)way;
		plan_step(plan, "bind", ROOT, "/", NULL);
		plan_step(plan, "proc", "proc", "/proc", NULL);
		plan_step(plan, "tmpfs", "trick", tries[i].target, NULL);
		if (tries[i].error) {
			assert_error(idm_plan_apply(plan, AT_FDCWD, TARGET, &o, &err), tries[i].error,
				     &err, tries[i].link, "open target", NULL);
		} else {
			assert_ok(idm_plan_apply(plan, AT_FDCWD, TARGET, &o, &err), &err);
			assert_mounted(tries[i].place);
			unmount_target();
		}
		snapshot_assert_same(before);
	}
}

TEST(no_target_is_behind_a_link)
{
	static const char *const behind[] = { "", "/", "//", "/.", "/./", "/inside/..", "/inside/../." };
	struct idm_error err;

	enter_image();
	scratch_dir(SCRATCH "/victim/inside");
	must(symlink("victim", SCRATCH "/link"));
	EACH_WAY(way)
	for (size_t i = 0; i < ARRAY_SIZE(behind); i++) {
		AUTO_PLAN struct idm_plan *plan = plan_new();
		struct snapshot *before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
		struct idm_plan_apply_options o = IDM_PLAN_APPLY_OPTIONS_INIT;
		char path[64];

		snprintf(path, sizeof(path), SCRATCH "/link%s", behind[i]);
		o.flags = (unsigned int)way | (i % 2 ? IDM_PLAN_APPLY_MKDIR : 0);
		plan_step(plan, "bind", ROOT, "/", NULL);
		assert_error(idm_plan_apply(plan, AT_FDCWD, path, &o, &err), -ELOOP, &err, path,
			     "open target", "symbolic link");
		snapshot_assert_same(before);
	}
}

/* Both are no directories, so that the kernel would put one on the other. */
TEST(a_file_is_not_put_on_a_link)
{
	struct idm_error err;

	enter_image();
	scratch_file(SCRATCH "/source-file", "");
	scratch_file(ROOT "/there", "");
	must(symlink("there", ROOT "/link"));
	EACH_WAY(way)
	{
		AUTO_PLAN struct idm_plan *plan = plan_new();
		struct snapshot *before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
		struct idm_plan_apply_options o = IDM_PLAN_APPLY_OPTIONS_INIT;

		o.flags = (unsigned int)way;
		plan_step(plan, "bind", ROOT, "/", NULL);
		plan_step(plan, "bind", SCRATCH "/source-file", "/link", "bind", NULL);
		assert_error(idm_plan_apply(plan, AT_FDCWD, TARGET, &o, &err), -ELOOP, &err, "link",
			     "open target", "symbolic link");
		snapshot_assert_same(before);
	}
}

/* ---- propagation ---- */

TEST(propagation_is_what_the_words_say)
{
	AUTO_PLAN struct idm_plan *plan = plan_new();

	enter_image();
	scratch_dir(SCRATCH "/shared/target");
	do_mount("shared", SCRATCH "/shared", "tmpfs", 0, NULL);
	do_mount(NULL, SCRATCH "/shared", NULL, MS_SHARED, NULL);
	must(mkdir(SCRATCH "/shared/target", 0755));
	plan_step(plan, "bind", ROOT, "/", "rprivate", NULL);
	plan_step(plan, "tmpfs", NULL, "/etc", "slave", NULL);
	plan_step(plan, "tmpfs", NULL, "/bin", "shared", NULL);
	EACH_WAY(way)
	{
		struct idm_plan_apply_options o = IDM_PLAN_APPLY_OPTIONS_INIT;
		struct idm_error err;

		o.flags = (unsigned int)way;
		assert_ok(idm_plan_apply(plan, AT_FDCWD, SCRATCH "/shared/target", &o, &err), &err);
		assert_int_equal(mount_at(SCRATCH "/shared/target").propagation,
				 IDM_PROPAGATION_PRIVATE);
		assert_int_equal(mount_at(SCRATCH "/shared/target/bin").propagation,
				 IDM_PROPAGATION_SHARED);
		do_umount(SCRATCH "/shared/target");
	}
}

/* ---- failures ---- */

static void fails(struct idm_plan *plan, int code, const char *subject, const char *reason)
{
	EACH_WAY(way)
	{
		struct snapshot *before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
		struct idm_plan_apply_options o = IDM_PLAN_APPLY_OPTIONS_INIT;
		struct idm_error err;

		o.flags = (unsigned int)way | IDM_PLAN_APPLY_MKDIR;
		o.journal = SCRATCH "/journal";
		assert_error(idm_plan_apply(plan, AT_FDCWD, SCRATCH "/not/yet/there", &o, &err), code,
			     &err, subject, NULL, reason);
		snapshot_assert_same(before);
	}
}

/* A root to which a target is added before anything fails. */
static struct idm_plan *some_plan(void)
{
	struct idm_plan *plan = plan_new();

	plan_step(plan, "bind", ROOT, "/", NULL);
	plan_step(plan, "tmpfs", NULL, "/made/here", NULL);
	return plan;
}

TEST(a_missing_source)
{
	AUTO_PLAN struct idm_plan *plan = some_plan();

	enter_image();
	plan_step(plan, "bind", SCRATCH "/missing", "/etc", NULL);
	fails(plan, -ENOENT, SCRATCH "/missing", NULL);
}

TEST(a_missing_layer)
{
	AUTO_PLAN struct idm_plan *plan = some_plan();

	enter_image();
	plan_step(plan, "overlay", "overlay", "/etc", "lowerdir=" ROOT ":" SCRATCH "/missing", NULL);
	fails(plan, -ENOENT, SCRATCH "/missing", NULL);
}

TEST(a_layer_that_is_an_overlay_and_has_a_map)
{
	AUTO_PLAN struct idm_plan *plan = some_plan();

	enter_image();
	scratch_dir(SCRATCH "/l2");
	scratch_dir(SCRATCH "/merged");
	do_mount("overlay", SCRATCH "/merged", "overlay", 0, "lowerdir=" SCRATCH "/l2:" ROOT);
	plan_step(plan, "overlay", "overlay", "/etc", "lowerdir=" SCRATCH "/merged:" SCRATCH "/l2", MAP,
		  NULL);
	fails(plan, -EINVAL, SCRATCH "/merged", "overlay");
}

TEST(source_and_target_of_different_kinds)
{
	AUTO_PLAN struct idm_plan *plan = some_plan(), *other = some_plan();

	enter_image();
	plan_step(plan, "bind", ROOT "/etc", "/bin/sh", NULL);
	fails(plan, -ENOTDIR, "bin/sh", NULL);
	plan_step(other, "bind", ROOT "/bin/sh", "/etc", NULL);
	fails(other, -EISDIR, "etc", NULL);
}

TEST(an_option_that_the_kernel_does_not_know)
{
	AUTO_PLAN struct idm_plan *plan = some_plan(), *other = some_plan();

	enter_image();
	plan_step(plan, "tmpfs", NULL, "/etc", "colour=green", NULL);
	fails(plan, -EINVAL, "colour", "does not accept the option");
	plan_step(other, "overlay", NULL, "/etc", "lowerdir=" ROOT "/etc:" ROOT "/bin", "colour", NULL);
	/* Before, all options are one string to the kernel. */
	fails(other, -EINVAL, kernel_is_before(6, 15) ? NULL : "colour", NULL);
}

TEST(what_cannot_be_mapped)
{
	AUTO_PLAN struct idm_plan *plan = some_plan();

	enter_image();
	plan_step(plan, "proc", "proc", "/etc", MAP, NULL);
	fails(plan, -EINVAL, "proc", "cannot ID-map");
}

TEST(files_that_are_no_filesystem)
{
	AUTO_PLAN struct idm_plan *plan = some_plan(), *other = some_plan(), *third = some_plan();

	enter_image();
	must(truncate(ROOT "/bin/sh", 1 << 20));
	plan_step(plan, "ext4", ROOT "/bin/sh", "/etc", NULL);
	fails(plan, -ENOTBLK, ROOT "/bin/sh", "not a block device");
	plan_step(other, "ext4", ROOT "/bin/sh", "/etc", "loop", NULL);
	fails(other, -EINVAL, ROOT "/bin/sh", NULL);
	plan_step(third, "ext4", ROOT "/etc", "/etc", "loop", "ro", NULL);
	fails(third, -EINVAL, ROOT "/etc", "not a regular file");
}

TEST(a_target_in_a_read_only_root)
{
	AUTO_PLAN struct idm_plan *plan = plan_new();

	enter_image();
	plan_step(plan, "bind", ROOT, "/", "ro", NULL);
	plan_step(plan, "tmpfs", NULL, "/made", NULL);
	fails(plan, -EROFS, "made", NULL);
}

TEST(options_of_the_call)
{
	AUTO_PLAN struct idm_plan *plan = some_plan(), *empty = plan_new();
	struct {
		struct idm_plan_apply_options o;
		char more;
	} newer = { IDM_PLAN_APPLY_OPTIONS_INIT, 1 };
	struct idm_plan_apply_options o = IDM_PLAN_APPLY_OPTIONS_INIT;
	struct idm_error err;

	assert_error(idm_plan_open(empty, NULL, &err), -EINVAL, &err, "", "assemble plan", "empty");
	assert_error(idm_plan_apply(empty, AT_FDCWD, "/", NULL, &err), -EINVAL, &err, "",
		     "assemble plan", "empty");
	newer.o.size = sizeof(newer);
	assert_error(idm_plan_open(plan, &newer.o, &err), -E2BIG, &err, "", "assemble plan", "newer");
	o.flags = 8;
	assert_error(idm_plan_open(plan, &o, &err), -EINVAL, &err, "", "assemble plan", "0x8");
	o.flags = IDM_PLAN_APPLY_DETACHED | IDM_PLAN_APPLY_IN_NAMESPACE;
	assert_error(idm_plan_open(plan, &o, &err), -EINVAL, &err, "", "assemble plan",
		     "expected IDM_PLAN_APPLY_DETACHED or IDM_PLAN_APPLY_IN_NAMESPACE, got both");
	o = (struct idm_plan_apply_options)IDM_PLAN_APPLY_OPTIONS_INIT;
	o.upper_ids = 7;
	assert_error(idm_plan_open(plan, &o, &err), -EINVAL, &err, "", "assemble plan", "upper IDs 7");
	o = (struct idm_plan_apply_options)IDM_PLAN_APPLY_OPTIONS_INIT;
	o.journal = "journal";
	assert_error(idm_plan_open(plan, &o, &err), -EINVAL, &err, "journal", "assemble plan",
		     "requires idm_plan_apply()");
}

TEST(a_way_that_is_not_there)
{
	AUTO_PLAN struct idm_plan *plan = some_plan();
	struct idm_plan_apply_options o = IDM_PLAN_APPLY_OPTIONS_INIT;
	struct idm_error err;

	enter_image();
	refuse_call(SYS_open_tree_attr, ENOSYS); /* by which it is told */
	o.flags = IDM_PLAN_APPLY_DETACHED;
	assert_error(idm_plan_open(plan, &o, &err), -EOPNOTSUPP, &err, "", "assemble plan",
		     "Linux 6.15");
}

// SPDX-License-Identifier: MIT
/* A tree is detached, mapped and has all its attributes, or is not created. */
#include <sched.h>

#include "lib/base/macros.h"
#include "trees.h"

#define SOURCE SCRATCH "/source"
#define TARGET SCRATCH "/target"

static void enter(void)
{
	scratch_enter();
	scratch_dir(SOURCE);
	scratch_dir(TARGET);
	owned_file(SOURCE "/file", 1000, 1001);
}

TEST(ids_are_mapped_and_nobody_else_sees_the_tree)
{
	AUTO_FD int tree = -1;
	struct snapshot *before;

	enter();
	before = snapshot_take(SNAPSHOT_MOUNTS);
	tree = tree_of(SOURCE, "u:1000:5,g:1001:6");
	snapshot_assert_same(before);
	assert_owner_in(tree, "file", 5, 6);
	assert_owner_in(tree, "", 65534, 65534); /* root's directory: not in the map */
	assert_owner(SOURCE "/file", 1000, 1001);
	assert_int_equal(fcntl(tree, F_GETFD), FD_CLOEXEC);
}

TEST(the_map_outlives_the_namespace_and_the_descriptor)
{
	AUTO_FD int tree = -1;

	enter();
	tree = tree_of(SOURCE, "1000:5,1001:6");
	attach_at(tree, TARGET);
	close(tree);
	tree = -1;
	assert_owner(TARGET "/file", 5, 6);
}

TEST(without_a_map_it_is_a_plain_copy)
{
	AUTO_FD int tree = -1;
	struct idm_error err;

	enter();
	tree = (int)assert_ok(idm_tree_open(AT_FDCWD, SOURCE, -1, NULL, &err), &err);
	assert_owner_in(tree, "file", 1000, 1001);
}

/* A caller that missed a failed idm_userns_open() must not get an unmapped tree. */
TEST(a_negative_descriptor_of_a_map_is_refused)
{
	struct idm_error err;

	enter();
	assert_error(idm_tree_open(AT_FDCWD, SOURCE, -2, NULL, &err), -EBADF, &err, "", "open tree",
		     "userns_fd: expected a descriptor or -1, got -2");
	assert_error(idm_tree_open(AT_FDCWD, SOURCE, -ENOSPC, NULL, &err), -EBADF, &err, "", "open tree",
		     "userns_fd: expected a descriptor or -1, got -28");
}

TEST(a_directory_descriptor_is_a_source_too)
{
	AUTO_FD int directory = -1, by_fd = -1, relative = -1, userns = -1;
	struct idm_error err;

	enter();
	userns = userns_of("1000:5,1001:6");
	directory = (int)must(open(SOURCE, O_PATH | O_CLOEXEC));
	by_fd = (int)assert_ok(idm_tree_open(directory, "", userns, ITSELF, &err), &err);
	assert_owner_in(by_fd, "file", 5, 6);
	relative = (int)assert_ok(idm_tree_open(directory, "file", userns, NULL, &err), &err);
	assert_owner_in(relative, "", 5, 6);
}

TEST(one_file_is_a_source_too)
{
	AUTO_FD int tree = -1;

	enter();
	scratch_file(SCRATCH "/onto", "");
	tree = tree_of(SOURCE "/file", "1000:5,1001:6");
	attach_at(tree, SCRATCH "/onto");
	assert_owner(SCRATCH "/onto", 5, 6);
}

TEST(all_attributes_are_set_before_anybody_sees_it)
{
	struct idm_tree_options o = IDM_TREE_OPTIONS_INIT;
	AUTO_FD int tree = -1, userns = -1;
	struct idm_mount_info m;
	struct idm_error err;

	enter();
	userns = userns_of("1000:5,1001:6");
	o.attr_set = IDM_ATTR_RDONLY | IDM_ATTR_NOSUID | IDM_ATTR_NODEV | IDM_ATTR_NOEXEC |
		     IDM_ATTR_NOSYMFOLLOW | IDM_ATTR_NOATIME | IDM_ATTR_NODIRATIME;
	tree = (int)assert_ok(idm_tree_open(AT_FDCWD, SOURCE, userns, &o, &err), &err);
	attach_at(tree, TARGET);
	m = mount_at(TARGET);
	assert_int_equal(m.attr, o.attr_set | IDM_ATTR_IDMAP);
	assert_int_equal(open(TARGET "/new", O_CREAT | O_WRONLY, 0600), -1);
	assert_int_equal(errno, EROFS);
}

TEST(attributes_of_the_source_stay_unless_they_are_cleared)
{
	struct idm_tree_options o = IDM_TREE_OPTIONS_INIT;
	AUTO_FD int tree = -1, userns = -1, kept = -1;
	struct idm_error err;

	uint32_t base;

	enter();
	base = mount_at(SOURCE).attr;
	userns = userns_of("0:0,1000:5,1001:6");
	o.attr_set = IDM_ATTR_RDONLY | IDM_ATTR_NOEXEC | IDM_ATTR_STRICTATIME;
	tree = (int)assert_ok(idm_tree_open(AT_FDCWD, SOURCE, -1, &o, &err), &err);
	attach_at(tree, TARGET);

	scratch_dir(SCRATCH "/kept");
	kept = (int)assert_ok(idm_tree_open(AT_FDCWD, TARGET, userns, NULL, &err), &err);
	attach_at(kept, SCRATCH "/kept");
	assert_int_equal(mount_at(SCRATCH "/kept").attr, base | o.attr_set | IDM_ATTR_IDMAP);

	close(tree);
	o.attr_set = 0;
	o.attr_clear = IDM_ATTR_RDONLY | IDM_ATTR_ATIME;
	tree = (int)assert_ok(idm_tree_open(AT_FDCWD, TARGET, userns, &o, &err), &err);
	scratch_dir(SCRATCH "/changed");
	attach_at(tree, SCRATCH "/changed");
	assert_int_equal(mount_at(SCRATCH "/changed").attr, base | IDM_ATTR_NOEXEC | IDM_ATTR_IDMAP);
}

/* What is untrue of them is said by other tests. */
static void mounts_are_refused_or_old(void)
{
	if (kernel_is_before(5, 12))
		mounts_are_refused();
	else
		maps_are_not_read();
}

static int open_with(const char *path, const char *map, unsigned int flags, struct idm_error *err)
{
	struct idm_tree_options o = IDM_TREE_OPTIONS_INIT;
	AUTO_FD int userns = userns_of(map);

	o.flags = flags;
	return idm_tree_open(AT_FDCWD, path, userns, &o, err);
}

/* SOURCE at TARGET with a map, which is at SCRATCH/plain/below too; a peer of nothing. */
static void enter_mapped(void)
{
	enter();
	mount_mapped(SOURCE, TARGET, "1000:5,1001:6");
	scratch_dir(SCRATCH "/plain/below");
	owned_file(SCRATCH "/plain/file", 1000, 1001);
	do_mount(TARGET, SCRATCH "/plain/below", NULL, 1 << 12 /* MS_BIND */, NULL);
}

TEST(a_mapped_source_is_refused_unless_it_is_said_how)
{
	struct snapshot *before;
	struct idm_error err;

	enter_mapped();
	before = snapshot_take(SNAPSHOT_ALL);
	assert_error(open_with(TARGET, "5:50,6:60", 0, &err), -EPERM, &err, TARGET, "map tree",
		     "ID-mapped already");
	assert_contains(err.hint, kernel_is_before(6, 15) ? "Linux 6.15" : "IDM_TREE_REMAP replaces");
	assert_error(open_with(TARGET "/file", "5:50,6:60", IDM_TREE_NOFOLLOW, &err), -EPERM, &err,
		     TARGET "/file", "map tree", "ID-mapped already");
	/* Also one that is below. */
	assert_error(open_with(SCRATCH "/plain", "5:50,6:60", IDM_TREE_RECURSIVE, &err), -EPERM, &err,
		     SCRATCH "/plain/below", "map tree", "ID-mapped already");
	assert_int_equal(open_with(TARGET, "5:50,6:60", 0, NULL), -EPERM);
	snapshot_assert_same(before);
	assert_owner(TARGET "/file", 5, 6);
	/* Without a map, its own stays. */
	close((int)assert_ok(idm_tree_open(AT_FDCWD, TARGET, -1, NULL, &err), &err));
}

static void neither_is_possible(void)
{
	static const unsigned int flags[] = { IDM_TREE_REMAP, IDM_TREE_ON_TOP };
	struct idm_error err;

	if (kernel_is_before(5, 12)) {
		mounts_are_refused();
		return;
	}
	enter_mapped();
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		assert_error(open_with(TARGET, "5:50,6:60", flags[i], &err),
			     flags[i] == IDM_TREE_REMAP ? -EPERM : -EOPNOTSUPP, &err, TARGET, NULL,
			     NULL);
		assert_contains(err.message[0] && *err.hint ? err.hint : PART(err, reason),
				"Linux 6.15");
	}
}

TEST_SINCE(6, 15, neither_is_possible, a_map_replaces_another_one_when_told)
{
	struct idm_error err;
	AUTO_FD int again = -1, all = -1;

	enter_mapped();
	again = (int)assert_ok(open_with(TARGET, "1000:50,1001:60", IDM_TREE_REMAP, &err), &err);
	assert_owner_in(again, "file", 50, 60);
	assert_owner(TARGET "/file", 5, 6);
	all = (int)assert_ok(open_with(SCRATCH "/plain", "1000:50,1001:60",
				       IDM_TREE_REMAP | IDM_TREE_RECURSIVE, &err),
			     &err);
	assert_owner_in(all, "file", 50, 60);
	assert_owner_in(all, "below/file", 50, 60);
}

TEST_SINCE(6, 15, neither_is_possible, a_map_goes_on_top_of_another_one_when_told)
{
	struct idm_error err;
	AUTO_FD int both = -1, file = -1, thrice = -1;

	enter_mapped();
	owned_file(SOURCE "/lost", 1000, 7); /* group 7 is not shown */
	both = (int)assert_ok(open_with(TARGET, "5:50,6:60,1000:9", IDM_TREE_ON_TOP, &err), &err);
	assert_owner_in(both, "file", 50, 60);
	assert_owner_in(both, "lost", 50, 65534);
	scratch_dir(SCRATCH "/both");
	attach_at(both, SCRATCH "/both");
	assert_owner(TARGET "/file", 5, 6);
	thrice = (int)assert_ok(open_with(SCRATCH "/both", "50:3,60:4", IDM_TREE_ON_TOP, &err), &err);
	assert_owner_in(thrice, "file", 3, 4);
	file = (int)assert_ok(
		open_with(TARGET "/file", "5:50,6:60", IDM_TREE_ON_TOP | IDM_TREE_NOFOLLOW, &err), &err);
	assert_owner_in(file, "", 50, 60);
	/* Nothing that is made through it is seen as another's. */
	assert_error(open_with(TARGET, "u:1:2,g:6:60", IDM_TREE_ON_TOP, &err), -EINVAL, &err, TARGET,
		     "map on top", "no user ID that the source shows");
	assert_error(open_with(TARGET, "u:5:2,g:7:60", IDM_TREE_ON_TOP, &err), -EINVAL, &err, TARGET,
		     "map on top", "no group ID that the source shows");
	assert_error(open_with(TARGET, "5:50,6:60", IDM_TREE_ON_TOP | IDM_TREE_RECURSIVE, &err), -EINVAL,
		     &err, TARGET, "open tree", "a single mount");
	assert_error(
		open_with(SCRATCH "/plain", "5:50,6:60", IDM_TREE_ON_TOP | IDM_TREE_RECURSIVE, &err),
		-EPERM, &err, SCRATCH "/plain/below", "map tree", "ID-mapped already");
}

TEST(a_source_without_a_map_needs_no_word_and_takes_each)
{
	static const unsigned int flags[] = { 0, IDM_TREE_REMAP, IDM_TREE_ON_TOP,
					      IDM_TREE_ON_TOP | IDM_TREE_RECURSIVE };
	struct idm_error err;

	enter();
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		AUTO_FD int tree = (int)assert_ok(open_with(SOURCE, "1000:5,1001:6", flags[i], &err),
						  &err);

		assert_owner_in(tree, "file", 5, 6);
	}
	assert_error(open_with(SOURCE, "1000:5", IDM_TREE_REMAP | IDM_TREE_ON_TOP, &err), -EINVAL, &err,
		     "", "open tree", "expected IDM_TREE_REMAP or IDM_TREE_ON_TOP, got both");
	for (size_t i = 1; i < 3; i++) {
		struct idm_tree_options o = IDM_TREE_OPTIONS_INIT;

		o.flags = flags[i];
		assert_error(idm_tree_open(AT_FDCWD, SOURCE, -1, &o, &err), -EINVAL, &err, "",
			     "open tree",
			     flags[i] == IDM_TREE_REMAP ? "IDM_TREE_REMAP requires a map"
							: "IDM_TREE_ON_TOP requires a map");
	}
	assert_error(open_with("/proc", "0:5", IDM_TREE_ON_TOP, &err), -EINVAL, &err, "/proc",
		     "map tree", "proc");
}

static void on_top_in_a_userns(void *unused)
{
	struct idm_error err;

	(void)unused;
	enter_userns("0 0 100\n");
	must(unshare(CLONE_NEWNS));
	do_mount("inner", SCRATCH, "tmpfs", 0, NULL);
	scratch_dir(SOURCE);
	scratch_dir(TARGET);
	owned_file(SOURCE "/file", 7, 8);
	mount_mapped(SOURCE, TARGET, "7:5,8:6");
	assert_error(open_with(TARGET, "5:50,6:60", IDM_TREE_ON_TOP, &err), -EOPNOTSUPP, &err, TARGET,
		     "map on top", "parts of the source's map");
}

TEST_SINCE(6, 15, mounts_are_refused_or_old, a_map_that_is_not_wholly_seen_has_nothing_on_top)
{
	enter();
	in_child(on_top_in_a_userns, NULL);
}

TEST_SINCE(6, 15, mounts_are_refused_or_old, a_mapped_tree_that_is_attached_nowhere_is_refused_too)
{
	struct idm_error err;
	AUTO_FD int tree = -1, userns = -1;

	enter();
	tree = tree_of(SOURCE, "1000:5,1001:6");
	userns = userns_of("5:50,6:60");
	assert_error(idm_tree_open(tree, "", userns, ITSELF, &err), -EPERM, &err, "", "map tree",
		     "ID-mapped already");
}

TEST(recursive_maps_every_mount_and_not_recursive_leaves_them_out)
{
	struct idm_tree_options o = IDM_TREE_OPTIONS_INIT;
	AUTO_FD int all = -1, top = -1, userns = -1;
	struct idm_error err;

	enter();
	scratch_dir(SOURCE "/below");
	scratch_dir(SCRATCH "/other");
	do_mount(SCRATCH "/other", SOURCE "/below", NULL, 1 << 12 /* MS_BIND */, NULL);
	owned_file(SOURCE "/below/file", 1000, 1001);
	userns = userns_of("1000:5,1001:6");

	top = (int)assert_ok(idm_tree_open(AT_FDCWD, SOURCE, userns, NULL, &err), &err);
	assert_int_equal(faccessat(top, "below/file", F_OK, 0), -1);

	o.flags = IDM_TREE_RECURSIVE;
	o.attr_set = IDM_ATTR_RDONLY;
	all = (int)assert_ok(idm_tree_open(AT_FDCWD, SOURCE, userns, &o, &err), &err);
	assert_owner_in(all, "below/file", 5, 6);
	attach_at(all, TARGET);
	assert_int_equal(mount_at(TARGET "/below").attr,
			 mount_at(SOURCE "/below").attr | IDM_ATTR_RDONLY | IDM_ATTR_IDMAP);
}

TEST(one_submount_that_cannot_be_mapped_fails_the_whole_and_is_named)
{
	struct idm_tree_options o = IDM_TREE_OPTIONS_INIT;
	AUTO_FD int userns = -1;
	struct snapshot *before;
	struct idm_error err;

	enter();
	scratch_dir(SOURCE "/ram");
	do_mount("ram", SOURCE "/ram", "ramfs", 0, NULL);
	userns = userns_of("1000:5,1001:6");
	before = snapshot_take(SNAPSHOT_ALL);
	o.flags = IDM_TREE_RECURSIVE;
	assert_error(idm_tree_open(AT_FDCWD, SOURCE, userns, &o, &err), -EINVAL, &err, SOURCE "/ram",
		     "map tree", "ramfs");
	snapshot_assert_same(before);
}

TEST(a_link_is_followed_unless_told)
{
	struct idm_tree_options o = IDM_TREE_OPTIONS_INIT;
	static const char *const behind[] = { "/", "//", "/.", "/./", "/inside/..", "/inside/../." };
	AUTO_FD int userns = -1, tree = -1;
	struct idm_error err;

	enter();
	must(symlink("source", SCRATCH "/link"));
	userns = userns_of("1000:5,1001:6");
	tree = (int)assert_ok(idm_tree_open(AT_FDCWD, SCRATCH "/link", userns, NULL, &err), &err);
	assert_owner_in(tree, "file", 5, 6);
	o.flags = IDM_TREE_NOFOLLOW;
	assert_error(idm_tree_open(AT_FDCWD, SCRATCH "/link", userns, &o, &err), -ELOOP, &err,
		     SCRATCH "/link", "open tree", "symbolic link");
	scratch_dir(SOURCE "/inside");
	for (size_t i = 0; i < ARRAY_SIZE(behind); i++) {
		char path[64];

		snprintf(path, sizeof(path), SCRATCH "/link%s", behind[i]);
		assert_error(idm_tree_open(AT_FDCWD, path, userns, &o, &err), -ELOOP, &err, path,
			     "open tree", "symbolic link");
		snprintf(path, sizeof(path), SOURCE "%s", behind[i]);
		close((int)assert_ok(idm_tree_open(AT_FDCWD, path, userns, &o, &err), &err));
	}
	close(tree);
	tree = (int)assert_ok(idm_tree_open(AT_FDCWD, SOURCE, userns, &o, &err), &err);
}

TEST(propagation_is_private_unless_asked)
{
	static const enum idm_propagation all[] = {
		IDM_PROPAGATION_DEFAULT, IDM_PROPAGATION_PRIVATE,    IDM_PROPAGATION_SLAVE,
		IDM_PROPAGATION_SHARED,	 IDM_PROPAGATION_UNBINDABLE,
	};

	enter();
	do_mount("shared", SOURCE, "tmpfs", 0, NULL);
	do_mount(NULL, SOURCE, NULL, 1 << 20 /* MS_SHARED */, NULL);
	scratch_dir(SOURCE "/point");
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct idm_tree_options o = IDM_TREE_OPTIONS_INIT;
		AUTO_FD int tree = -1;
		struct idm_error err;
		bool comes_in = all[i] == IDM_PROPAGATION_SLAVE || all[i] == IDM_PROPAGATION_SHARED;

		o.propagation = all[i];
		tree = (int)assert_ok(idm_tree_open(AT_FDCWD, SOURCE, -1, &o, &err), &err);
		attach_at(tree, TARGET);
		assert_int_equal(mount_at(TARGET).propagation,
				 all[i] ? all[i] : IDM_PROPAGATION_PRIVATE);
		/* What is mounted below the source comes in only where that was asked for. */
		do_mount("event", SOURCE "/point", "tmpfs", 0, NULL);
		scratch_file(SOURCE "/point/event", "");
		assert_int_equal(access(TARGET "/point/event", F_OK), comes_in ? 0 : -1);
		do_umount(SOURCE "/point");
		do_umount(TARGET);
	}
}

/* ---- refusals ---- */

TEST(each_refusal_names_its_cause_and_changes_nothing)
{
	AUTO_FD int userns = -1, not_userns = -1, initial = -1, path_only = -1;
	struct snapshot *before;
	struct idm_error err;

	enter();
	scratch_dir(SCRATCH "/bound");
	do_mount("bound", SCRATCH "/bound", "tmpfs", 0, NULL);
	do_mount(NULL, SCRATCH "/bound", NULL, 1 << 17 /* MS_UNBINDABLE */, NULL);
	userns = userns_of("1000:5,1001:6");
	not_userns = (int)must(open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC));
	initial = (int)must(open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC));
	path_only = (int)must(open("/proc/self/ns/user", O_PATH | O_CLOEXEC));
	before = snapshot_take(SNAPSHOT_ALL);

	assert_error(idm_tree_open(AT_FDCWD, SCRATCH "/none", userns, NULL, &err), -ENOENT, &err,
		     SCRATCH "/none", "open tree", "No such file");
	assert_error(idm_tree_open(AT_FDCWD, "/proc", userns, NULL, &err), -EINVAL, &err, "/proc",
		     "map tree", "the filesystem (proc) cannot be ID-mapped");
	assert_error(idm_tree_open(AT_FDCWD, SCRATCH "/bound", userns, NULL, &err), -EINVAL, &err,
		     SCRATCH "/bound", "map tree", "unbindable");
	assert_error(idm_tree_open(AT_FDCWD, SOURCE, not_userns, NULL, &err), -EINVAL, &err, SOURCE,
		     "map tree", "not a user namespace");
	assert_error(idm_tree_open(AT_FDCWD, SOURCE, initial, NULL, &err), -EPERM, &err, SOURCE,
		     "map tree", "initial user namespace");
	assert_error(idm_tree_open(AT_FDCWD, SOURCE, path_only, NULL, &err), -EBADF, &err, SOURCE,
		     "map tree", "O_PATH");
	assert_error(idm_tree_open(AT_FDCWD, SOURCE, 1000000, NULL, &err), -EBADF, &err, SOURCE,
		     "map tree", "not open");
	snapshot_assert_same(before);
}

TEST(overlay_says_map_its_layers)
{
	AUTO_FD int userns = -1;
	struct idm_error err;

	enter();
	scratch_dir(SCRATCH "/lower");
	do_mount("overlay", TARGET, "overlay", 0, "lowerdir=" SCRATCH "/lower:" SOURCE);
	userns = userns_of("1000:5,1001:6");
	assert_error(idm_tree_open(AT_FDCWD, TARGET, userns, NULL, &err), -EINVAL, &err, TARGET,
		     "map tree", "the filesystem (overlay) cannot be ID-mapped");
	assert_contains(err.hint, "map its layers");
}

TEST(a_source_of_a_mount_namespace_that_ended_is_told_apart)
{
	AUTO_FD int userns = -1, outside = -1;
	struct idm_error err;

	enter();
	outside = (int)must(open(SOURCE, O_PATH | O_CLOEXEC));
	userns = userns_of("1000:5,1001:6");
	must(unshare(CLONE_NEWNS)); /* which ends the one that it was in */
	assert_error(idm_tree_open(outside, "", userns, ITSELF, &err), -EINVAL, &err, "", "map tree",
		     "attached nowhere");
}

/* ---- the options ---- */

struct newer_options {
	struct idm_tree_options known;
	uint64_t unknown;
};

TEST(options_of_another_release)
{
	struct newer_options newer = { .known = IDM_TREE_OPTIONS_INIT };
	AUTO_FD int tree = -1;
	struct idm_error err;

	enter();
	newer.known.size = sizeof(newer);
	tree = (int)assert_ok(idm_tree_open(AT_FDCWD, SOURCE, -1, &newer.known, &err), &err);
	newer.unknown = 1;
	assert_error(idm_tree_open(AT_FDCWD, SOURCE, -1, &newer.known, &err), -E2BIG, &err, "",
		     "open tree", "newer");
	newer.known.size = 0;
	assert_error(idm_tree_open(AT_FDCWD, SOURCE, -1, &newer.known, &err), -EINVAL, &err, "",
		     "open tree", "size");
	/* No release had a shorter one. */
	newer.known.size = offsetof(struct idm_tree_options, propagation);
	assert_error(idm_tree_open(AT_FDCWD, SOURCE, -1, &newer.known, &err), -EINVAL, &err, "",
		     "open tree", "expected a size of at least 24, got 20");
}

TEST_ANYWHERE(unknown_flags_and_attributes_are_refused)
{
	struct idm_tree_options o = IDM_TREE_OPTIONS_INIT;
	struct idm_error err;

	enter();
	o.flags = 0x80;
	assert_error(idm_tree_open(AT_FDCWD, SOURCE, -1, &o, &err), -EINVAL, &err, "", "open tree",
		     "unknown flags 0x80");
	o.flags = 0;
	o.attr_set = IDM_ATTR_IDMAP;
	assert_error(idm_tree_open(AT_FDCWD, SOURCE, -1, &o, &err), -EINVAL, &err, "", "open tree",
		     "unknown attributes");
	o.attr_set = IDM_ATTR_NOATIME | IDM_ATTR_STRICTATIME;
	assert_error(idm_tree_open(AT_FDCWD, SOURCE, -1, &o, &err), -EINVAL, &err, "", "open tree",
		     "access times");
	o.attr_set = 0;
	o.propagation = 9;
	assert_error(idm_tree_open(AT_FDCWD, SOURCE, -1, &o, &err), -EINVAL, &err, "", "open tree",
		     "unknown propagation 9");
}

/* ---- empty paths ---- */

static int count(const struct idm_mount_info *mount, void *data)
{
	++*(int *)data;
	return mount->target ? 0 : 1;
}

/* No function accepts an empty path for the working directory, or for the directory, unasked. */
TEST(an_empty_path_is_refused)
{
	struct idm_check_result check = { .size = sizeof(check) };
	struct idm_path layers[] = { { AT_FDCWD, SOURCE }, { AT_FDCWD, "" } };
	struct idm_overlay_options o = IDM_OVERLAY_OPTIONS_INIT;
	AUTO_FD int tree = -1, source = -1;
	struct snapshot *before;
	struct idm_error err;
	int mounts = 0;

	scratch_enter();
	scratch_dir(SOURCE);
	must(chdir(SOURCE));
	source = (int)must(open(SOURCE, O_PATH | O_CLOEXEC));
	tree = (int)assert_ok(idm_tree_open(AT_FDCWD, SOURCE, -1, NULL, &err), &err);
	before = snapshot_take(SNAPSHOT_ALL);
	o.lower = layers;
	o.n_lower = 2;
	for (int i = 0, at = AT_FDCWD; i < 2; i++, at = source) {
		assert_error(idm_tree_open(at, "", -1, NULL, &err), -ENOENT, &err, "", "open tree",
			     "the path is empty");
		assert_error(idm_tree_attach(tree, at, "", NULL, &err), -ENOENT, &err, "", NULL, NULL);
		assert_error(idm_tree_attach(tree, at, "", ATTACH(IDM_ATTACH_MKDIR, 0), &err), -ENOENT,
			     &err, "", NULL, NULL);
		for (unsigned int flags = 0; flags <= 0x700; flags += IDM_UMOUNT_RECURSIVE)
			assert_error(idm_umount(at, "", flags, &err), -ENOENT, &err, "", "unmount",
				     NULL);
		assert_error(idm_list_path(at, "", 0, count, &mounts, &err), -ENOENT, &err, "", NULL,
			     "the path is empty");
		assert_error(idm_check_path(at, "", 0, &check, NULL, &err), -ENOENT, &err, "",
			     "check path", "the path is empty");
		layers[1].dirfd = at;
		assert_error(idm_overlay_open(&o, &err), -ENOENT, &err, "", "open layer",
			     "the path is empty");
	}
	assert_int_equal(mounts, 0);
	snapshot_assert_same(before);
}

TEST(an_empty_path_is_the_directory_if_a_flag_says_so)
{
	struct idm_check_result check = { .size = sizeof(check) };
	struct idm_path layers[] = { { AT_FDCWD, SCRATCH "/other" }, { AT_FDCWD, "" } };
	struct idm_overlay_options o = IDM_OVERLAY_OPTIONS_INIT;
	AUTO_FD int source = -1;
	struct idm_error err;
	int mounts = 0;

	scratch_enter();
	scratch_dir(SOURCE);
	scratch_dir(SCRATCH "/other");
	scratch_file(SOURCE "/file", "");
	must(chdir(SOURCE));
	source = (int)must(open(SOURCE, O_PATH | O_CLOEXEC));
	o.flags = IDM_OVERLAY_EMPTY_PATH;
	o.lower = layers;
	o.n_lower = 2;
	for (int i = 0, at = AT_FDCWD; i < 2; i++, at = source) {
		AUTO_FD int tree = (int)assert_ok(idm_tree_open(at, "", -1, ITSELF, &err), &err);
		AUTO_FD int overlay = -1;

		assert_int_equal(faccessat(tree, "file", F_OK, 0), 0);
		assert_ok(idm_list_path(at, "", IDM_LIST_EMPTY_PATH, count, &mounts, &err), &err);
		assert_ok(idm_check_path(at, "", IDM_CHECK_EMPTY_PATH, &check, NULL, &err), &err);
		layers[1].dirfd = at;
		overlay = (int)assert_ok(idm_overlay_open(&o, &err), &err);
		assert_int_equal(faccessat(overlay, "file", F_OK, 0), 0);
	}
	assert_int_equal(mounts, 2);
}

/* ---- the map of a mount ---- */

TEST(the_map_of_a_mount_is_added)
{
	AUTO_MAP struct idm_map *map = map_of("5:7:1"), *sum = map_of("5:7:1,0:100000:5");
	AUTO_MAP struct idm_map *before = map_of("5:7:1");
	AUTO_FD int plain = -1, mapped = -1;
	struct idm_error err;

	scratch_enter();
	mount_mappable(SOURCE);
	scratch_dir(SCRATCH "/mapped");
	mount_mapped(SOURCE, SCRATCH "/mapped", "0:100000:5");
	plain = (int)must(open(SOURCE, O_PATH | O_CLOEXEC));
	mapped = (int)must(open(SCRATCH "/mapped", O_PATH | O_CLOEXEC));
	assert_error(idm_map_add_mount(map, plain, &err), -ENODATA, &err, "", "read map",
		     "is not ID-mapped");
	assert_error(idm_map_add_mount(map, -1, &err), -EBADF, &err, NULL, NULL, NULL);
	must(fchdir(mapped));
	assert_error(idm_map_add_mount(map, AT_FDCWD, &err), -EBADF, &err, NULL, "read map",
		     "fd: expected a descriptor, got -100");
	assert_true(idm_map_equal(map, before));
	if (kernel_is_before(6, 15)) {
		assert_error(idm_map_add_mount(map, mapped, &err), -EOPNOTSUPP, &err, "", "read map",
			     "needs Linux 6.15");
		return;
	}
	assert_ok(idm_map_add_mount(map, mapped, &err), &err);
	assert_true(idm_map_equal(map, sum));
	assert_error(idm_map_add_mount(map, mapped, &err), -EINVAL, &err, NULL, "add to map", NULL);
	assert_true(idm_map_equal(map, sum));
}

static const char detached_map[] = "0:100000:5,7:8:2";

/* With another mount below, or of a file. */
static int open_detached(const char *path, bool mapped)
{
	AUTO_MAP struct idm_map *map = map_of(detached_map);
	AUTO_FD int userns = -1;
	struct idm_tree_options o = IDM_TREE_OPTIONS_INIT;
	struct idm_error err;

	o.flags = IDM_TREE_RECURSIVE;
	if (mapped)
		userns = (int)assert_ok(idm_userns_open(map, 0, &err), &err);
	return (int)assert_ok(idm_tree_open(AT_FDCWD, path, userns, &o, &err), &err);
}

static void make_mounts_to_detach(void)
{
	scratch_enter();
	mount_mappable(SOURCE);
	scratch_file(SOURCE "/file", "");
	scratch_dir(SOURCE "/below");
	do_mount(SOURCE, SOURCE "/below", NULL, MS_BIND, NULL);
}

static const char *const to_detach[] = { SOURCE, SOURCE "/below", SOURCE "/file" };

static void not_of_detached_trees(void)
{
	if (kernel_is_before(5, 12)) {
		mounts_are_refused();
		return;
	}
	make_mounts_to_detach();
	for (size_t i = 0; i < ARRAY_SIZE(to_detach); i++) {
		AUTO_MAP struct idm_map *map = map_of("");
		AUTO_FD int tree = open_detached(to_detach[i], true);
		struct idm_error err;

		assert_error(idm_map_add_mount(map, tree, &err), -ENOENT, &err, NULL, NULL,
			     "attached nowhere");
	}
}

/* Reading leaves the tree as it is: it can be attached. */
TEST_SINCE(7, 0, not_of_detached_trees, the_map_of_a_detached_tree_is_added)
{
	AUTO_MAP struct idm_map *expected = map_of(detached_map);
	struct idm_error err;

	make_mounts_to_detach();
	for (size_t i = 0; i < ARRAY_SIZE(to_detach); i++) {
		AUTO_MAP struct idm_map *map = map_of("");
		AUTO_FD int tree = open_detached(to_detach[i], true);
		AUTO_FD int plain = open_detached(to_detach[i], false);

		assert_ok(idm_map_add_mount(map, tree, &err), &err);
		assert_true(idm_map_equal(map, expected));
		assert_error(idm_map_add_mount(map, plain, &err), -ENODATA, &err, NULL, "read map",
			     "is not ID-mapped");
		assert_ok(idm_tree_attach(tree, AT_FDCWD, to_detach[i], NULL, &err), &err);
		/* The next source is below this one. */
		assert_ok(idm_umount(AT_FDCWD, to_detach[i], IDM_UMOUNT_LAZY, &err), &err);
	}
}

/* A mount that was unmounted lazily cannot be copied. */
TEST(the_map_of_an_unmounted_mount_is_not_told)
{
	AUTO_MAP struct idm_map *map = map_of("");
	AUTO_FD int mapped = -1;
	struct idm_error err;

	scratch_enter();
	mount_mappable(SOURCE);
	scratch_dir(SCRATCH "/mapped");
	mount_mapped(SOURCE, SCRATCH "/mapped", "0:100000:5");
	mapped = (int)must(open(SCRATCH "/mapped", O_PATH | O_CLOEXEC));
	assert_ok(idm_umount(AT_FDCWD, SCRATCH "/mapped", IDM_UMOUNT_LAZY, &err), &err);
	assert_error(idm_map_add_mount(map, mapped, &err), -ENOENT, &err, NULL, NULL,
		     "attached nowhere");
}

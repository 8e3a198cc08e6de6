// SPDX-License-Identifier: MIT
/* idm_mount(): all stages in one call, or nothing. */
#include "trees.h"

#define SOURCE SCRATCH "/source"
#define TARGET SCRATCH "/target"

static void enter(void)
{
	scratch_enter();
	scratch_dir(SOURCE "/below");
	scratch_dir(TARGET);
	owned_file(SOURCE "/file", 1000, 1001);
	owned_file(SOURCE "/other", 7, 8);
}

TEST(a_text_is_enough)
{
	struct snapshot *before;
	struct idm_error err;

	enter();
	before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
	assert_ok(idm_mount("u:1000:5,g:1001:6", SOURCE, TARGET, NULL, &err), &err);
	assert_owner(TARGET "/file", 5, 6);
	assert_owner(TARGET "/other", 65534, 65534);
	assert_owner(SOURCE "/file", 1000, 1001);
	assert_ok(idm_umount(AT_FDCWD, TARGET, 0, &err), &err);
	snapshot_assert_same(before);
}

TEST(the_rest_is_kept)
{
	struct idm_mount_options o = IDM_MOUNT_OPTIONS_INIT;
	struct idm_error err;

	enter();
	o.keep_rest = IDM_BOTH;
	assert_ok(idm_mount("1000:5,1001:6", SOURCE, TARGET, &o, &err), &err);
	assert_owner(TARGET "/file", 5, 6);
	assert_owner(TARGET "/other", 7, 8);
}

TEST(a_map_replaces_the_text)
{
	struct idm_mount_options o = IDM_MOUNT_OPTIONS_INIT;
	AUTO_MAP struct idm_map *map = NULL;
	struct idm_error err;

	enter();
	o.map = map = map_of("1000:5,1001:6");
	assert_ok(idm_mount(NULL, SOURCE, TARGET, &o, &err), &err);
	assert_owner(TARGET "/file", 5, 6);
	assert_map(map, "1000:5:2"); /* as it was */
}

/* The flags of both functions, their directories, the attributes and the propagation. */
TEST(the_options_are_those_of_a_tree_and_of_attaching_it)
{
	struct idm_mount_options o = IDM_MOUNT_OPTIONS_INIT;
	AUTO_FD int source = -1, target = -1;
	struct idm_error err;
	struct idm_mount_info mount;

	enter();
	mount_mappable(SOURCE "/below");
	owned_file(SOURCE "/below/file", 1000, 1001);
	source = (int)must(open(SOURCE, O_PATH | O_CLOEXEC));
	target = (int)must(open(TARGET, O_PATH | O_CLOEXEC));
	o.flags = IDM_TREE_EMPTY_PATH | IDM_TREE_RECURSIVE | IDM_ATTACH_MKDIR | IDM_ATTACH_IN_ROOT;
	o.source_dirfd = source;
	o.target_dirfd = target;
	o.attr_set = IDM_ATTR_NOSUID | IDM_ATTR_NOATIME;
	o.attr_clear = IDM_ATTR_ATIME;
	o.propagation = IDM_PROPAGATION_SHARED;
	assert_ok(idm_mount("1000:5,1001:6", "", "/../new", &o, &err), &err);
	assert_owner(TARGET "/new/file", 5, 6);
	assert_owner(TARGET "/new/below/file", 5, 6);
	mount = mount_at(TARGET "/new");
	assert_int_equal(mount.attr & (IDM_ATTR_NOSUID | IDM_ATTR_ATIME),
			 IDM_ATTR_NOSUID | IDM_ATTR_NOATIME);
	assert_int_equal(mount.propagation, IDM_PROPAGATION_SHARED);
}

TEST(names_need_a_flag)
{
	struct idm_mount_options o = IDM_MOUNT_OPTIONS_INIT;
	struct idm_error err;

	enter();
	assert_error(idm_mount("root:root", SOURCE, TARGET, &o, &err), -EINVAL, &err, "root:root",
		     "parse map", NULL);
	o.map_flags = IDM_MAP_PARSE_LOOKUP;
	assert_ok(idm_mount("root:root", SOURCE, TARGET, &o, &err), &err);
	assert_owner(TARGET, 0, 0);
	assert_owner(TARGET "/file", 65534, 65534);
}

TEST(a_failure_names_its_step_and_leaves_nothing)
{
	struct idm_mount_options o = IDM_MOUNT_OPTIONS_INIT;
	struct snapshot *before;
	struct idm_error err;

	enter();
	must(symlink("target", SCRATCH "/link"));
	before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
	o.flags = IDM_ATTACH_MKDIR;
#define MOUNT(map, source, target) idm_mount(map, source, target, &o, &err)
	assert_error(MOUNT("1:2:", SOURCE, TARGET), -EINVAL, &err, "1:2:", "parse map", NULL);
	assert_error(MOUNT("u:1:2", SOURCE, TARGET), -EINVAL, &err, NULL, "check map", NULL);
	assert_error(MOUNT("1:2", SCRATCH "/none", TARGET), -ENOENT, &err, SCRATCH "/none", "open tree",
		     NULL);
	assert_error(MOUNT("1:2", "/proc", TARGET), -EINVAL, &err, "/proc", NULL, NULL);
	assert_error(MOUNT("1:2", SOURCE, SCRATCH "/link"), -ELOOP, &err, SCRATCH "/link", NULL, NULL);
	assert_error(MOUNT("1:2", SOURCE "/file", TARGET), -EISDIR, &err, TARGET, NULL, NULL);
	snapshot_assert_same(before);
}

TEST(contradicting_options)
{
	struct idm_mount_options o = IDM_MOUNT_OPTIONS_INIT;
	AUTO_MAP struct idm_map *map = map_of("1:2");
	struct idm_error err;

	enter();
	assert_error(MOUNT(NULL, SOURCE, TARGET), -EINVAL, &err, "", "mount", "got neither");
	o.map = map;
	assert_error(MOUNT("1:2", SOURCE, TARGET), -EINVAL, &err, "", "mount", "got both");
	o.map_flags = IDM_MAP_PARSE_LOOKUP;
	assert_error(MOUNT(NULL, SOURCE, TARGET), -EINVAL, &err, "", "mount", "map_flags requires");
	o.map_flags = 0;
	o.keep_rest = IDM_UID;
	assert_error(MOUNT(NULL, SOURCE, TARGET), -EINVAL, &err, "", "mount", "keep_rest requires");
	o.map = NULL;
	o.keep_rest = 8;
	assert_error(MOUNT("1:2", SOURCE, TARGET), -EINVAL, &err, NULL, "keep the rest", NULL);
	o.keep_rest = 0;
	o.flags = IDM_UMOUNT_LAZY;
	assert_error(MOUNT("1:2", SOURCE, TARGET), -EINVAL, &err, "", "mount", "unknown flags 0x200");
	o.flags = 0;
	o.propagation = 77;
	assert_error(MOUNT("1:2", SOURCE, TARGET), -EINVAL, &err, NULL, "attach", NULL);
}

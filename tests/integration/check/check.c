// SPDX-License-Identifier: MIT
/* What can be mapped is told from what cannot, whatever the filesystem and the mount. */
#include <sched.h>

#include "checks.h"
#include "lib/base/macros.h"

#define PLACE SCRATCH "/place"

static void enter_with(const char *type)
{
	scratch_enter();
	scratch_dir(PLACE);
	do_mount(type, PLACE, type, 0, NULL);
}

/* ---- filesystems that can ---- */

TEST(tmpfs)
{
	AUTO_FD int inside = -1;
	struct checked x;

	enter_with("tmpfs");
	x = check(PLACE, 0);
	if (!has_feature("tmpfs-idmap")) {
		assert_refused(x, EINVAL, "the filesystem (tmpfs) cannot be ID-mapped");
		assert_string_equal(x.e.hint, "mapping tmpfs requires Linux 6.3");
		return;
	}
	assert_mappable(x, "tmpfs");
	assert_false(x.c.mapped);
	assert_false(x.c.writable); /* not asked */
	assert_all_well(check(PLACE, IDM_CHECK_WRITE), "tmpfs");

	inside = (int)must(open(PLACE, O_PATH | O_CLOEXEC));
	assert_all_well(check_at(inside, "", IDM_CHECK_WRITE), "tmpfs");
	assert_all_well(check_at(inside, ".", IDM_CHECK_WRITE), "tmpfs");
	close(inside);
	inside = -1;
	do_umount_idle(PLACE);
}

TEST(another_owner_and_a_set_group_id_directory)
{
	const char *type;

	scratch_enter();
	type = mount_mappable(PLACE);
	must(chown(PLACE, 1234, 4321));
	must(chmod(PLACE, 02755));
	assert_all_well(check(PLACE, IDM_CHECK_WRITE), type);
	must(chown(PLACE, 0, 4321));
	must(chmod(PLACE, 02700));
	assert_all_well(check(PLACE, IDM_CHECK_WRITE), type);
	do_umount_idle(PLACE);
}

static void is_writable(const char *type)
{
	scratch_enter();
	scratch_filesystem(type, PLACE, NULL);
	assert_all_well(check(PLACE, IDM_CHECK_WRITE), type);
	must(chown(PLACE, 77, 78));
	assert_all_well(check(PLACE, IDM_CHECK_WRITE), type);
	do_umount_idle(PLACE);
}

static void is_read_only(const char *type)
{
	struct checked x;

	scratch_enter();
	scratch_filesystem(type, PLACE, NULL);
	x = check(PLACE, IDM_CHECK_WRITE);
	assert_mappable(x, type);
	assert_not_writable(x, EROFS, "read-only");
	do_umount_idle(PLACE);
}

TEST(ext4)
{
	is_writable("ext4");
}

TEST(xfs)
{
	is_writable("xfs");
}

TEST(btrfs)
{
	is_writable("btrfs");
}

TEST(squashfs)
{
	struct checked x;

	if (!kernel_is_before(6, 2)) {
		is_read_only("squashfs");
		return;
	}
	scratch_enter();
	scratch_filesystem("squashfs", PLACE, NULL);
	x = check(PLACE, 0);
	assert_refused(x, EINVAL, "the filesystem (squashfs) cannot be ID-mapped");
	assert_string_equal(x.e.hint, "mapping squashfs requires Linux 6.2");
}

TEST(erofs)
{
	is_read_only("erofs");
}

/* ---- filesystems that cannot ---- */

TEST(filesystems_that_cannot)
{
	static const char *const types[] = { "ramfs", "proc", "sysfs", "devpts", "cgroup2", "mqueue" };

	scratch_enter();
	scratch_dir(PLACE);
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		struct checked x;
		char reason[64];

		do_mount(types[i], PLACE, types[i], 0, NULL);
		snprintf(reason, sizeof(reason), "the filesystem (%s) cannot be ID-mapped", types[i]);
		x = check(PLACE, IDM_CHECK_WRITE);
		assert_refused(x, EINVAL, reason);
		assert_string_equal(x.c.fstype, types[i]);
		assert_string_equal(PART(x.e, subject), PLACE);
		assert_true(x.e.hint[0]);
		do_umount_idle(PLACE);
	}
}

TEST(overlay)
{
	struct checked x;

	scratch_enter();
	scratch_dir(SCRATCH "/l1");
	scratch_dir(SCRATCH "/l2");
	scratch_dir(PLACE);
	do_mount("overlay", PLACE, "overlay", 0, "lowerdir=" SCRATCH "/l1:" SCRATCH "/l2");
	x = check(PLACE, 0);
	assert_refused(x, EINVAL, "the filesystem (overlay) cannot be ID-mapped");
	assert_contains(x.e.hint, "map its layers instead");
	do_umount_idle(PLACE);
}

/* The ext4 driver can, but not under its old names. */
TEST(ext4_mounted_as_ext2)
{
	struct checked x;

	scratch_enter();
	scratch_filesystem("ext2", PLACE, NULL);
	x = check(PLACE, 0);
	assert_refused(x, EINVAL, "the filesystem (ext2) cannot be ID-mapped");
	assert_contains(x.e.hint, "-t ext4");
	do_umount_idle(PLACE);
}

/* ---- mounts ---- */

TEST(an_unbindable_mount)
{
	enter_with("tmpfs");
	do_mount(NULL, PLACE, NULL, MS_UNBINDABLE, NULL);
	assert_refused(check(PLACE, 0), EINVAL, "unbindable");
	do_umount_idle(PLACE);
}

TEST(a_mapped_mount)
{
	AUTO_FD int tree = -1;
	const char *type;
	struct checked x;

	scratch_enter();
	type = mount_mappable(PLACE);
	must(chown(PLACE, 3, 4));
	tree = tree_of(PLACE, "0:0:1");

	x = check_at(tree, "", IDM_CHECK_WRITE); /* before it is attached */
	if (has_feature("open-tree-attr")) {
		assert_all_well(x, type);
		assert_true(x.c.mapped);
	} else {
		assert_refused(x, EINVAL, "attached nowhere");
	}

	scratch_dir(SCRATCH "/mapped");
	attach_at(tree, SCRATCH "/mapped");
	close(tree);
	tree = -1;
	x = check(SCRATCH "/mapped", IDM_CHECK_WRITE);
	assert_true(x.c.mapped);
	if (has_feature("open-tree-attr"))
		assert_all_well(x, type);
	else
		assert_refused(x, EPERM, "ID-mapped already");
	assert_false(check(PLACE, 0).c.mapped);
	do_umount_idle(SCRATCH "/mapped");
	do_umount_idle(PLACE);
}

static void mount_elsewhere(void *unused)
{
	(void)unused;
	must(unshare(CLONE_NEWNS));
	do_mount("tmpfs", PLACE, "tmpfs", 0, NULL);
}

TEST(a_mount_of_another_namespace)
{
	AUTO_FD int fd = -1;
	struct neighbour n;
	struct checked x;
	char path[64];

	scratch_enter();
	scratch_dir(PLACE);
	n = neighbour_start(mount_elsewhere, NULL);
	snprintf(path, sizeof(path), "/proc/%d/root" PLACE, (int)n.pid);
	fd = (int)must(open(path, O_PATH | O_CLOEXEC));
	x = check_at(fd, "", 0);
	assert_refused(x, EINVAL, "another mount namespace");
	assert_string_equal(x.c.fstype, "tmpfs");
	neighbour_end(&n);
	x = check_at(fd, "", 0);
	assert_refused(x, EINVAL, "attached nowhere");
	assert_string_equal(x.c.fstype, "tmpfs");
}

/* ---- arguments ---- */

TEST(wrong_arguments)
{
	struct {
		struct idm_check_result known;
		uint64_t more;
	} newer = { .more = 1 };
	struct idm_check_result c = IDM_CHECK_RESULT_INIT;
	struct idm_error e;
	struct checked x;

	scratch_enter();
	assert_error(idm_check_path(AT_FDCWD, "/", 2, &c, NULL, &e), -EINVAL, &e, "/", "check path",
		     "unknown flags 0x2");
	c.size = 0;
	assert_error(idm_check_path(AT_FDCWD, "/", 0, &c, NULL, &e), -EINVAL, &e, "/", "check path",
		     NULL);
	newer.known.size = sizeof(newer);
	assert_error(idm_check_path(AT_FDCWD, "/", 0, &newer.known, NULL, &e), -E2BIG, &e, "/",
		     "check path", NULL);
	assert_int_equal(idm_check_path(AT_FDCWD, "/", 0, &newer.known, NULL, NULL), -E2BIG);
	x = check(SCRATCH "/missing", 0);
	assert_error(x.r, -ENOENT, &x.e, SCRATCH "/missing", "check path", NULL);
	assert_int_equal(check(SCRATCH "/", 0).r, 0);
	c.size = sizeof(c);
	assert_int_equal(idm_check_path(AT_FDCWD, "", 0, &c, NULL, NULL), -ENOENT);
	assert_int_equal(check_at(1000000, "", 0).r, -EBADF);
	assert_int_equal(check("/dev/null/x", 0).r, -ENOTDIR);
}

TEST(without_an_error_to_fill_in)
{
	struct idm_check_result c = IDM_CHECK_RESULT_INIT;

	need_root();
	assert_int_equal(idm_check_path(AT_FDCWD, "/proc", IDM_CHECK_WRITE, &c, NULL, NULL), 0);
	assert_false(c.mappable);
}

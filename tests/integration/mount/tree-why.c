// SPDX-License-Identifier: MIT
/* Of the many causes that the kernel has one errno for, the one that it was is named. */
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>

#include "lib/base/macros.h"
#include "lib/mount/tree-diag.h"
#include "lib/sys/probe.h"
#include "lib/sys/syscall.h"
#include "tests/lib/neighbour.h"
#include "trees.h"

#define PLACE SCRATCH "/place"
#define OWN SCRATCH "/own"

/* What is said of a map of the source that must fail. */
static struct idm_error why_not(const char *path, int userns, bool recursive)
{
	AUTO_FD int source = (int)must(open(path, O_PATH | O_CLOEXEC));
	int r = idm_probe_clone(source, userns, recursive);
	struct snapshot *before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
	struct idm_error e;

	assert_true(r < 0);
	assert_int_equal(idm_diagnose_not_mapped(r, source, path, userns, recursive, NULL), r);
	assert_error(idm_diagnose_not_mapped(r, source, path, userns, recursive, &e), r, &e, NULL,
		     "map tree", NULL);
	snapshot_assert_same(before);
	return e;
}

static void assert_why_at(const char *file, int line, const char *path, int userns, int errnum,
			  const char *reason)
{
	struct idm_error e = why_not(path, userns, false);

	assert_int_at(file, line, "errnum", e.errnum, true, errnum);
	assert_string_at(file, line, "subject", PART(e, subject), path);
	assert_contains_at(file, line, "reason", PART(e, reason), reason);
}
#define assert_why(path, userns, errnum, reason) assert_why_at(HERE, path, userns, errnum, reason)

/* ---- the map ---- */

static void assert_mapped_by(const char *path, int userns)
{
	AUTO_FD int source = (int)must(open(path, O_PATH | O_CLOEXEC));
	AUTO_FD int tree = idm_probe_clone(source, userns, false);

	assert_ok(tree, NULL);
}

static void leave_userns(void *unused)
{
	(void)unused;
	must(unshare(CLONE_NEWUSER));
}

/* A user namespace with one map, or none. */
static int incomplete_userns(const char *written)
{
	struct neighbour n = neighbour_start(leave_userns, NULL);
	int userns = neighbour_namespace(&n, "user");

	if (written)
		write_id_map(n.pid, written, "0 1000 1\n");
	neighbour_end(&n);
	return userns;
}

TEST(a_map_with_a_side_missing)
{
	static const struct {
		const char *written, *reason;
	} cases[] = {
		{ NULL, "no uid map and no gid map" },
		{ "uid_map", "the user namespace has no gid map" },
		{ "gid_map", "the user namespace has no uid map" },
	};

	scratch_enter();
	mount_mappable(PLACE);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_FD int userns = incomplete_userns(cases[i].written);

		if (kernel_is_before(6, 9)) /* accepted before */
			assert_mapped_by(PLACE, userns);
		else
			assert_why(PLACE, userns, EINVAL, cases[i].reason);
		/* Were it complete, this would still not work. */
		assert_why("/proc", userns, EINVAL, "the filesystem (proc)");
	}
	do_umount_idle(PLACE);
}

TEST(a_descriptor_that_is_no_map)
{
	static const struct {
		const char *path;
		int flags, errnum;
		const char *reason;
	} cases[] = {
		{ "/proc/self/ns/user", O_RDONLY, EPERM, "the initial user namespace" },
		{ "/proc/self/ns/user", O_PATH, EBADF, "is O_PATH" },
		{ "/proc/self/ns/mnt", O_RDONLY, EINVAL, "a namespace, but not a user namespace" },
		{ "/dev/null", O_RDONLY, EINVAL, "is not a user namespace" },
		{ "/", O_RDONLY, EINVAL, "is not a user namespace" },
	};

	scratch_enter();
	mount_mappable(PLACE);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_FD int userns = (int)must(open(cases[i].path, cases[i].flags | O_CLOEXEC));

		assert_why(PLACE, userns, cases[i].errnum, cases[i].reason);
	}
	assert_why(PLACE, 1000000, EBADF, "is not open");
	do_umount_idle(PLACE);
}

/* As root of a user namespace that has a mount; not where nothing mounted there can be mapped. */
static void enter_userns_with_mount(void)
{
	enter_userns("0 0 65536\n");
	must(unshare(CLONE_NEWNS));
	do_mount("own", OWN, "tmpfs", 0, NULL);
}

static void a_tmpfs_is_refused(void)
{
	AUTO_FD int userns = -1;

	if (kernel_is_before(5, 12)) {
		mounts_are_refused();
		return;
	}
	scratch_enter();
	scratch_dir(OWN);
	enter_userns_with_mount();
	userns = userns_of("0:0:1");
	assert_why(OWN, userns, EINVAL, "the filesystem (tmpfs) cannot be ID-mapped");
}

TEST_SINCE(6, 3, a_tmpfs_is_refused, a_map_that_is_the_filesystems_own_user_namespace)
{
	AUTO_FD int userns = -1;

	scratch_enter();
	scratch_dir(OWN);
	enter_userns_with_mount();
	userns = (int)must(open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC));
	assert_why(OWN, userns, EINVAL, "the user namespace that mounted the filesystem");
}

TEST_SINCE(6, 3, a_tmpfs_is_refused, a_map_from_above_the_callers_user_namespace)
{
	AUTO_FD int userns = -1;

	scratch_enter();
	scratch_dir(OWN);
	userns = userns_of("0:0:1");
	enter_userns_with_mount();
	assert_why(OWN, userns, EPERM,
		   "it requires CAP_SYS_ADMIN in the user namespace that is the map");
}

/* ---- the source ---- */

static void mount_elsewhere(void *unused)
{
	(void)unused;
	must(unshare(CLONE_NEWNS));
	do_mount("theirs", PLACE, "tmpfs", 0, NULL);
}

/* "needs Linux 6.15" was said on 6.18, of a mount that no version copies. */
TEST(a_source_of_another_mount_namespace)
{
	AUTO_FD int userns = -1;
	struct neighbour n;
	struct idm_error e;
	char path[64];

	scratch_enter();
	scratch_dir(PLACE);
	userns = userns_of("0:0:1");
	n = neighbour_start(mount_elsewhere, NULL);
	snprintf(path, sizeof(path), "/proc/%d/root" PLACE, (int)n.pid);
	e = why_not(path, userns, false);
	assert_contains(PART(e, reason), "another mount namespace");
	if (kernel_is_before(6, 12)) {
		assert_contains(PART(e, reason), "attached nowhere"); /* it cannot be known */
	} else {
		assert_string_equal(PART(e, reason),
				    "the source is on a mount of another mount namespace");
		assert_contains(e.hint, "nsenter(1)");
	}
	neighbour_end(&n);
}

static void not_to_be_known(void *path)
{
	struct idm_error e;

	enter_userns("0 0 65536\n");
	must(unshare(CLONE_NEWNS));
	e = why_not(path, -1, false);
	assert_contains(PART(e, reason), "another mount namespace, or on one that is attached nowhere");
}

TEST(a_source_of_a_mount_namespace_that_may_not_be_seen)
{
	AUTO_FD int source = -1;
	char path[64];

	scratch_enter();
	source = (int)must(open(SCRATCH, O_PATH | O_CLOEXEC));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", source);
	in_child(not_to_be_known, path);
}

TEST(a_source_that_was_unmounted)
{
	AUTO_FD int userns = -1, source = -1;
	struct idm_error e;
	char path[64];

	scratch_enter();
	mount_mappable(PLACE);
	userns = userns_of("0:0:1");
	source = (int)must(open(PLACE, O_PATH | O_CLOEXEC));
	must(umount2(PLACE, MNT_DETACH));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", source);
	e = why_not(path, userns, false);
	assert_contains(PART(e, reason), "attached nowhere");
	if (!kernel_is_before(6, 15))
		assert_contains(e.hint, "it was unmounted");
}

/* devtmpfs, where its name is, has nothing to do with it. */
TEST(a_block_device)
{
	AUTO_FD int userns = -1;
	struct idm_error e;

	scratch_enter();
	scratch_dir(PLACE);
	do_mount("dev", PLACE, "devtmpfs", 0, NULL);
	if (mknod(PLACE "/idmount-test", S_IFBLK | 0600, makedev(7, 0)) < 0)
		skip_test("no block devices can be made here");
	userns = userns_of("0:0:1");
	e = why_not(PLACE "/idmount-test", userns, false);
	must(unlink(PLACE "/idmount-test"));
	assert_string_equal(PART(e, reason),
			    "expected a mounted filesystem as source, got a block device");
	assert_contains(e.hint, "mount the filesystem on the device first");
}

/* ---- mounts below ---- */

#define TOP SCRATCH "/top"

/* One that can, one that the kernel leaves out, one with a blank in its name that cannot. */
static void pile_up(void)
{
	mount_mappable(TOP);
	mount_mappable(TOP "/can");
	scratch_dir(TOP "/not");
	do_mount("r", TOP "/not", "ramfs", 0, NULL);
	do_mount(NULL, TOP "/not", NULL, MS_UNBINDABLE, NULL);
	scratch_dir(TOP "/can/the one");
	do_mount("r", TOP "/can/the one", "ramfs", 0, NULL);
}

TEST(the_mount_below_that_cannot_be_mapped)
{
	AUTO_FD int userns = -1;
	struct idm_error e;

	scratch_enter();
	pile_up();
	userns = userns_of("0:0:1");
	e = why_not(TOP, userns, true);
	assert_int_equal(e.errnum, EINVAL);
	assert_string_equal(PART(e, subject), TOP "/can/the one");
	assert_contains(PART(e, reason), "the filesystem (ramfs) cannot be ID-mapped");
	assert_contains(e.hint, TOP);
}

/* Covered by one that can, it has no name any more. */
TEST(a_covered_mount_below_that_cannot_be_mapped)
{
	AUTO_FD int userns = -1;
	struct idm_error e;

	scratch_enter();
	pile_up();
	mount_mappable(SCRATCH "/cover");
	do_mount(SCRATCH "/cover", TOP "/can/the one", NULL, MS_MOVE, NULL);
	userns = userns_of("0:0:1");
	e = why_not(TOP, userns, true);
	assert_string_equal(PART(e, subject), TOP);
	assert_contains(PART(e, reason), "covered by another");
	do_umount_idle(TOP "/can/the one");
	do_umount_idle(TOP "/can/the one");
	do_umount_idle(TOP "/can");
	do_umount_idle(TOP "/not");
	do_umount_idle(TOP);
}

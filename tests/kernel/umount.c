// SPDX-License-Identifier: MIT
/* Unmounting takes what it was asked to take, and nothing else. */
#include "trees.h"
#include "util.h"

#define SOURCE SCRATCH "/source"
#define TARGET SCRATCH "/target"

static void enter(void)
{
	scratch_enter();
	scratch_dir(SOURCE "/a/b");
	scratch_dir(TARGET);
}

static void pile_up(void)
{
	do_mount("0", TARGET, "tmpfs", 0, NULL);
	scratch_dir(TARGET "/a");
	do_mount("1", TARGET "/a", "tmpfs", 0, NULL);
	scratch_dir(TARGET "/a/b");
	do_mount("2", TARGET "/a/b", "tmpfs", 0, NULL);
	do_mount("3", TARGET "/a/b", "tmpfs", 0, NULL); /* one over the other */
	scratch_dir(TARGET "/c d\n");
	do_mount("4", TARGET "/c d\n", "tmpfs", 0, NULL);
}

TEST_ANYWHERE(the_top_mount_goes)
{
	struct idm_error err;

	enter();
	do_mount("lower", TARGET, "tmpfs", 0, NULL);
	scratch_file(TARGET "/lower", "");
	do_mount("upper", TARGET, "tmpfs", 0, NULL);
	assert_ok(idm_umount(TARGET, 0, &err), &err);
	assert_int_equal(access(TARGET "/lower", F_OK), 0);
}

TEST_ANYWHERE(recursively_the_deepest_go_first)
{
	struct snapshot *before;
	struct idm_error err;

	enter();
	before = snapshot_take(SNAPSHOT_ALL);
	pile_up();
	assert_ok(idm_umount(TARGET, IDM_UMOUNT_RECURSIVE, &err), &err);
	snapshot_assert_same(before);
}

TEST_ANYWHERE(lazily_all_goes_in_one_step_also_when_in_use)
{
	AUTO_FD int busy = -1;
	struct snapshot *before;
	struct idm_error err;

	enter();
	before = snapshot_take(SNAPSHOT_MOUNTS);
	pile_up();
	busy = (int)must(open(TARGET "/a/b", O_RDONLY | O_CLOEXEC));
	assert_ok(idm_umount(TARGET, IDM_UMOUNT_RECURSIVE | IDM_UMOUNT_LAZY, &err), &err);
	snapshot_assert_same(before);
}

TEST_ANYWHERE(a_mount_in_use_is_named)
{
	AUTO_FD int busy = -1;
	struct idm_error err;

	enter();
	pile_up();
	assert_error(idm_umount(TARGET, 0, &err), -EBUSY, &err, TARGET, "unmount", "in use");
	busy = (int)must(open(TARGET "/a", O_RDONLY | O_CLOEXEC));
	assert_error(idm_umount(TARGET, IDM_UMOUNT_RECURSIVE, &err), -EBUSY, &err, TARGET "/a",
		     "unmount", "in use");
	assert_contains(err.hint, "IDM_UMOUNT_LAZY");
}

TEST_ANYWHERE(what_is_no_mount_point_takes_nothing_with_it)
{
	struct snapshot *before;
	struct idm_error err;

	enter();
	pile_up();
	must(symlink("target", SCRATCH "/link"));
	before = snapshot_take(SNAPSHOT_ALL);
	assert_error(idm_umount(SOURCE, 0, &err), -EINVAL, &err, SOURCE, "unmount", "not a mount point");
	/* The mount that holds it has mounts below: they must stay. */
	assert_error(idm_umount(SOURCE, IDM_UMOUNT_RECURSIVE, &err), -EINVAL, &err, SOURCE, "unmount",
		     "not a mount point");
	assert_error(idm_umount(SCRATCH "/link", 0, &err), -ELOOP, &err, SCRATCH "/link", "unmount",
		     "symbolic link");
	assert_error(idm_umount(SCRATCH "/link", IDM_UMOUNT_RECURSIVE, &err), -ELOOP, &err,
		     SCRATCH "/link", "unmount", "symbolic link");
	assert_error(idm_umount(SCRATCH "/none", 0, &err), -ENOENT, &err, SCRATCH "/none", "unmount",
		     "No such file");
	assert_error(idm_umount(TARGET, 0x80, &err), -EINVAL, &err, TARGET, "unmount", "unknown flags");
	snapshot_assert_same(before);
	assert_ok(idm_umount(SCRATCH "/link", IDM_UMOUNT_RECURSIVE | IDM_UMOUNT_FOLLOW, &err), &err);
	assert_int_equal(access(TARGET "/a", F_OK), -1);
}

TEST_ANYWHERE(nothing_behind_a_link_makes_it_followed)
{
	static const char *const behind[] = { "/",	"//",	      "/.",	      "/./",
					      "/.//./", "/inside/..", "/inside/../.", NULL };
	static const unsigned int flags[] = { 0, IDM_UMOUNT_LAZY, IDM_UMOUNT_RECURSIVE };
	struct snapshot *before;
	struct idm_error err;
	char path[128];

	enter();
	scratch_dir(SOURCE "/inside");
	do_mount(SOURCE, TARGET, NULL, 1 << 12 /* MS_BIND */, NULL);
	must(symlink("target", SCRATCH "/link"));
	before = snapshot_take(SNAPSHOT_ALL);
	for (size_t i = 0; behind[i]; i++)
		for (size_t f = 0; f < ARRAY_SIZE(flags); f++) {
			snprintf(path, sizeof(path), SCRATCH "/link%s", behind[i]);
			assert_error(idm_umount(path, flags[f], &err), -ELOOP, &err, path, "unmount",
				     "symbolic link");
		}
	snapshot_assert_same(before);
	for (size_t i = 0; behind[i]; i++)
		for (size_t f = 0; f < ARRAY_SIZE(flags); f++) {
			snprintf(path, sizeof(path), TARGET "%s", behind[i]);
			assert_ok(idm_umount(path, flags[f], &err), &err);
			do_mount(SOURCE, TARGET, NULL, 1 << 12 /* MS_BIND */, NULL);
		}
	assert_ok(idm_umount(SCRATCH "/link/", IDM_UMOUNT_FOLLOW, &err), &err);
	assert_error(idm_umount(TARGET "/", 0, &err), -EINVAL, &err, TARGET "/", "unmount",
		     "not a mount point");
}

TEST_ANYWHERE(no_right_to_unmount_is_said)
{
	struct idm_error err;

	enter();
	pile_up();
	must(chmod(SCRATCH, 0755));
	become_user(unused_uid(), 1000);
	assert_error(idm_umount(TARGET, 0, &err), -EPERM, &err, TARGET, "unmount", "CAP_SYS_ADMIN");
}

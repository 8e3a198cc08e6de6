// SPDX-License-Identifier: MIT
/* A path leads to the mount that holds it, by whatever part of that mount it names. */
#include "listing.h"

TEST(paths_and_descriptors)
{
	AUTO_FD int below = -1, fd = -1;

	listing_enter();
	scratch_dir(SOURCE "/deeper");
	scratch_file(SOURCE "/file", "");
	put("m", "0:1:1");
	must(symlink("m/deeper", at("link")));
	below = (int)must(open(at("m"), O_PATH | O_CLOEXEC));
	put("m", "0:2:1"); /* over it */
	fd = (int)must(open(at("m"), O_RDONLY | O_CLOEXEC));
	FOR_EACH_LEVEL(level)
	{
		assert_path(level, AT_FDCWD, at("m"), at("m"), "0:2:1");
		assert_path(level, AT_FDCWD, at("m/deeper"), at("m"), "0:2:1");
		assert_path(level, AT_FDCWD, at("m/file"), at("m"), "0:2:1");
		assert_path(level, AT_FDCWD, at("link"), at("m"), "0:2:1");
		assert_path(level, fd, "", at("m"), "0:2:1");
		assert_path(level, fd, "deeper", at("m"), "0:2:1");
		assert_path(level, below, "", at("m"), "0:1:1");
		assert_path(level, below, "deeper", at("m"), "0:1:1");
		assert_path(level, AT_FDCWD, at(""), at(""), NULL);
		must(chdir(at("m/deeper")));
		assert_path(level, AT_FDCWD, "", at("m"), "0:2:1");
		assert_path(level, AT_FDCWD, ".", at("m"), "0:2:1");
		must(chdir("/"));
	}
}

static void assert_no_path(enum idm_list_level level, int dirfd, const char *path, int code)
{
	struct idm_error err;

	assert_error(list_path_by(level, dirfd, path, listing_never, NULL, &err), code, &err, path,
		     "list mounts", NULL);
}

TEST(paths_that_lead_nowhere)
{
	listing_enter();
	must(symlink("loop", at("loop")));
	FOR_EACH_LEVEL(level)
	{
		assert_no_path(level, AT_FDCWD, at("none"), -ENOENT);
		assert_no_path(level, AT_FDCWD, at("loop"), -ELOOP);
		assert_no_path(level, 1 << 20, "", -EBADF);
		assert_no_path(level, 1 << 20, "x", -EBADF);
	}
}

static int unmount_it(const struct idm_mount_info *mount, void *unused)
{
	(void)unused;
	return idm_sys_umount(mount->target, 0);
}

/* No descriptor is held on the mount while the callback runs: it is not busy. */
TEST(the_mount_can_be_unmounted_in_the_callback)
{
	listing_enter();
	FOR_EACH_LEVEL(level)
	{
		put("m", "0:1:1");
		assert_int_equal(list_path_by(level, AT_FDCWD, at("m"), unmount_it, NULL, NULL), 0);
	}
}

/* A descriptor can lead to a mount in another namespace. */
TEST(a_mount_in_another_namespace)
{
	struct neighbour n;
	char path[4200];

	listing_enter();
	n = neighbour_start(mount_theirs, NULL);
	snprintf(path, sizeof(path), "/proc/%d/root%s", (int)n.pid, at("theirs"));
	FOR_EACH_LEVEL(level)
	{
		struct idm_error err;

		if (really(level) >= IDM_LIST_NAMESPACES) {
			assert_path(level, AT_FDCWD, path, at("theirs"), "0:3:1");
			continue;
		}
		assert_error(list_path_by(level, AT_FDCWD, path, listing_never, NULL, &err), -ENOENT,
			     &err, path, "list mounts", NULL);
		assert_contains(err.hint, "another mount namespace");
	}
	neighbour_end(&n);
}

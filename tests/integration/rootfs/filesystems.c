// SPDX-License-Identifier: MIT
/* Every filesystem that the kernel can map is mapped, each with the IDs that it stores. */
#include "tests/integration/mount/trees.h"

#define CONTENT SCRATCH "/content"
#define DISK SCRATCH "/disk"
#define TARGET SCRATCH "/target"

static void shows_mapped_ids(const char *type)
{
	scratch_enter();
	scratch_dir(CONTENT "/directory");
	owned_file(CONTENT "/directory/file", 1000, 1001);
	must(chown(CONTENT "/directory", 2000, 2001));
	scratch_filesystem(type, DISK, CONTENT);
	scratch_dir(TARGET);
	mount_mapped(DISK, TARGET, "u:1000:5,g:1001:6,u:2000:0,g:2001:0");
	assert_owner(TARGET "/directory/file", 5, 6);
	assert_owner(TARGET "/directory", 0, 0);
	assert_owner(DISK "/directory/file", 1000, 1001);
}

static void stores_disk_ids(const char *type)
{
	int fd;

	shows_mapped_ids(type);
	fd = (int)must(open(TARGET "/directory/new", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	must(fchown(fd, 5, 6));
	assert_owner(TARGET "/directory/new", 5, 6);
	assert_owner(DISK "/directory/new", 1000, 1001);
	assert_int_equal(fchown(fd, 77, (gid_t)-1), -1); /* no user has 77 on disk */
	assert_int_equal(errno, EOVERFLOW);
	close(fd);
}

static void tmpfs_shows_mapped_ids(const char *type)
{
	scratch_enter();
	scratch_dir(DISK);
	scratch_dir(TARGET);
	do_mount("disk", DISK, type, 0, NULL);
	owned_file(DISK "/file", 1000, 1001);
	mount_mapped(DISK, TARGET, "1000:5,1001:6");
	assert_owner(TARGET "/file", 5, 6);
}

static void is_refused(const char *type, const char *since)
{
	AUTO_FD int userns = -1;
	struct idm_error err;
	char hint[64];

	if (kernel_is_before(5, 12)) {
		mounts_are_refused();
		return;
	}
	scratch_enter();
	scratch_dir(DISK);
	if (strcmp(type, "tmpfs") == 0)
		do_mount("disk", DISK, type, 0, NULL);
	else
		scratch_filesystem(type, DISK, NULL);
	userns = userns_of("1000:5,1001:6");
	assert_error(idm_tree_open(AT_FDCWD, DISK, userns, NULL, &err), -EINVAL, &err, DISK, "map tree",
		     "cannot be ID-mapped");
	assert_contains(PART(err, reason), type);
	snprintf(hint, sizeof(hint), "mapping %s requires Linux %s", type, since);
	assert_string_equal(err.hint, hint);
}

#define TEST_FILESYSTEM(type, major, minor, promise)      \
	static void type##_is_refused(void)               \
	{                                                 \
		is_refused(#type, #major "." #minor);     \
	}                                                 \
	TEST_SINCE(major, minor, type##_is_refused, type) \
	{                                                 \
		promise(#type);                           \
	}

TEST_FILESYSTEM(ext4, 5, 12, stores_disk_ids)
TEST_FILESYSTEM(xfs, 5, 12, stores_disk_ids)
TEST_FILESYSTEM(btrfs, 5, 15, stores_disk_ids)
TEST_FILESYSTEM(erofs, 5, 19, shows_mapped_ids)
TEST_FILESYSTEM(squashfs, 6, 2, shows_mapped_ids)
TEST_FILESYSTEM(tmpfs, 6, 3, tmpfs_shows_mapped_ids)

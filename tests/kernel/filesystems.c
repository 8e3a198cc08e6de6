// SPDX-License-Identifier: MIT
/* Every filesystem that the kernel can map is mapped, each with the ids that it stores. */
#include "trees.h"

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
	assert_int_equal(fchown(fd, 77, (gid_t)-1), -1); /* 77 is nobody's number on disk */
	assert_int_equal(errno, EOVERFLOW);
	close(fd);
}

TEST(ext4)
{
	stores_disk_ids("ext4");
}

TEST(xfs)
{
	stores_disk_ids("xfs");
}

TEST(btrfs)
{
	stores_disk_ids("btrfs");
}

TEST(erofs)
{
	shows_mapped_ids("erofs");
}

TEST(squashfs)
{
	shows_mapped_ids("squashfs");
}

TEST(tmpfs)
{
	scratch_enter();
	scratch_dir(DISK);
	scratch_dir(TARGET);
	do_mount("disk", DISK, "tmpfs", 0, NULL);
	owned_file(DISK "/file", 1000, 1001);
	mount_mapped(DISK, TARGET, "1000:5,1001:6");
	assert_owner(TARGET "/file", 5, 6);
}

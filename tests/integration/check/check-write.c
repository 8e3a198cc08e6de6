// SPDX-License-Identifier: MIT
/* What can be mapped, but not written, is told, and why. */
#include "checks.h"

#define PLACE SCRATCH "/place"

TEST(a_read_only_mount)
{
	const char *type;
	struct checked x;

	scratch_enter();
	type = mount_mappable(PLACE);
	assert_all_well(check(PLACE, IDM_CHECK_WRITE), type);
	do_mount(NULL, PLACE, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL);
	x = check(PLACE, 0);
	assert_mappable(x, type);
	assert_int_equal(x.e.errnum, 0); /* writing was not asked for */
	assert_not_writable(check(PLACE, IDM_CHECK_WRITE), EROFS, "the mount is read-only");
	do_umount_idle(PLACE);
}

/* Makes files until there is no room for one more; how many. */
static unsigned int fill_up(const char *directory)
{
	char name[64];

	for (unsigned int n = 0;; n++) {
		int fd;

		snprintf(name, sizeof(name), "%s/%u", directory, n);
		fd = open(name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
		if (fd < 0) {
			assert_int_equal(errno, ENOSPC);
			return n;
		}
		close(fd);
	}
}

TEST(no_room)
{
	scratch_enter();
	if (strcmp(mount_mappable(PLACE), "tmpfs") == 0)
		do_mount(NULL, PLACE, NULL, MS_REMOUNT, "nr_inodes=10");
	assert_true(fill_up(PLACE) > 0);
	assert_not_writable(check(PLACE, IDM_CHECK_WRITE), ENOSPC, "has no space");
	do_umount_idle(PLACE);
}

TEST(a_file)
{
	const char *type;

	scratch_enter();
	type = mount_mappable(PLACE);
	scratch_file(PLACE "/file", "");
	assert_mappable(check(PLACE "/file", 0), type);
	assert_not_writable(check(PLACE "/file", IDM_CHECK_WRITE), ENOTDIR, "not a directory");
	do_umount_idle(PLACE);
}

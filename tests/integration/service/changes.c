// SPDX-License-Identifier: MIT
#include "changes.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "clients.h"
#include "lib/base/macros.h"

/* ---- owners and attributes ---- */

static int change_owner(const struct change *c, int number)
{
	const uint32_t same = UINT32_MAX;

	if (number < GROUP)
		return chown(c->file, c->uids[number], same);
	if (number < BOTH)
		return chown(c->file, same, c->gids[number - GROUP]);
	return chown(c->file, c->uids[(number - BOTH) / IDS], c->gids[(number - BOTH) % IDS]);
}

static int set_capability(const char *path, size_t size, uint32_t root)
{
	const struct vfs_ns_cap_data data = { .magic_etc = (size == sizeof(data) ? VFS_CAP_REVISION_3
										 : VFS_CAP_REVISION_2) |
							   VFS_CAP_FLAGS_EFFECTIVE,
					      .data = { { 1 << CAP_KILL, 0 } },
					      .rootid = root };

	return setxattr(path, CAPABILITY, &data, size, 0);
}

/* Without a root ID, the kernel adds that of the user namespace of the process. */
static int change_capability(const struct change *c, int number)
{
	return number < IDS ? set_capability(c->file, sizeof(struct vfs_ns_cap_data), c->uids[number])
			    : set_capability(c->file, sizeof(struct vfs_cap_data), 0);
}

/* A user for the first numbers, then a group. */
static int change_acl(const struct change *c, int number)
{
	const uint32_t none = UINT32_MAX;
	const bool is_group = number >= IDS;
	const struct acl acl = { 2,
				 { { 0x01, 7, none },
				   { is_group ? 0x04 : 0x02, 7, is_group ? none : c->uids[number] },
				   { is_group ? 0x08 : 0x04, 7,
				     is_group ? c->gids[number - IDS] : none },
				   { 0x10, 7, none },
				   { 0x20, 0, none } } };

	return setxattr(c->file, ACL, &acl, sizeof(acl) - sizeof(acl.entries[0]), 0);
}

static int set_times(const char *path)
{
	const struct timespec times[2] = { { 1, 0 }, { 1, 0 } };

	return utimensat(AT_FDCWD, path, times, 0);
}

/* ---- content ---- */

static int write_byte(int file)
{
	AUTO_CLOSE int fd = file;

	return fd < 0 ? -1 : (int)write(fd, "t", 1);
}

static int write_file(const struct change *c)
{
	return write_byte(open(c->file, O_WRONLY | O_CLOEXEC)) < 0 ? -1 : 0;
}

/* From Linux 6.11 on, a process opens directories so with capabilities in its user namespace. */
static int write_by_handle(const struct change *c)
{
	AUTO_CLOSE int top = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), directory = -1;

	if (top >= 0)
		directory = (int)syscall(SYS_open_by_handle_at, top, c->handle,
					 O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return directory < 0 || write_byte(openat(directory, "f", O_WRONLY | O_CLOEXEC)) < 0 ? -1 : 0;
}

/* ---- new files and names ---- */

static int create_file(const struct change *c)
{
	AUTO_CLOSE int fd = open(c->made, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 06777);

	return fd < 0 ? -1 : 0;
}

/* `made` is "DIRECTORY/NAME". */
static int link_nameless_file(const struct change *c)
{
	char directory[16], path[64];
	AUTO_CLOSE int fd = -1;

	snprintf(directory, sizeof(directory), "%.2s", c->made);
	fd = open(directory, O_TMPFILE | O_WRONLY | O_CLOEXEC, 06777);
	if (fd < 0)
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, path, AT_FDCWD, c->made, AT_SYMLINK_FOLLOW);
}

/* A process that may not exchange them has made the file all the same. */
static int exchange_with_new_file(const struct change *c)
{
	if (create_file(c) < 0)
		return -1;
	(void)!syscall(SYS_renameat2, AT_FDCWD, c->file, AT_FDCWD, c->made, RENAME_EXCHANGE);
	return 0;
}

static int make_file(const struct change *c, int number)
{
	if (number == 0)
		return create_file(c);
	return number == 1 ? link_nameless_file(c) : exchange_with_new_file(c);
}

static int change_names(const struct change *c, int number)
{
	switch (number) {
	case 0:
		return unlink(c->file);
	case 1:
		return rename(c->file, c->renamed);
	case 2:
		return rename(c->file, c->linked);
	case 3:
		return link(c->file, c->linked);
	case 4:
		return renameat(AT_FDCWD, c->file, c->other, c->linked);
	case 5:
		return linkat(AT_FDCWD, c->file, c->other, c->linked, 0);
	case 6:
		return mkdir(c->made, 07777);
	case 7:
		return mknod(c->made, S_IFCHR | 0777, makedev(1, 3));
	case 8:
		return mknod(c->made, S_IFCHR | 0777, 0); /* a whiteout */
	default:
		return symlink("f", c->made);
	}
}

#define NAMES (OTHERS + 9)

static int change_other_things(const struct change *c, int number)
{
	switch (number) {
	case 0:
		return write_file(c);
	case 1:
		return write_by_handle(c);
	case 2:
		return chmod(c->file, 04755);
	case 3:
		return chmod(c->file, 02775);
	case 4:
		return chmod(c->file, 07777);
	case 5:
		return set_times(c->file);
	case 6:
		return removexattr(c->file, CAPABILITY);
	case 7:
		return removexattr(c->file, ACL);
	default:
		return setxattr(c->file, NOTE, "t", 1, 0);
	}
}

int change_place(const struct change *c, int number)
{
	if (number < CAPABLE)
		return change_owner(c, number);
	if (number < NAMED)
		return change_capability(c, number - CAPABLE);
	if (number < MADE)
		return change_acl(c, number - NAMED);
	if (number < OTHERS)
		return make_file(c, number - MADE);
	if (number < NAMES)
		return change_other_things(c, number - OTHERS);
	return change_names(c, number - NAMES);
}

int get_change_kind(int number)
{
	static const int kinds[] = { OWNER, GROUP, BOTH, CAPABLE, NAMED, MADE, OTHERS };
	int kind = number;

	for (size_t i = 0; i + 1 < ARRAY_SIZE(kinds); i++)
		if (number >= kinds[i] && number < kinds[i + 1])
			kind = kinds[i];
	return kind;
}

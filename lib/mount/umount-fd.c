// SPDX-License-Identifier: MIT
#include "umount-fd.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/macros.h"
#include "lib/sys/procfs.h"
#include "lib/sys/subprocess.h"
#include "lib/sys/syscall.h"

/* ---- by descriptor ---- */

/* A path that leads to where the descriptor points, and `name` in it. */
struct fd_path {
	char text[320];
};

static struct fd_path make_fd_path(int fd, const char *name)
{
	struct fd_path p;

	snprintf(p.text, sizeof(p.text), "/proc/thread-self/fd/%d%s%s", fd, *name ? "/" : "", name);
	return p;
}

/*
 * The file alone does not tell: it is the same through every mount of it, and what is at /proc need not
 * be a procfs. No filesystem is asked: the server of that mount may be dead.
 */
bool idm_can_unmount_fd(int fd)
{
	const unsigned int wanted = STATX_INO | STATX_MNT_ID;
	struct statx by_path, by_fd;

	return idm_sys_statx(AT_FDCWD, make_fd_path(fd, "").text, AT_STATX_DONT_SYNC, wanted,
			     &by_path) == 0 &&
	       idm_sys_statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, wanted, &by_fd) == 0 &&
	       by_path.stx_mnt_id == by_fd.stx_mnt_id && by_path.stx_ino == by_fd.stx_ino &&
	       by_path.stx_dev_major == by_fd.stx_dev_major &&
	       by_path.stx_dev_minor == by_fd.stx_dev_minor;
}

/* In a process whose working directory is its own, "." is a path to the mount: no /proc is needed. */
struct from_inside {
	int fd;
	const char *name;
	int flags;
};

static int unmount_from_inside(void *data)
{
	const struct from_inside *w = data;
	int r = idm_sys_fchdir(w->fd);

	return r < 0 ? r : idm_sys_umount(w->name, w->flags);
}

/* EBUSY would be the mount's. */
static int unmount_in_child(struct from_inside *where)
{
	int r = idm_procfs_check_init();

	if (r == 0)
		return idm_subprocess_shared_again(unmount_from_inside, where, sizeof(*where));
	return r == -EBUSY ? -ECHILD : r;
}

int idm_detach_mount(int mount_fd)
{
	struct from_inside here = { mount_fd, ".", MNT_DETACH };

	if (idm_can_unmount_fd(mount_fd) &&
	    idm_sys_umount(make_fd_path(mount_fd, "").text, MNT_DETACH) == 0)
		return 0;
	return unmount_in_child(&here);
}

/* ---- by id ---- */

/* As it is listed: the unique one, or the short one before Linux 6.8. No number is both. */
static bool is_mount(int fd, uint64_t id)
{
	uint64_t is;
	bool unique;

	return (idm_mount_id(fd, "", &is, &unique) == 0 && is == id) ||
	       (idm_short_mount_id(fd, &is) == 0 && is == id);
}

/* As umount2(2) follows a link or not. */
static int open_place(int dirfd, const char *name, int flags)
{
	return idm_sys_openat(dirfd, name, O_PATH | (flags & UMOUNT_NOFOLLOW ? O_NOFOLLOW : 0), 0);
}

static int check_mount_id(int dirfd, const char *name, uint64_t id, int flags)
{
	/* Closed before the mount is unmounted, since it would keep that busy. */
	AUTO_CLOSE int fd = open_place(dirfd, name, flags);

	return fd < 0 ? fd : is_mount(fd, id) ? 0 : -EXDEV;
}

static int find_mount_id(int dirfd, const char *name, uint64_t *id, int flags)
{
	AUTO_CLOSE int fd = open_place(dirfd, name, flags);
	bool unique;

	return fd < 0 ? fd : idm_mount_id(fd, "", id, &unique);
}

/* By the directory that it is in, which stays what it is, wherever it is moved. */
static int unmount_once(int dirfd, const char *target, int flags)
{
	struct from_inside there = { dirfd, target, flags };

	if (dirfd == AT_FDCWD || *target == '/')
		return idm_sys_umount(target, flags);
	return strlen(target) <= NAME_MAX && idm_can_unmount_fd(dirfd)
		       ? idm_sys_umount(make_fd_path(dirfd, target).text, flags)
		       : unmount_in_child(&there);
}

/*
 * Between fork(2) and execve(2) in another thread, the child has copies of all descriptors. Those on the
 * mount keep it busy, although the caller has closed its own. The library's delegates and children begin
 * so, too. That passes, so EBUSY counts only if it lasts.
 */
static bool pause_if_busy(int r, int flags, int tries)
{
	if (r != -EBUSY || flags & MNT_DETACH || tries == 25)
		return false;
	idm_sys_sleep(2);
	return true;
}

/* The ID is checked before each try. */
static int unmount_checked(int dirfd, const char *target, uint64_t id, int flags)
{
	int r, tries = 0;

	do {
		r = check_mount_id(dirfd, target, id, flags);
		if (r == 0)
			r = unmount_once(dirfd, target, flags);
	} while (pause_if_busy(r, flags, tries++));
	return r;
}

/* The mount that was in use is tried again, and not one that is mounted there by then. */
int idm_unmount_at(int dirfd, const char *target, int flags)
{
	int r = unmount_once(dirfd, target, flags);
	uint64_t id;

	if (r == -EBUSY && find_mount_id(dirfd, target, &id, flags) == 0 && pause_if_busy(r, flags, 0))
		r = unmount_checked(dirfd, target, id, flags);
	return r;
}

/*
 * A process cannot rename or remove a mount point of its own mount namespace. So once the mount point's
 * directory is open, the name in it leads to the mount that was found there. Others can exchange
 * everything above at will.
 *
 * One gap is left. In an older mount namespace nothing is mounted there, and a process in it can rename
 * the mount point. If it may write both directories, it can exchange two mount points between the check
 * and the call. A descriptor of the mount would close the gap, but make the mount busy.
 */
int idm_unmount_by_id(int dirfd, const char *target, uint64_t id, int flags)
{
	const char *slash = strrchr(target, '/');
	AUTO_FREE char *above = NULL;
	AUTO_CLOSE int parent = -1;

	flags |= UMOUNT_NOFOLLOW;
	if (!slash || !slash[1]) /* "/", on the way to which nothing is */
		return unmount_checked(dirfd, target, id, flags);
	above = strndup(target, slash == target ? 1 : (size_t)(slash - target));
	if (!above)
		return -ENOMEM;
	parent = idm_sys_openat(dirfd, above, O_PATH | O_DIRECTORY, 0);
	return parent < 0 ? parent : unmount_checked(parent, slash + 1, id, flags);
}

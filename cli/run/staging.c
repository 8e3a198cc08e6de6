// SPDX-License-Identifier: MIT
/*
 * Keeps the copies of the host's mount table few.
 *
 * For root a staging namespace serves the whole call, if the host has many mounts. Without it, the start
 * of the container makes two copies, and an overlay before Linux 6.15 a third one.
 *
 * An ordinary user's process has a mount namespace of its own, which is one copy already. Once all trees
 * are open, no path of the host is needed. So the process makes its own namespace as small as a staging
 * namespace, and the container's start copies that. The host's mounts are then no longer busy through
 * this process, which lives as long as the program.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "cli/common/new-filesystem.h"
#include "run.h"

/* ---- a namespace besides that of this process ---- */

/* With fewer, a second copy costs less than a staging namespace. */
#define MANY_MOUNTS 256

static size_t count_lines(const char *text, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < size; i++)
		n += text[i] == '\n';
	return n;
}

/* Reads no further than necessary. */
static bool has_many_mounts(void)
{
	int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	char text[4096];
	size_t lines = 0;
	ssize_t n;

	if (fd < 0)
		return false;
	while (lines < MANY_MOUNTS && (n = read(fd, text, sizeof(text))) > 0)
		lines += count_lines(text, (size_t)n);
	close(fd);
	return lines >= MANY_MOUNTS;
}

int run_open_staging(void)
{
	int fd = has_many_mounts() ? idm_staging_open(0, NULL) : -1;

	return fd < 0 ? -1 : fd;
}

/* ---- the own one of this process ---- */

/*
 * The kernel permits a new procfs or sysfs in the container only where another one is fully visible. So
 * this one stays visible, with the mounts that cover parts of it.
 */
struct system_mount {
	const char *path;
	unsigned long magic;
	int tree;
};

static int open_system_mount(struct system_mount *m)
{
	struct idm_tree_options o = IDM_TREE_OPTIONS_INIT;
	struct statfs fs;

	o.flags = IDM_TREE_RECURSIVE;
	m->tree = idm_tree_open(AT_FDCWD, m->path, -1, &o, NULL);
	if (m->tree < 0)
		return m->tree == -ENOENT ? 0 : m->tree;
	if (fstatfs(m->tree, &fs) < 0)
		return -errno;
	if ((unsigned long)fs.f_type != m->magic) {
		close(m->tree);
		m->tree = -1;
	}
	return 0;
}

static int attach_system_mount(const struct system_mount *m, int top)
{
	struct idm_attach_options o = IDM_ATTACH_OPTIONS_INIT;

	o.flags = IDM_ATTACH_MKDIR;
	return m->tree < 0 ? 0 : idm_tree_attach(m->tree, top, m->path + 1, &o, NULL);
}

/* Afterwards the old root covers the new one, until it is detached. */
static int exchange_root(int top)
{
	if (fchdir(top) < 0 || syscall(SYS_pivot_root, ".", ".") < 0)
		return -errno;
	return umount2(".", MNT_DETACH) < 0 || chdir("/") < 0 ? -errno : 0;
}

/* After a failure everything is as before, except for the working directory. */
static void replace_root(int top, struct system_mount *mounts, size_t n)
{
	int r = idm_tree_attach(top, AT_FDCWD, "/", NULL, NULL);

	if (r < 0)
		return;
	for (size_t i = 0; i < n && r == 0; i++)
		r = attach_system_mount(&mounts[i], top);
	if (r == 0)
		r = exchange_root(top);
	if (r < 0)
		idm_umount_fd(top, IDM_UMOUNT_LAZY, NULL);
}

void run_leave_host(const struct run_request *q)
{
	static const char *const options[] = { "mode=755", "nosuid", "nodev", "noexec" };
	struct system_mount mounts[] = { { "/proc", PROC_SUPER_MAGIC, -1 },
					 { "/sys", SYSFS_MAGIC, -1 } };
	int top, r = 0;

	if (!q->rootless)
		return;
	/* The new root covers the paths, so they are opened before. */
	for (size_t i = 0; i < 2 && r == 0; i++)
		r = open_system_mount(&mounts[i]);
	top = r == 0 ? open_unmapped_filesystem("tmpfs", options, sizeof(options) / sizeof(options[0]))
		     : -1;
	if (top >= 0) {
		replace_root(top, mounts, 2);
		close(top);
	}
	for (size_t i = 0; i < 2; i++)
		if (mounts[i].tree >= 0)
			close(mounts[i].tree);
}

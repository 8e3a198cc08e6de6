// SPDX-License-Identifier: MIT
/*
 * Masks for parts of /proc and /sys that describe the host, or change it. The null device covers a file,
 * and an empty directory covers a directory. Some parts are read-only. A user namespace keeps the
 * container's root from most of them already. The masks hold where it does not.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "cli/common/report.h"
#include "run.h"

/* The paths are those of runc's own configuration, and of docker's. The manual has the same list. */
static const struct mask {
	const char *path;
	enum { FILE_MASK, DIRECTORY_MASK, READ_ONLY } kind;
} table[] = {
	{ "/proc/acpi", DIRECTORY_MASK },
	{ "/proc/asound", DIRECTORY_MASK },
	{ "/proc/interrupts", FILE_MASK },
	{ "/proc/kcore", FILE_MASK },
	{ "/proc/keys", FILE_MASK },
	{ "/proc/latency_stats", FILE_MASK },
	{ "/proc/sched_debug", FILE_MASK },
	{ "/proc/scsi", DIRECTORY_MASK },
	{ "/proc/timer_list", FILE_MASK },
	{ "/proc/timer_stats", FILE_MASK },
	{ "/sys/devices/virtual/powercap", DIRECTORY_MASK },
	{ "/sys/firmware", DIRECTORY_MASK },
	{ "/proc/bus", READ_ONLY },
	{ "/proc/fs", READ_ONLY },
	{ "/proc/irq", READ_ONLY },
	{ "/proc/sys", READ_ONLY },
	{ "/proc/sysrq-trigger", READ_ONLY },
};

#define NULL_DEVICE "/dev/null"

/* ---- whether it exists ---- */

/* Filesystems with the same files in every mount, and a file that only an incomplete mount lacks. */
static const struct system {
	const char *root;
	long magic;
	const char *always;
} systems[] = {
	{ "/proc/", PROC_SUPER_MAGIC, "sys" }, /* not there with subset=pid */
	{ "/sys/", SYSFS_MAGIC, "kernel" },
};

#define ROOT_INODE 1 /* of both */

static bool is_root_of(int fd, const struct system *system)
{
	struct statfs fs;
	struct stat st;

	return fstatfs(fd, &fs) == 0 && (long)fs.f_type == system->magic && fstat(fd, &st) == 0 &&
	       st.st_ino == ROOT_INODE;
}

/* Returns 0 or errno. Another mount on the way hides what a new filesystem shows: EXDEV. */
static int look_up(int root, const char *path)
{
	struct open_how how = { .flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
				.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH };
	int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static bool lacks(const struct system *system, const char *path)
{
	int root = open(system->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	bool absent = root >= 0 && is_root_of(root, system) && look_up(root, system->always) == 0 &&
		      look_up(root, path) == ENOENT;

	if (root >= 0)
		close(root);
	return absent;
}

/*
 * Returns whether the kernel has no such file. A mask without a place costs the time of a mount, and of
 * an RCU grace period when the kernel dissolves it.
 */
static bool is_absent(const char *path)
{
	for (size_t i = 0; i < sizeof(systems) / sizeof(systems[0]); i++)
		if (strncmp(path, systems[i].root, strlen(systems[i].root)) == 0)
			return lacks(&systems[i], path + strlen(systems[i].root));
	return false;
}

/* ---- adding it ---- */

static int mask_file(struct run_root *root, const char *path)
{
	struct idm_tree_options o = IDM_TREE_OPTIONS_INIT;
	struct idm_child_mount m = { .target = path, .flags = IDM_CHILD_MOUNT_OPTIONAL };
	struct idm_error err;

	o.attr_set = IDM_ATTR_RDONLY | IDM_ATTR_NOSUID | IDM_ATTR_NOEXEC;
	m.tree_fd = idm_tree_open(AT_FDCWD, NULL_DEVICE, -1, &o, &err);
	if (m.tree_fd < 0)
		return report_error(&err);
	/* Any other file would show its contents. */
	if (run_is_null_device(m.tree_fd))
		return run_add(root, &m);
	close(m.tree_fd);
	return report_failure("%s: expected the null device", NULL_DEVICE);
}

static int add_mask(struct run_root *root, const struct mask *mask)
{
	struct idm_child_mount m = { .target = mask->path, .tree_fd = -1 };

	if (mask->kind != READ_ONLY && is_absent(mask->path))
		return DONE;
	switch (mask->kind) {
	case FILE_MASK:
		return mask_file(root, mask->path);
	case DIRECTORY_MASK:
		m.fstype = "tmpfs";
		m.options = "mode=555,size=4k,nr_inodes=1";
		m.attr = IDM_ATTR_RDONLY | IDM_ATTR_NOSUID | IDM_ATTR_NODEV | IDM_ATTR_NOEXEC;
		m.flags = IDM_CHILD_MOUNT_OPTIONAL;
		break;
	case READ_ONLY:
		m.attr = IDM_ATTR_RDONLY;
		m.flags = IDM_CHILD_MOUNT_OPTIONAL | IDM_CHILD_MOUNT_REBIND;
		break;
	}
	return run_add(root, &m);
}

int run_add_masks(const struct run_request *q, struct run_root *root)
{
	int status = DONE;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]) && status == DONE && !q->unmask; i++)
		status = add_mask(root, &table[i]);
	return status;
}

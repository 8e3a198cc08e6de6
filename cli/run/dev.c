// SPDX-License-Identifier: MIT
/*
 * A /dev of the container's own: a small tmpfs that belongs to its root. The host's harmless devices are
 * bound over empty files in it, and it has terminals of its own. It is made detached; the child attaches
 * its parts.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/common/new-filesystem.h"
#include "cli/common/report.h"
#include "run.h"

#define DEV "/dev/"

static const char *const devices[] = { DEV "null",   DEV "zero",    DEV "full",
				       DEV "random", DEV "urandom", DEV "tty" };

static const struct {
	const char *name, *to;
} links[] = {
	{ "fd", "/proc/self/fd" },	 { "stdin", "/proc/self/fd/0" }, { "stdout", "/proc/self/fd/1" },
	{ "stderr", "/proc/self/fd/2" }, { "ptmx", "pts/ptmx" },
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int report_dev_failure(const char *what)
{
	return report_failure("make /dev: %s: %s", what, strerror(errno));
}

static int fill_dev(const struct run_request *q, int dev)
{
	for (size_t i = 0; i < COUNT(devices); i++) {
		const char *name = devices[i] + strlen(DEV);
		int fd = openat(dev, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

		if (fd < 0)
			return report_dev_failure(name);
		close(fd);
	}
	for (size_t i = 0; i < COUNT(links); i++)
		if (symlinkat(links[i].to, dev, links[i].name) < 0 ||
		    fchownat(dev, links[i].name, q->uid0, q->gid0, AT_SYMLINK_NOFOLLOW) < 0)
			return report_dev_failure(links[i].name);
	if (mkdirat(dev, "pts", 0755) < 0 || fchownat(dev, "pts", q->uid0, q->gid0, 0) < 0)
		return report_dev_failure("pts");
	if (mkdirat(dev, "shm", 0755) < 0 || fchmodat(dev, "shm", 01777, 0) < 0 ||
	    fchownat(dev, "shm", q->uid0, q->gid0, 0) < 0)
		return report_dev_failure("shm");
	return DONE;
}

/* The container could change its mode through a descriptor on a writable mount. */
static int open_null(struct run_root *root, int tree)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", tree);
	root->null = open(path, O_RDWR | O_CLOEXEC);
	return root->null < 0 ? report_dev_failure(DEV "null") : DONE;
}

/* The host's device, over its empty file. */
static int bind_device(struct run_root *root, const char *path)
{
	struct idm_tree_options o = IDM_TREE_OPTIONS_INIT;
	struct idm_error err;
	int tree;

	/* Read-only keeps the node's owner and mode, also from a root that has the host's ID. */
	o.attr_set = IDM_ATTR_NOSUID | IDM_ATTR_NOEXEC | IDM_ATTR_RDONLY;
	tree = idm_tree_open(AT_FDCWD, path, -1, &o, &err);
	if (tree < 0)
		return report_error(&err);
	if (run_is_null_device(tree) && open_null(root, tree) != DONE) {
		close(tree);
		return FAILED;
	}
	return run_add_mount(root, path, NULL, tree, 0, 0);
}

/* ---- terminals ---- */

/* Terminals belong to the group "tty", if the container has an ID for it. */
#define TTY_GID 5

static bool has_tty_group(const struct run_request *q, uint32_t *gid)
{
	return idm_map_to_seen(q->maps.map, IDM_GID, TTY_GID, gid) == 0;
}

static int open_terminal(const struct run_request *q, struct run_root *root, int pts)
{
	struct winsize size;
	uint32_t gid;

	root->terminal_master = openat(pts, "ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (root->terminal_master < 0 || ioctl(root->terminal_master, TIOCSPTLCK, &(int){ 0 }) < 0)
		return report_dev_failure("open a terminal");
	root->terminal = ioctl(root->terminal_master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (root->terminal < 0 ||
	    fchown(root->terminal, q->uid0, has_tty_group(q, &gid) ? gid : q->gid0) < 0)
		return report_dev_failure("open a terminal");
	if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0)
		ioctl(root->terminal_master, TIOCSWINSZ, &size);
	return DONE;
}

static int make_terminals(const struct run_request *q, struct run_root *root)
{
	const char *options[] = {
		"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", NULL
	};
	size_t n = 5;
	char group[32];
	uint32_t gid;
	int pts, status;

	if (has_tty_group(q, &gid)) {
		snprintf(group, sizeof(group), "gid=%u", gid);
		options[n++] = group;
	}
	pts = open_unmapped_filesystem("devpts", options, n);
	if (pts < 0)
		return FAILED;
	status = q->tty == TTY_YES ? open_terminal(q, root, pts) : DONE;
	if (status == DONE)
		return run_add_mount(root, "/dev/pts", NULL, pts, 0, 0);
	close(pts);
	return status;
}

/* ---- all ---- */

int run_make_dev(const struct run_request *q, struct run_root *root)
{
	char uid[32], gid[32];
	const char *const options[] = { "mode=755", "nosuid",	     "nodev", "strictatime",
					"size=64m", "nr_inodes=16k", uid,     gid };
	int dev, status;

	snprintf(uid, sizeof(uid), "uid=%u", q->uid0);
	snprintf(gid, sizeof(gid), "gid=%u", q->gid0);
	dev = open_unmapped_filesystem("tmpfs", options, COUNT(options));
	if (dev < 0)
		return FAILED;
	status = fill_dev(q, dev);
	if (status != DONE) {
		close(dev);
		return status;
	}
	status = run_add_mount(root, "/dev", NULL, dev, 0, IDM_CHILD_MOUNT_MKDIR);
	for (size_t i = 0; i < COUNT(devices) && status == DONE; i++)
		status = bind_device(root, devices[i]);
	return status == DONE ? make_terminals(q, root) : status;
}

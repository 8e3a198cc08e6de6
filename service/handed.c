// SPDX-License-Identifier: MIT
/*
 * A client can hand over every kind of file: one whose server never answers, and one whose driver
 * understands any ioctl(2). So the first call for a descriptor is statx(2) with AT_STATX_DONT_SYNC,
 * which asks no server. An ioctl follows only on a file of the kernel's own filesystem for namespaces.
 */
#include "handed.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/sys/subprocess.h"
#include "lib/sys/syscall.h"
#include "peer.h"

/* Handles of btrfs (FILEID_BTRFS_*), which no other filesystem uses. */
#define BTRFS_HANDLE_FIRST 0x4d
#define BTRFS_HANDLE_LAST 0x4f

static int stat_locally(int fd, struct statx *st)
{
	return idm_sys_statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC,
			     STATX_TYPE | STATX_UID | STATX_INO, st);
}

/* ---- the user namespace ---- */

/* A file of a namespace. The kernel has one filesystem for all of them. */
static struct statx own_userns;

int prepare_namespaces(void)
{
	AUTO_CLOSE int own = idm_sys_openat(AT_FDCWD, "/proc/self/ns/user", O_RDONLY, 0);

	return own < 0 ? own : stat_locally(own, &own_userns);
}

/* 0: another file. */
static uint64_t get_namespace_inode(int fd)
{
	struct statx st;

	return stat_locally(fd, &st) == 0 && st.stx_dev_major == own_userns.stx_dev_major &&
			       st.stx_dev_minor == own_userns.stx_dev_minor
		       ? st.stx_ino
		       : 0;
}

int open_parent_userns(int userns_fd, uint64_t *inode, struct idm_service_reply *reply)
{
	uint64_t handed = get_namespace_inode(userns_fd);
	int parent;

	if (handed == 0 || idm_sys_ioctl(userns_fd, IDM_NS_GET_NSTYPE, NULL) != CLONE_NEWUSER) {
		refuse_request(reply, -EINVAL, "the second descriptor is not a user namespace");
		add_advice(reply, "open it as /proc/PID/ns/user, with O_RDONLY");
		return -EINVAL;
	}
	if (handed == IDM_INITIAL_USERNS_INODE)
		return refuse_request(reply, -EPERM,
				      "the initial user namespace cannot be used as a map");
	parent = idm_sys_ioctl(userns_fd, IDM_NS_GET_PARENT, NULL);
	if (parent < 0)
		return refuse_request(reply, parent, "open the parent of the user namespace: %s",
				      strerror(-parent));
	*inode = get_namespace_inode(parent);
	return parent;
}

/* ---- its map: only a process in the namespace shows it ---- */

/* A client can kill the child. */
#define ATTEMPTS 16

/* A directory that is attached nowhere, so that ".." does not leave it. */
static int empty_root = -1;

static int make_empty_tmpfs(int fs)
{
	int r = idm_sys_fsconfig(fs, FSCONFIG_SET_STRING, "mode", "0", 0);

	if (r == 0)
		r = idm_sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	return r < 0 ? r
		     : idm_sys_fsmount(fs, 0,
				       MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
					       MOUNT_ATTR_NOEXEC);
}

int prepare_empty_root(void)
{
	AUTO_CLOSE int fs = idm_sys_fsopen("tmpfs", 0);

	empty_root = fs < 0 ? fs : make_empty_tmpfs(fs);
	return empty_root < 0 ? empty_root : 0;
}

static int enter_empty_root(void)
{
	int r = idm_sys_fchdir(empty_root);

	return r == 0 && chroot(".") < 0 ? -errno : r;
}

/*
 * The child shares the worker's memory, which this makes undumpable for good. It has the host's uid 0.
 * As long as it is not dumpable, no process of the client's can trace it, or open its files by /proc. It
 * has no connection of a client.
 *
 * A process that exits loses its memory first. Many kernels ignore the attribute from then on, until it
 * has lost its directories and descriptors, too. The client can kill the child at any moment. So the
 * child has nothing of the service before it enters the namespace.
 */
static int join_handed_userns(void *unused)
{
	int r = enter_empty_root();

	(void)unused;
	if (r == 0)
		r = idm_sys_keep_fds(STDIN_FILENO + 1);
	if (r == 0)
		r = idm_sys_prctl(PR_SET_DUMPABLE, 0, 0);
	if (r == 0)
		r = idm_sys_setns(STDIN_FILENO, CLONE_NEWUSER);
	return r;
}

static int dumpable_sysctl = -1;

int prepare_dumpable_sysctl(void)
{
	dumpable_sysctl = idm_sys_openat(AT_FDCWD, "/proc/sys/fs/suid_dumpable", O_RDONLY, 0);
	return dumpable_sysctl < 0 ? dumpable_sysctl : 0;
}

/*
 * setns(2) sets the dumpable attribute of the child to this sysctl. With 1 a process of the client's
 * could trace it, and act as the host's root user.
 */
static int check_dumpable_sysctl(struct idm_service_reply *reply)
{
	char mode = '1';

	if (idm_sys_pread(dumpable_sysctl, &mode, 1, 0) == 1 && mode != '1')
		return 0;
	refuse_request(reply, -EPERM,
		       "the sysctl fs.suid_dumpable is 1, so that users can trace processes of root");
	add_advice(reply, "the administrator can set it to 0 or 2");
	return -EPERM;
}

/* Returns what read_maps() does. */
static int read_map_of(const struct idm_subprocess *child, struct idm_map *map)
{
	AUTO_CLOSE int process = open_process(child->pidfd);

	return process < 0 ? process : read_maps(process, map);
}

/*
 * The child exits, and is not reaped while its files are read. So its number is its own. A copy of the
 * memory would cost both processes page faults, and would protect nothing: a tracer of the child could
 * act as root.
 */
static int visit_handed_userns(struct idm_map *map)
{
	struct idm_subprocess child;
	int r = idm_subprocess_run_shared(&child, join_handed_userns, NULL, 0);

	if (r == 0)
		r = read_map_of(&child, map);
	idm_subprocess_end(&child);
	return r;
}

/* The child finds the namespace as its standard input. The worker has no other use for that. */
int read_handed_map(struct idm_map *map, int userns_fd, struct idm_service_reply *reply)
{
	int r = check_dumpable_sysctl(reply);

	if (r < 0)
		return r;
	r = idm_sys_dup_to(userns_fd, STDIN_FILENO);
	if (r >= 0)
		r = -ESRCH;
	for (int i = 0; i < ATTEMPTS && r == -ESRCH; i++)
		r = visit_handed_userns(map);
	if (r < 0)
		return refuse_request(reply, r, "read the map of the user namespace: %s", strerror(-r));
	return judge_map_length((unsigned int)r, reply);
}

/* ---- the tree ---- */

/* Reading mountinfo: each line begins "ID PARENT MAJOR:MINOR ". */
struct scan {
	const char *device; /* to find */
	unsigned int field; /* of the line */
	const char *rest;   /* of the device, after what the field has of it; NULL: it has another one */
	bool found;
};

static void begin_field(struct scan *scan, unsigned int field)
{
	scan->field = field;
	scan->rest = scan->device;
}

static void scan_character(struct scan *scan, char c)
{
	if (c == '\n') {
		begin_field(scan, 0);
	} else if (c == ' ') {
		scan->found |= scan->field == 2 && scan->rest && !*scan->rest;
		begin_field(scan, scan->field + 1);
	} else if (scan->rest) {
		scan->rest = *scan->rest == c ? scan->rest + 1 : NULL;
	}
}

/* Without stdio, which costs a worker six page faults more. */
static bool has_mount_of(int mountinfo, const char *device)
{
	struct scan scan = { device, 0, device, false };
	static char text[4096]; /* a read of such a file returns no more */
	ssize_t n = 1;

	while (n > 0 && !scan.found) {
		n = idm_sys_read(mountinfo, text, sizeof(text));
		for (ssize_t i = 0; i < n; i++)
			scan_character(&scan, text[i]);
	}
	return scan.found;
}

/* The descriptor keeps the filesystem, so that no other one gets its number. */
static bool is_mounted_here(unsigned int major, unsigned int minor)
{
	AUTO_CLOSE int mountinfo = idm_sys_openat(AT_FDCWD, "/proc/self/mountinfo", O_RDONLY, 0);
	char device[32];

	snprintf(device, sizeof(device), "%u:%u", major, minor);
	return mountinfo >= 0 && has_mount_of(mountinfo, device);
}

/* Each subvolume has a device number of its own, which mountinfo lacks. */
static bool is_btrfs(int fd)
{
	union {
		struct file_handle handle;
		char space[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} u = { .handle.handle_bytes = MAX_HANDLE_SZ };

	return idm_sys_name_to_handle(fd, "", &u.handle, AT_EMPTY_PATH) == 0 &&
	       u.handle.handle_type >= BTRFS_HANDLE_FIRST && u.handle.handle_type <= BTRFS_HANDLE_LAST;
}

/*
 * The first column of a map counts in the user namespace that mounted the filesystem. Only the initial
 * one can mount a block device.
 */
static bool is_host_filesystem(int fd, const struct statx *st)
{
	return st->stx_dev_major != 0 || is_mounted_here(st->stx_dev_major, st->stx_dev_minor) ||
	       is_btrfs(fd);
}

int look_at_tree(int tree_fd, struct tree_facts *tree, struct idm_service_reply *reply)
{
	struct statx st;
	int r = stat_locally(tree_fd, &st);

	if (r < 0)
		return refuse_request(reply, r, "look at the tree: %s", strerror(-r));
	tree->owner = st.stx_uid;
	tree->device_major = st.stx_dev_major;
	tree->device_minor = st.stx_dev_minor;
	tree->inode = st.stx_ino;
	tree->is_of_host = is_host_filesystem(tree_fd, &st);
	return 0;
}

/* ---- the system call ---- */

static int explain_refusal(int tree_fd, int code, struct idm_service_reply *reply)
{
	if (code == -EPERM) {
		refuse_request(reply, code,
			       "the tree is ID-mapped already, or the kernel refuses this map");
		add_advice(reply, "clone the source without its map");
		return code;
	}
	if (code != -EINVAL)
		return refuse_request(reply, code, "map tree: %s", strerror(-code));
	if (idm_is_mount_point(tree_fd) == 0) {
		refuse_request(reply, code, "the first descriptor is not the top of a tree");
		add_advice(reply, "use the descriptor of open_tree(2) with OPEN_TREE_CLONE itself");
		return code;
	}
	refuse_request(reply, code, "the tree is attached, or its filesystem cannot be ID-mapped");
	add_advice(reply, "the kernel maps a detached tree of ext4, xfs, btrfs, tmpfs and some more");
	return code;
}

int map_tree(int tree_fd, int userns_fd, struct idm_service_reply *reply)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)userns_fd };
	int r = idm_sys_mount_setattr(tree_fd, "", AT_EMPTY_PATH, &attr);

	return r < 0 ? explain_refusal(tree_fd, r, reply) : 0;
}

// SPDX-License-Identifier: MIT
/*
 * Runs a program as confined as "idmount run" runs it, by bare system calls. It checks nothing, makes
 * nothing in the root, and forwards no signal. Namespaces, mounts, masks, capabilities and the filter
 * are the same. So are the two levels: this process attaches all in its own mount namespace, and the
 * container gets a locked copy. It needs Linux 6.15.
 *
 *   bare-run ROOT COMMAND [ARGUMENT]...
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

/* Not from <sys/mount.h>, which does not go together with <linux/mount.h>. */
int mount(const char *source, const char *target, const char *type, unsigned long flags,
	  const void *data);
int umount2(const char *target, int flags);

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define PRIVATE (MS_REC | 1UL << 18)
#define DETACH 2

#define MAP "0 100000 65536\n"
#define HARMLESS (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)
#define DEVICE (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY)

static const char *const devices[] = { "null", "zero", "full", "random", "urandom", "tty" };
static const char *const masked_files[] = { "/proc/interrupts",	 "/proc/kcore",
					    "/proc/keys",	 "/proc/latency_stats",
					    "/proc/sched_debug", "/proc/timer_list",
					    "/proc/timer_stats" };
static const char *const masked_directories[] = { "/proc/acpi", "/proc/asound", "/proc/scsi",
						  "/sys/devices/virtual/powercap", "/sys/firmware" };
static const char *const read_only[] = { "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
					 "/proc/sysrq-trigger" };

_Noreturn static void die(const char *what)
{
	fprintf(stderr, "bare-run: %s: %s\n", what, strerror(errno));
	_exit(125);
}

static int check(long r, const char *what)
{
	if (r < 0)
		die(what);
	return (int)r;
}

/* ---- trees ---- */

static int open_tree_with(const char *path, unsigned int flags, uint64_t set, int userns)
{
	struct mount_attr attr = { .attr_set = set | (userns < 0 ? 0 : MOUNT_ATTR_IDMAP) };

	attr.userns_fd = userns < 0 ? 0 : (uint64_t)userns;
	return check(syscall(467 /* open_tree_attr, Linux 6.15 */, AT_FDCWD, path,
			     OPEN_TREE_CLONE | O_CLOEXEC | flags, &attr, sizeof(attr)),
		     path);
}

/* The options are pairs of names and values. */
static int new_filesystem(const char *type, const char *const *options, uint64_t attr)
{
	int fs = check(syscall(SYS_fsopen, type, FSOPEN_CLOEXEC), type), tree;

	for (; *options; options += 2)
		check(syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, options[0], options[1], 0),
		      options[0]);
	check(syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0), type);
	tree = check(syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, attr), type);
	close(fs);
	return tree;
}

static void attach(int tree, int root, const char *path)
{
	check(syscall(SYS_move_mount, tree, "", root, path + 1, MOVE_MOUNT_F_EMPTY_PATH), path);
}

static int make_dev(void)
{
	static const char *const options[] = { "mode", "755",	 "size", "64m",	   "nr_inodes", "16k",
					       "uid",  "100000", "gid",	 "100000", NULL };
	static const char *const links[][2] = { { "/proc/self/fd", "fd" },
						{ "/proc/self/fd/0", "stdin" },
						{ "/proc/self/fd/1", "stdout" },
						{ "/proc/self/fd/2", "stderr" },
						{ "pts/ptmx", "ptmx" } };
	int dev = new_filesystem("tmpfs", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);

	for (size_t i = 0; i < COUNT(devices); i++)
		close(check(openat(dev, devices[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0600), devices[i]));
	for (size_t i = 0; i < COUNT(links); i++) {
		check(symlinkat(links[i][0], dev, links[i][1]), links[i][1]);
		check(fchownat(dev, links[i][1], 100000, 100000, AT_SYMLINK_NOFOLLOW), links[i][1]);
	}
	check(mkdirat(dev, "pts", 0755), "pts");
	check(mkdirat(dev, "shm", 01777), "shm");
	return dev;
}

/* ---- the container's first process ---- */

struct container {
	char **command;
	int go[2];   /* bytes from the caller: the map is written, the root is assembled */
	int made[2]; /* bytes from the container: its filesystems */
	int *trees;  /* in memory and a table of descriptors that both share */
};

static char maker_stack[16384] __attribute__((aligned(16)));

static bool exists(const char *path)
{
	return faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int make_filesystems(void *data)
{
	static const char *const none[] = { NULL };
	static const char *const empty[] = { "mode", "555", "size", "4k", "nr_inodes", "1", NULL };
	const struct container *c = data;
	int n = 0;

	check(unshare(CLONE_NEWNS), "unshare");
	c->trees[n++] = new_filesystem("proc", none, HARMLESS);
	for (size_t i = 0; i < COUNT(masked_directories); i++)
		c->trees[n++] = exists(masked_directories[i])
					? new_filesystem("tmpfs", empty, HARMLESS | MOUNT_ATTR_RDONLY)
					: -1;
	return 0;
}

static void await_byte(int fd)
{
	char byte;

	if (read(fd, &byte, 1) != 1)
		_exit(125);
}

static void send_byte(int fd)
{
	check(write(fd, "", 1), "write");
}

static void refuse_keyrings(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, SYS_add_key, 0, 2),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, SYS_keyctl, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { COUNT(filter), filter };

	check(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0), "seccomp");
}

static void drop_capabilities(void)
{
	static const uint64_t kept = 0xa80425fb; /* as with docker, containerd and idmount */
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };

	for (int i = 0; i <= 40; i++)
		if (!(kept >> i & 1))
			check(prctl(PR_CAPBSET_DROP, i, 0, 0, 0), "drop capability");
	data[0].effective = data[0].permitted = (uint32_t)kept;
	check(syscall(SYS_capset, &header, data), "capset");
}

static void confine(void)
{
	check(chdir("/"), "chdir");
	check(unshare(CLONE_NEWNS), "unshare");
	check(syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL), "keyctl");
	check(setsid(), "setsid");
	refuse_keyrings();
	drop_capabilities();
}

static int serve_as_init(pid_t program)
{
	int status;

	syscall(SYS_close_range, 0, ~0U, 0);
	while (waitpid(-1, &status, 0) != program)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

_Noreturn static void run_container(struct container *c)
{
	pid_t pid;

	await_byte(c->go[0]);
	check(setgroups(0, NULL), "setgroups");
	check(setresgid(0, 0, 0), "setresgid");
	check(setresuid(0, 0, 0), "setresuid");
	pid = check(clone(make_filesystems, maker_stack + sizeof(maker_stack),
			  CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD, c),
		    "clone");
	waitpid(pid, NULL, 0);
	send_byte(c->made[1]);
	await_byte(c->go[0]);
	/* The caller's table of descriptors is left with all of them closed. */
	check(syscall(SYS_close_range, 3, ~0U, 2 /* CLOSE_RANGE_UNSHARE */), "close_range");
	confine();
	pid = vfork();
	if (pid == 0) {
		execvp(c->command[0], c->command);
		_exit(127);
	}
	_exit(serve_as_init(pid));
}

/* ---- the caller ---- */

static void write_file(const char *path)
{
	int fd = check(open(path, O_WRONLY | O_CLOEXEC), path);

	check(write(fd, MAP, strlen(MAP)), path);
	close(fd);
}

/* Returns the container's user namespace. */
static int write_maps(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/uid_map", (int)pid);
	write_file(path);
	snprintf(path, sizeof(path), "/proc/%d/gid_map", (int)pid);
	write_file(path);
	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	return check(open(path, O_RDONLY | O_CLOEXEC), path);
}

/* All that needs nothing of the container. */
static void attach_own(int root)
{
	static const char *const options[] = {
		"ptmxmode", "0666", "mode", "0620", "gid", "100005", NULL
	};
	char path[64];

	check(syscall(SYS_move_mount, root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH), "attach root");
	attach(open_tree_with("/sys", AT_RECURSIVE, HARMLESS | MOUNT_ATTR_RDONLY, -1), root, "/sys");
	attach(make_dev(), root, "/dev");
	for (size_t i = 0; i < COUNT(devices); i++) {
		snprintf(path, sizeof(path), "/dev/%s", devices[i]);
		attach(open_tree_with(path, 0, DEVICE, -1), root, path);
	}
	attach(new_filesystem("devpts", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC), root,
	       "/dev/pts");
}

static void make_read_only(int root, const char *path)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
	int tree = (int)syscall(SYS_open_tree, root, path + 1,
				OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);

	if (tree < 0)
		return;
	check(syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)),
	      path);
	attach(tree, root, path);
}

static void attach_proc_and_masks(int root, const int *trees)
{
	attach(*trees++, root, "/proc");
	for (size_t i = 0; i < COUNT(masked_directories); i++)
		if (trees[i] >= 0)
			attach(trees[i], root, masked_directories[i]);
	for (size_t i = 0; i < COUNT(masked_files); i++)
		if (exists(masked_files[i]))
			attach(open_tree_with("/dev/null", 0, DEVICE, -1), root, masked_files[i]);
	for (size_t i = 0; i < COUNT(read_only); i++)
		make_read_only(root, read_only[i]);
}

static void exchange_roots(int root)
{
	check(fchdir(root), "fchdir");
	check(syscall(SYS_pivot_root, ".", "."), "pivot_root");
	check(umount2(".", DETACH), "umount");
}

/* For the numbers of the trees. */
static int *share_memory(void)
{
	int *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		die("mmap");
	return memory;
}

int main(int argc, char **argv)
{
	struct clone_args clone3 = { .flags = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWIPC |
					      CLONE_NEWUTS | CLONE_NEWCGROUP | CLONE_FILES,
				     .exit_signal = SIGCHLD };
	struct container c = { .command = argv + 2, .trees = share_memory() };
	int root, status;
	pid_t pid;

	(void)argc;
	check(unshare(CLONE_NEWNS), "unshare");
	check(mount(NULL, "/", NULL, PRIVATE, NULL), "mount");
	check(pipe2(c.go, O_CLOEXEC), "pipe");
	check(pipe2(c.made, O_CLOEXEC), "pipe");
	pid = check(syscall(SYS_clone3, &clone3, sizeof(clone3)), "clone3");
	if (pid == 0)
		run_container(&c);
	root = write_maps(pid);
	send_byte(c.go[1]);
	root = open_tree_with(argv[1], 0, MOUNT_ATTR_NODEV, root);
	attach_own(root);
	await_byte(c.made[0]);
	attach_proc_and_masks(root, c.trees);
	exchange_roots(root);
	send_byte(c.go[1]);
	check(waitpid(pid, &status, 0), "waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 125;
}

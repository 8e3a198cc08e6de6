// SPDX-License-Identifier: MIT
/*
 * Another process covers parts of /proc by mounts, at the worst moment. A seccomp filter stops the
 * library right before it opens a part of its child's directory. The test then covers that part with a
 * false one. The library returns the right result, or a clear error. A program that works by path gets
 * the false one.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "lib/base/macros.h"
#include "lib/sys/subprocess.h"
#include "tests/integration/mount/trees.h"

#define FALSE_FILE SCRATCH "/false"
#define FALSE_NS SCRATCH "/ns"
#define SOME_MAP "u:0:100000:65536,g:0:200000:65536"
#define WRONG_MAP "0:0:4294967295"

/* ---- covering ---- */

/* Covers it by a descriptor, which works for a link, too. */
static void cover(const char *what, const char *with)
{
	AUTO_FD int to = (int)must(open(what, O_PATH | O_NOFOLLOW | O_CLOEXEC));
	AUTO_FD int tree =
		(int)assert_ok(idm_sys_open_tree(AT_FDCWD, with, OPEN_TREE_CLONE | AT_RECURSIVE), NULL);

	/* Newer kernels may refuse this, and then there is no danger. */
	if (idm_sys_move_mount_fd(tree, to, 0) < 0)
		note("%s cannot be covered: %s", what, strerrordesc_np(errno));
}

/* Makes false files, and a namespace that is not the child's. */
static void enter(void)
{
	AUTO_FD int wrong = -1;
	char path[64];

	scratch_enter();
	scratch_file(FALSE_FILE, "");
	scratch_dir(FALSE_NS);
	scratch_file(FALSE_NS "/user", "");
	wrong = userns_of(WRONG_MAP);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", wrong);
	do_mount(path, FALSE_NS "/user", NULL, 4096 /* MS_BIND */, NULL);
}

/* ---- at the worst moment ---- */

/* Covers `covered` at the nth call of openat(2) or openat2(2) that opens a file named `opened`. */
static const struct moment {
	const char *opened;
	unsigned int nth;
	const char *covered, *with;
} moments[] = {
	{ "uid_map", 0, "uid_map", FALSE_FILE },
	{ "uid_map", 0, "gid_map", FALSE_FILE },
	{ "gid_map", 0, "gid_map", FALSE_FILE },
	{ "uid_map", 0, "ns", FALSE_NS },
	{ "ns/user", 0, "ns", FALSE_NS },
	{ "ns/user", 1, "ns", FALSE_NS },
	{ "uid_map", 0, "ns/user", FALSE_NS "/user" },
	{ "ns/user", 0, "ns/user", FALSE_NS "/user" },
	{ "ns/user", 1, "ns/user", FALSE_NS "/user" },
	{ "ns/user", 0, "ns/user", FALSE_FILE },
	{ "ns/user", 1, "ns/user", FALSE_FILE },
};

static struct {
	volatile int listener;
	volatile bool active; /* the library is at work */
	volatile int result;
} * shared;

static int hand_calls_over(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
	};
	struct sock_fprog program = { ARRAY_SIZE(code), code };

	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	return (int)must(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
				 &program));
}

/* Runs in the child. A right result or a clear error passes, and a wrong result fails the test. */
static void open_and_check(unsigned int way)
{
	AUTO_MAP struct idm_map *map = map_of(SOME_MAP);
	struct snapshot *before = snapshot_take(SNAPSHOT_FDS | SNAPSHOT_PROCESSES);
	struct idm_error err;
	int listener = hand_calls_over(), fd;

	shared->listener = listener;
	shared->active = true;
	fd = idm_userns_open(map, way, &err);
	shared->active = false;
	must(close(listener)); /* the test has a copy */
	shared->result = fd;
	if (fd >= 0) {
		assert_userns(fd, map);
		must(close(fd));
	} else {
		assert_error(fd, -EXDEV, &err, NULL, "open the child's maps",
			     "another mount covers that part");
	}
	snapshot_assert_same(before);
	_exit(0);
}

/* Returns whether the call opens that name in the directory of a process. Writes the directory. */
static bool is_moment(const struct seccomp_notif *call, const struct moment *m, char *directory,
		      size_t size)
{
	struct iovec to = { (char[64]){ 0 }, 63 }, from = { (void *)call->data.args[1], 63 };
	char link[64];
	ssize_t n;

	if (process_vm_readv((pid_t)call->pid, &to, 1, &from, 1, 0) <= 0 ||
	    strcmp(to.iov_base, m->opened) != 0)
		return false;
	snprintf(link, sizeof(link), "/proc/%u/fd/%d", call->pid, (int)call->data.args[0]);
	n = readlink(link, directory, size - 1);
	if (n < 0)
		return false;
	directory[n] = '\0';
	return strncmp(directory, "/proc/", 6) == 0 && directory[6] >= '0' && directory[6] <= '9';
}

/* Works until the process has exited. Before Linux 6.11 the listener hangs up only after a wait for the
 * process, so the pidfd is polled, too. */
static unsigned int cover_at(int listener, int pidfd, const struct moment *m)
{
	struct pollfd p[] = { { .fd = listener, .events = POLLIN }, { .fd = pidfd, .events = POLLIN } };
	unsigned int seen = 0;

	while (must(poll(p, 2, -1)) && !p[1].revents) {
		struct seccomp_notif_resp response = { .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };
		struct seccomp_notif call = { 0 };
		char directory[128], path[160];

		if (!p[0].revents || ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0)
			continue;
		response.id = call.id;
		if (shared->active && is_moment(&call, m, directory, sizeof(directory)) &&
		    seen++ == m->nth) {
			snprintf(path, sizeof(path), "%s/%s", directory, m->covered);
			cover(path, m->with);
		}
		ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
	}
	return seen;
}

static void try(const struct moment *m, unsigned int way)
{
	pid_t pid;

	shared->listener = -1;
	pid = (pid_t)must(fork());
	if (pid == 0)
		open_and_check(way);
	{
		AUTO_FD int pidfd = (int)must(syscall(SYS_pidfd_open, pid, 0)), listener = -1;

		while (shared->listener < 0)
			usleep(20);
		listener = (int)must(syscall(SYS_pidfd_getfd, pidfd, shared->listener, 0));
		assert_true(cover_at(listener, pidfd, m) > m->nth);
	}
	await_child(pid);
	note("%s, covered when %s is opened the %u. time: %s", m->covered, m->opened, m->nth + 1,
	     shared->result < 0 ? strerrordesc_np(-shared->result) : "right");
}

TEST_SINCE(5, 12, namespaces_without_mounts, parts_that_are_covered_at_the_worst_moment)
{
	static const unsigned int ways[] = { 0, IDM_USERNS_ZOMBIE, IDM_USERNS_LIVE,
					     IDM_USERNS_OWN_MEMORY };
	unsigned long n = 0;

	enter();
	shared = idm_subprocess_memory(sizeof(*shared));
	assert_non_null(shared);
	for (size_t i = 0; i < ARRAY_SIZE(moments); i++)
		for (size_t w = 0; w < ARRAY_SIZE(ways); w++, n++)
			try(&moments[i], ways[w]);
	proof("hostile", n, "parts of /proc covered while they are opened");
}

/* ---- by path ---- */

static void wait_in_userns(void *to_parent)
{
	must(unshare(CLONE_NEWUSER));
	must(write(*(int *)to_parent, "", 1));
	pause();
}

TEST(by_path_one_gets_the_false_one)
{
	struct stat wrong, got;
	char path[64], byte;
	int ends[2];
	pid_t pid;

	enter();
	must(pipe2(ends, O_CLOEXEC));
	pid = (pid_t)must(fork());
	if (pid == 0) {
		must(prctl(PR_SET_PDEATHSIG, SIGKILL));
		wait_in_userns(&ends[1]);
		_exit(0);
	}
	must(read(ends[0], &byte, 1));
	snprintf(path, sizeof(path), "/proc/%d/ns", (int)pid);
	cover(path, FALSE_NS);
	must(stat(FALSE_NS "/user", &wrong));
	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	must(stat(path, &got));
	assert_int_equal(got.st_ino, wrong.st_ino);
	must(kill(pid, SIGKILL));
	must(waitpid(pid, NULL, 0));
	must(close(ends[0]));
	must(close(ends[1]));
	proof("hostile", 1, "naive ways, each of which the same attacker has to beat");
}

/* ---- all the time ---- */

static void false_proc(void)
{
	do_mount("none", "/proc", "tmpfs", 0, NULL);
	scratch_dir("/proc/thread-self/ns");
	scratch_dir("/proc/thread-self/fd");
	scratch_dir("/proc/self");
	scratch_file("/proc/self/mountinfo", "");
	scratch_file("/proc/thread-self/mountinfo", "");
}

/* Reads the map below a /proc that shows the namespace as the caller's own. */
static void read_a_map(void *namespace)
{
	int *fd = namespace;
	AUTO_MAP struct idm_map *map = map_of(""), *right = map_of(SOME_MAP);
	struct idm_error err;
	char path[64];

	must(unshare(CLONE_NEWNS)); /* the waiting process requires the true /proc */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", *fd);
	scratch_file(SCRATCH "/liar", "");
	do_mount(path, SCRATCH "/liar", NULL, 4096 /* MS_BIND */, NULL);
	false_proc();
	scratch_file("/proc/thread-self/ns/user", "");
	do_mount(SCRATCH "/liar", "/proc/thread-self/ns/user", NULL, 4096 /* MS_BIND */, NULL);
	assert_ok(idm_map_add_userns(map, *fd, &err), &err);
	assert_same_map(map, right);
	_exit(0);
}

TEST_ANYWHERE(the_map_of_a_namespace_that_is_said_to_be_ours)
{
	AUTO_FD int fd = -1;

	scratch_enter();
	fd = userns_of(SOME_MAP);
	in_child(read_a_map, &fd);
}

/* The descriptors in the false /proc are links to the same directories on other mounts. */
static void replace_with_a_false_proc(void *unused)
{
	AUTO_FD int tree = -1, old = -1, elsewhere = -1;
	struct idm_error err;
	struct statx st;
	int r;

	(void)unused;
	must(unshare(CLONE_NEWNS));
	scratch_dir(SCRATCH "/source");
	scratch_file(SCRATCH "/source/file", "");
	scratch_dir(SCRATCH "/target");
	scratch_dir(SCRATCH "/bystander");
	mount_mapped(SCRATCH "/source", SCRATCH "/target", "0:5:1");
	do_mount(SCRATCH "/source", SCRATCH "/bystander", NULL, 4096 /* MS_BIND */, NULL);
	tree = tree_of(SCRATCH "/source", "0:7:1");
	false_proc();
	for (int fd = 0; fd < 64; fd++) {
		char path[64];

		snprintf(path, sizeof(path), "/proc/thread-self/fd/%d", fd);
		must(symlink(SCRATCH "/bystander", path));
	}
	r = idm_tree_attach(tree, AT_FDCWD, SCRATCH "/target",
			    ATTACH(IDM_ATTACH_REPLACE, IDM_PROPAGATION_DEFAULT), &err);
	assert_error(r, -EBUSY, &err, SCRATCH "/target", "attach", "a /proc of this PID namespace");
	must(statx(AT_FDCWD, SCRATCH "/bystander", 0, 0, &st));
	assert_true(st.stx_attributes & STATX_ATTR_MOUNT_ROOT);
	assert_owner(SCRATCH "/target/file", 5, 5);
	_exit(0);
}

static void no_replacing(void)
{
	AUTO_FD int tree = -1;
	struct snapshot *before;
	struct idm_error err;

	if (kernel_is_before(5, 12)) {
		mounts_are_refused();
		return;
	}
	scratch_enter();
	scratch_dir(SCRATCH "/source");
	scratch_dir(SCRATCH "/target");
	mount_mapped(SCRATCH "/source", SCRATCH "/target", "0:5:1");
	tree = tree_of(SCRATCH "/source", "0:7:1");
	before = snapshot_take(SNAPSHOT_ALL);
	assert_error(idm_tree_attach(tree, AT_FDCWD, SCRATCH "/target",
				     ATTACH(IDM_ATTACH_REPLACE, IDM_PROPAGATION_DEFAULT), &err),
		     -EOPNOTSUPP, &err, SCRATCH "/target", NULL, "Linux 6.5");
	snapshot_assert_same(before);
}

TEST_SINCE(6, 5, no_replacing, replacing_where_proc_is_a_lie)
{
	scratch_enter();
	in_child(replace_with_a_false_proc, NULL);
}

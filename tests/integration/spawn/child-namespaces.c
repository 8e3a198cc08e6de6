// SPDX-License-Identifier: MIT
/* A child gets the namespaces, root, mounts and credentials that were asked for, and no way out of them.
 */
#include "children.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pty.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/macros.h"
#include "lib/sys/syscall.h"
#include "tests/lib/maps.h"
#include "tests/lib/neighbour.h"
#include "tests/lib/scratch.h"
#include "tests/lib/snapshot.h"

#define ALL_NAMESPACES (IDM_NS_MOUNT | IDM_NS_CGROUP | IDM_NS_UTS | IDM_NS_IPC | IDM_NS_PID | IDM_NS_NET)

static const struct {
	const char *name;
	unsigned int flag;
} namespaces[] = {
	{ "mnt", IDM_NS_MOUNT }, { "cgroup", IDM_NS_CGROUP }, { "uts", IDM_NS_UTS },
	{ "ipc", IDM_NS_IPC },	 { "pid", IDM_NS_PID },	      { "net", IDM_NS_NET },
};

static const char show_namespaces[] = "cd /proc/self/ns; readlink mnt cgroup uts ipc pid net user";

/* ---- namespaces ---- */

/* Which namespaces of the child are not the caller's. */
static unsigned int new_namespaces(const struct idm_child_options *o)
{
	AUTO_FREE char *text = output_of(o);
	unsigned int found = 0;

	for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++) {
		char path[64], link[64] = "";

		snprintf(path, sizeof(path), "/proc/self/ns/%s", namespaces[i].name);
		must(readlink(path, link, sizeof(link) - 1));
		assert_contains(text, namespaces[i].name);
		if (!strstr(text, link))
			found |= namespaces[i].flag;
	}
	return found;
}

TEST(every_namespace_can_be_new_by_itself)
{
	/* In a new PID namespace, the old /proc has no process for "self". */
	static const char from_procfs[] =
		"[ -e /proc/self ] || mount -t proc proc /proc; cd /proc/self/ns; "
		"readlink mnt cgroup uts ipc pid net user";
	struct idm_child_options o = SCRIPT(from_procfs);

	scratch_enter();
	for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++) {
		o.namespaces = namespaces[i].flag;
		if (o.namespaces == IDM_NS_PID)
			o.namespaces |= IDM_NS_MOUNT;
		assert_int_equal(new_namespaces(&o), o.namespaces);
	}
	o.namespaces = ALL_NAMESPACES;
	assert_int_equal(new_namespaces(&o), ALL_NAMESPACES);
}

/* The least that makes a container: everything new, and a /proc that shows it. */
static struct idm_child_options container(const char *const *argv, const struct idm_map *map)
{
	static const struct idm_child_mount proc = { .target = "/proc",
						     .fstype = "proc",
						     .tree_fd = -1 };
	struct idm_child_options o = script_options(argv);

	o.namespaces = ALL_NAMESPACES;
	o.map = map;
	o.mounts = &proc;
	o.n_mounts = 1;
	return o;
}
#define CONTAINER(text, map) container(ARGV("sh", "-c", text), map)

TEST(a_user_namespace_has_the_map_and_owns_the_others)
{
	AUTO_MAP struct idm_map *map = map_of("u:0:5000:10,g:0:7000:20");
	struct idm_child_options o = CONTAINER("cat /proc/self/uid_map /proc/self/gid_map; id; echo $$; "
					       "hostname inside && hostname",
					       map);
	AUTO_FREE char *text = NULL;

	scratch_enter();
	text = output_of(&o);
	assert_contains(text, "         0       5000         10\n         0       7000         20\n");
	assert_contains(text, "uid=0(root) gid=0(root) groups=0(root)\n1\ninside\n");
	o.argv = ARGV("sh", "-c", show_namespaces);
	assert_int_equal(new_namespaces(&o), ALL_NAMESPACES);
}

TEST(groups_of_the_host_do_not_come_along)
{
	AUTO_MAP struct idm_map *map = map_of("0:5000:10");
	struct idm_child_options o = CONTAINER("id -G", map);
	const gid_t groups[] = { 4, 6 };

	scratch_enter();
	must(setgroups(ARRAY_SIZE(groups), groups));
	assert_output(&o, "0\n");
	o = SCRIPT("id -G");
	assert_output(&o, "0 4 6\n");
	o.gid = 9;
	assert_output(&o, "9 4 6\n");
	o.uid = 9;
	assert_output(&o, "9\n");
	o.flags = IDM_CHILD_SET_GROUPS;
	o.groups = (const uint32_t[]){ 20, 21 };
	o.n_groups = 2;
	assert_output(&o, "9 20 21\n");
	o.n_groups = 0;
	assert_output(&o, "9\n");
}

static void have_namespaces(void *map)
{
	enter_userns(map);
	must(unshare(CLONE_NEWUTS | CLONE_NEWIPC));
	must(sethostname("neighbour", 9));
}

static void have_network(void *unused)
{
	(void)unused;
	must(unshare(CLONE_NEWNET));
}

/* Before the user namespace is entered, and after: each is possible for one of these only. */
TEST(namespaces_of_different_owners_are_joined)
{
	struct idm_child_options o =
		SCRIPT("cat /proc/self/uid_map; hostname; readlink /proc/self/ns/net");
	struct neighbour n, host;
	char map[] = "0 5000 10", link[64] = "", path[64];
	AUTO_FREE char *text = NULL;
	int join[3];

	need_root();
	n = neighbour_start(have_namespaces, map);
	host = neighbour_start(have_network, NULL);
	join[0] = neighbour_namespace(&n, "uts");
	join[1] = neighbour_namespace(&host, "net");
	join[2] = neighbour_namespace(&n, "user");
	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)host.pid);
	must(readlink(path, link, sizeof(link) - 1));
	o.join_fds = join;
	o.n_join_fds = 3;
	text = output_of(&o);
	assert_contains(text, "         0       5000         10\nneighbour\n");
	assert_contains(text, link);
	neighbour_end(&host); /* the later one holds the other's pipe, too */
	neighbour_end(&n);

	o.join_fds = (const int[]){ join[0], join[0] };
	o.n_join_fds = 2;
	assert_no_child(&o, -EINVAL, "", "start program", "expected one namespace of each type");
	o.join_fds = (const int[]){ 0 };
	o.n_join_fds = 1;
	assert_no_child(&o, -EINVAL, "", "start program", "expected a namespace, got descriptor 0");
	o.join_fds = (const int[]){ 77 };
	assert_no_child(&o, -EBADF, "", "start program", "descriptor 77 is not open");
	for (int i = 0; i < 3; i++)
		close(join[i]);
}

static void have_time(void *unused)
{
	(void)unused;
	must(unshare(IDM_NS_TIME));
}

TEST(a_time_namespace_is_joined)
{
	struct idm_child_options o = SCRIPT("readlink /proc/self/ns/time");
	struct neighbour n;
	char link[64] = "", path[64], expected[72];
	int join;

	need_root();
	if (access("/proc/self/ns/time_for_children", F_OK) < 0)
		skip_test("the kernel has no time namespaces");
	n = neighbour_start(have_time, NULL);
	join = neighbour_namespace(&n, "time_for_children");
	snprintf(path, sizeof(path), "/proc/%d/ns/time_for_children", (int)n.pid);
	must(readlink(path, link, sizeof(link) - 1));
	snprintf(expected, sizeof(expected), "%s\n", link);
	o.join_fds = &join;
	o.n_join_fds = 1;
	assert_output(&o, expected);
	neighbour_end(&n);
	close(join);
}

TEST(a_pid_namespace_is_joined)
{
	struct idm_child_options o = SCRIPT("read x"), p = SCRIPT("echo $$; exit 0");
	AUTO_MAP struct idm_map *map = map_of("0:5000:10");
	int pipe[2], first, join[2];
	char path[64];
	pid_t pid;

	scratch_enter();
	must(pipe2(pipe, O_CLOEXEC));
	o.namespaces = IDM_NS_PID;
	o.map = map;
	o.pid = &pid;
	o.fds = &(struct idm_child_fd){ pipe[0], 0 };
	o.n_fds = 1;
	first = child_of(&o);
	close(pipe[0]);
	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	join[0] = (int)must(open(path, O_RDONLY | O_CLOEXEC));
	snprintf(path, sizeof(path), "/proc/%d/ns/pid", (int)pid);
	join[1] = (int)must(open(path, O_RDONLY | O_CLOEXEC));
	p.join_fds = join;
	p.n_join_fds = 2;
	p.pid = &pid;
	for (int i = 2; i < 20; i++) {
		char expected[16];

		snprintf(expected, sizeof(expected), "%d\n", i);
		assert_output(&p, expected);
		assert_true(pid > 20);
		assert_int_equal(pid, pid);
	}
	/* Failures are told as well from there. */
	p.path = "/no/such/program";
	assert_no_child(&p, -ENOENT, p.path, "execute", NULL);
	close(pipe[1]);
	assert_ends(first, CLD_EXITED, 1);
	/* Its init exited: no process can be born in it any more. */
	p.path = "/bin/sh";
	assert_no_child(&p, -ENOMEM, "", "make a process in the PID namespace", NULL);
	close(join[0]);
	close(join[1]);
}

/* On the way there the process is in another group for a while. */
TEST(a_process_in_a_new_pid_namespace_is_in_the_right_group)
{
	AUTO_MAP struct idm_map *map = map_of("0:5000:10");
	struct idm_child_options o = SCRIPT("read x; exit 0"), other = SCRIPT("read x; exit 0");
	int pipe[2], leader, pidfd;
	pid_t group, pid;

	need_root();
	if (getpgrp() == 0)
		must(setpgid(0, 0));
	must(pipe2(pipe, O_CLOEXEC));
	other.fds = o.fds = &(struct idm_child_fd){ pipe[0], 0 };
	other.n_fds = o.n_fds = 1;
	other.process_group = -1;
	other.pid = &group;
	leader = child_of(&other);
	o.namespaces = IDM_NS_PID;
	o.map = map;
	o.pid = &pid;
	for (int way = 0; way < 4; way++) {
		o.process_group = way == 1 ? -1 : way == 2 ? group : 0;
		o.flags = way == 3 ? IDM_CHILD_SESSION : 0;
		pidfd = child_of(&o);
		assert_int_equal(getpgid(pid), way == 0 ? getpgrp() : way == 2 ? group : pid);
		assert_int_equal(getsid(pid), way == 3 ? pid : getsid(0));
		assert_ok(idm_child_signal(pidfd, SIGKILL, NULL), NULL);
		assert_ends(pidfd, CLD_KILLED, SIGKILL);
	}
	assert_ok(idm_child_signal(leader, SIGKILL, NULL), NULL);
	assert_ends(leader, CLD_KILLED, SIGKILL);
	close(pipe[0]);
	close(pipe[1]);
}

static void in_a_group_without_a_number(void *unused)
{
	AUTO_MAP struct idm_map *map = map_of("0:5000:10");
	struct idm_child_options o = SCRIPT("read x; exit 0");
	int pipe[2], pidfd;
	pid_t pid;

	(void)unused;
	assert_int_equal(getpgrp(), 0);
	must(pipe2(pipe, O_CLOEXEC));
	o.fds = &(struct idm_child_fd){ pipe[0], 0 };
	o.n_fds = 1;
	o.namespaces = IDM_NS_PID;
	o.map = map;
	o.pid = &pid;
	pidfd = child_of(&o);
	assert_int_equal(getpgid(pid), 0);
	close(pipe[0]);
	close(pipe[1]);
	assert_ends(pidfd, CLD_EXITED, 0);
}

/* As of a process that has been put into a PID namespace: its group is that of who did so, outside. */
TEST(a_group_that_has_no_number_here_is_inherited)
{
	scratch_enter();
	in_pid_namespace(in_a_group_without_a_number, NULL);
}

static void leave_no_init(void *unused)
{
	AUTO_MAP struct idm_map *map = map_of("0:5000:10");
	struct idm_child_options o = SCRIPT("echo $$");

	(void)unused;
	must(unshare(CLONE_NEWPID));
	o.namespaces = IDM_NS_PID;
	o.join_fds = (const int[]){ (int)must(open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC)) };
	o.n_join_fds = 1;
	assert_no_child(&o, -EBUSY, "", "start program", "init of the PID namespace");
	o.namespaces = 0;
	o.n_join_fds = 0;
	assert_output(&o, "1\n");
	(void)map;
}

TEST(a_callers_new_pid_namespace_does_not_get_a_short_lived_init)
{
	need_root();
	in_child(leave_no_init, NULL);
}

static void cannot_be_watched_by_number(void *unused)
{
	AUTO_MAP struct idm_map *map = map_of("0:5000:10");
	struct idm_child_options o = SCRIPT("echo $$");
	pid_t pid;

	(void)unused;
	must(unshare(CLONE_NEWPID));
	pid = (pid_t)must(fork());
	if (pid == 0) {
		pause();
		_exit(0);
	}
	/* The children's numbers in their own PID namespace are not those of this process now. */
	o.namespaces = IDM_NS_PID;
	o.map = map;
	for (int i = 0; i < 20; i++)
		assert_output(&o, "1\n");
	must(kill(pid, SIGKILL));
	must(waitpid(pid, NULL, 0));
}

TEST(numbers_of_another_pid_namespace_do_not_confuse)
{
	scratch_enter();
	in_child(cannot_be_watched_by_number, NULL);
}

TEST(a_hostname_is_the_childs_alone)
{
	struct idm_child_options o = SCRIPT("hostname");
	char before[65], after[65];

	need_root();
	must(gethostname(before, sizeof(before)));
	o.namespaces = IDM_NS_UTS;
	o.hostname = "in-the-box";
	assert_output(&o, "in-the-box\n");
	must(gethostname(after, sizeof(after)));
	assert_string_equal(after, before);
	o.hostname = "0123456789012345678901234567890123456789012345678901234567890123456789";
	assert_no_child(&o, -EINVAL, o.hostname, "set hostname", NULL);
}

/* ---- an ordinary user ---- */

static void as_user(void *unused)
{
	char text[64];
	AUTO_MAP struct idm_map *map = NULL;
	struct idm_child_options o = SCRIPT("true");

	(void)unused;
	become_user(unused_uid(), unused_uid());
	o.namespaces = IDM_NS_UTS;
	assert_no_child(&o, -EPERM, "", "make namespaces", "CAP_SYS_ADMIN");
	o.namespaces = IDM_NS_PID;
	assert_no_child(&o, -EPERM, "", "make namespaces", "CAP_SYS_ADMIN");
	o.namespaces = 0;
	o.uid = 0;
	assert_no_child(&o, -EPERM, "", "set groups", "CAP_SETGID");
	o.gid = 0;
	o.uid = IDM_CHILD_KEEP_ID;
	assert_no_child(&o, -EPERM, "", "set gid", "0: it requires CAP_SETGID");

	snprintf(text, sizeof(text), "0:%u", unused_uid());
	map = map_of(text);
	o = CONTAINER("id -u; hostname x && hostname; echo $$; set -- /proc/[0-9]*; echo $#", map);
	assert_output(&o, "0\nx\n1\n1\n");
}

TEST(an_ordinary_user_can_do_all_of_it_in_a_namespace_of_his_own)
{
	scratch_enter();
	in_child(as_user, NULL);
}

static void with_capabilities(void *unused)
{
	const uint64_t kept = 1ULL << CAP_SYS_ADMIN | 1ULL << CAP_NET_RAW;
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { .effective = (uint32_t)kept,
						    .permitted = (uint32_t)kept,
						    .inheritable = 1 << CAP_NET_RAW } };
	struct idm_child_options o = SCRIPT("hostname; grep Cap /proc/self/status");
	AUTO_FREE char *text = NULL;

	(void)unused;
	must(prctl(PR_SET_KEEPCAPS, 1));
	become_user(unused_uid(), unused_uid());
	must(syscall(SYS_capset, &header, data));
	must(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_RAW, 0, 0));
	o.namespaces = IDM_NS_UTS;
	o.hostname = "mine";
	text = output_of(&o);
	/* The stage has had them all; the program gets what exec leaves of the caller's. */
	assert_contains(text, "mine\nCapInh:\t0000000000002000\nCapPrm:\t0000000000002000\n"
			      "CapEff:\t0000000000002000\n");
	assert_contains(text, "CapAmb:\t0000000000002000\n");
}

TEST(capabilities_of_a_caller_that_is_not_root_are_used)
{
	scratch_enter();
	in_child(with_capabilities, NULL);
}

/* ---- credentials ---- */

TEST(ids_are_as_asked_for)
{
	struct idm_child_options o = SCRIPT("grep -E '^[UG]id' /proc/self/status");
	AUTO_MAP struct idm_map *map = map_of("0:5000:10");

	need_root();
	o.uid = 8;
	o.gid = 9;
	assert_output(&o, "Uid:\t8\t8\t8\t8\nGid:\t9\t9\t9\t9\n");
	o.map = map;
	assert_output(&o, "Uid:\t8\t8\t8\t8\nGid:\t9\t9\t9\t9\n");
	o.uid = 10;
	assert_no_child(&o, -EINVAL, "", "set uid", "10: the user namespace does not map this ID");
	o.uid = 8;
	o.gid = 11;
	assert_no_child(&o, -EINVAL, "", "set gid", "11: the user namespace does not map this ID");
	o.flags = IDM_CHILD_SET_GROUPS;
	o.groups = (const uint32_t[]){ 12 };
	o.n_groups = 1;
	assert_no_child(&o, -EINVAL, "", "set groups", "does not map all of them");
}

#define CAP(name) (1ULL << CAP_##name)

TEST(capabilities_are_as_asked_for)
{
	struct idm_child_options o = SCRIPT("grep Cap /proc/self/status");
	struct idm_capabilities caps = {
		.effective = CAP(KILL),
		.permitted = CAP(KILL) | CAP(CHOWN) | CAP(SYS_TIME),
		.inheritable = CAP(KILL) | CAP(CHOWN),
		.bounding = CAP(KILL) | CAP(CHOWN) | CAP(SYS_TIME),
		.ambient = CAP(KILL),
	};

	need_root();
	o.uid = 8;
	o.capabilities = &caps;
	assert_output(&o, "CapInh:\t0000000000000021\nCapPrm:\t0000000000000020\n"
			  "CapEff:\t0000000000000020\nCapBnd:\t0000000002000021\n"
			  "CapAmb:\t0000000000000020\n");
	/* Root has what the bounding set leaves. */
	o.uid = IDM_CHILD_KEEP_ID;
	caps.ambient = 0;
	assert_output(&o, "CapInh:\t0000000000000021\nCapPrm:\t0000000002000021\n"
			  "CapEff:\t0000000002000021\nCapBnd:\t0000000002000021\n"
			  "CapAmb:\t0000000000000000\n");
	memset(&caps, 0, sizeof(caps));
	assert_output(&o, "CapInh:\t0000000000000000\nCapPrm:\t0000000000000000\n"
			  "CapEff:\t0000000000000000\nCapBnd:\t0000000000000000\n"
			  "CapAmb:\t0000000000000000\n");
	caps.effective = CAP(KILL);
	assert_no_child(&o, -EPERM, "", "set capabilities", "expected effective within permitted");
	caps = (struct idm_capabilities){ .ambient = CAP(KILL), .permitted = CAP(KILL) };
	assert_no_child(&o, -EPERM, "", "set capabilities", "ambient within permitted and inheritable");
}

/* ---- root and mounts ---- */

TEST_SINCE(5, 12, trees_are_refused, a_tree_becomes_the_root_and_nothing_of_the_old_one_is_left)
{
	AUTO_MAP struct idm_map *map = map_of("0:0:1,1:100000:60000");
	struct idm_child_options o =
		CONTAINER("ls -d /inside /mnt 2>&1; pwd; cut -d' ' -f5 /proc/self/mountinfo", map);

	make_root();
	for (int with_map = 0; with_map < 2; with_map++) {
		struct snapshot *before =
			snapshot_take(SNAPSHOT_ALL); /* not the files: /usr is bound there */

		o.map = with_map ? map : NULL;
		o.root_fd = new_root();
		{
			AUTO_FREE char *text = output_of(&o);

			assert_contains(text, "/inside\n/\n/\n");
			assert_contains(text, "cannot access '/mnt'");
			assert_contains(text, "\n/usr\n");
			assert_contains(text, "\n/proc\n");
			assert_null(strstr(text, SCRATCH "/root"));
		}
		close(o.root_fd);
		snapshot_assert_same(before);
	}
}

TEST_SINCE(5, 12, trees_are_refused, the_working_directory_cannot_be_a_way_out)
{
	struct idm_child_options o = CONTAINER("pwd", NULL);
	char path[64];
	int outside;

	make_root();
	o.root_fd = new_root();
	o.cwd = "/usr";
	assert_output(&o, "/usr\n");
	close(o.root_fd);

	outside = (int)must(open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
	o.fds = &(struct idm_child_fd){ outside, 9 };
	o.n_fds = 1;
	o.root_fd = new_root();
	o.cwd = "/proc/self/fd/9";
	{
		struct idm_error err;

		assert_error(idm_child_start(&o, &err), -EXDEV, &err, "/proc/self/fd/9",
			     "set working directory", "outside the root");
	}
	close(o.root_fd);
	close(outside);
	/* The library's own descriptors are shut by then. */
	o.n_fds = 0;
	for (int fd = 3; fd < 20; fd++) {
		struct idm_error err;
		int r;

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		o.cwd = path;
		o.root_fd = new_root();
		r = idm_child_start(&o, &err);
		assert_true(r == -ENOENT || r == -ENOTDIR);
		close(o.root_fd);
	}
}

TEST_SINCE(5, 12, trees_are_refused, filesystems_and_trees_are_mounted_in_their_order)
{
	struct idm_child_mount mounts[] = {
		{ .target = "/proc",
		  .fstype = "proc",
		  .tree_fd = -1,
		  .attr = IDM_ATTR_NOSUID | IDM_ATTR_NODEV | IDM_ATTR_NOEXEC },
		{ .target = "/new/tmp",
		  .fstype = "tmpfs",
		  .source = "scratch",
		  .tree_fd = -1,
		  .options = "mode=1700,size=64k",
		  .flags = IDM_CHILD_MOUNT_MKDIR },
		{ .target = "/new/tmp/below", .flags = IDM_CHILD_MOUNT_MKDIR },
		{ .target = "/new/file", .flags = IDM_CHILD_MOUNT_MKDIR },
		{ .target = "/put", .fstype = "tmpfs", .tree_fd = -1, .attr = IDM_ATTR_RDONLY },
	};
	struct idm_child_options o = SCRIPT(
		"stat -c '%a %F' /new/tmp /new/tmp/below /new/file; ls /new/tmp/below; "
		"grep -E ' /(proc|new|put)' /proc/self/mountinfo | cut -d' ' -f5,6,9-; "
		"touch /put/x 2>&- || echo read-only");
	AUTO_MAP struct idm_map *map = map_of("0:0:1,1:100000:60000");
	AUTO_FREE char *text = NULL;
	struct idm_error err;

	make_root();
	scratch_dir(SCRATCH "/volume");
	scratch_file(SCRATCH "/volume/file", "text");
	mounts[2].tree_fd = (int)assert_ok(idm_tree_open(AT_FDCWD, SCRATCH "/volume", -1, NULL, &err),
					   &err);
	mounts[3].tree_fd =
		(int)assert_ok(idm_tree_open(AT_FDCWD, SCRATCH "/volume/file", -1, NULL, &err), &err);
	o.namespaces = IDM_NS_MOUNT | IDM_NS_PID;
	o.map = map;
	o.root_fd = new_root();
	o.mounts = mounts;
	o.n_mounts = ARRAY_SIZE(mounts);
	text = output_of(&o);
	assert_contains(text, "1700 directory\n755 directory\n644 regular file\nfile\n");
	assert_contains(text, "/proc rw,nosuid,nodev,noexec,relatime proc rw");
	assert_contains(text, "/new/tmp rw,relatime scratch rw,size=64k,mode=1700");
	assert_contains(text, "/put ro,relatime");
	assert_contains(text, "read-only\n");
	close(o.root_fd);
	close(mounts[2].tree_fd);
	close(mounts[3].tree_fd);
}

TEST(mounts_that_fail_are_told_with_the_kernels_words)
{
	struct idm_child_mount m = { .target = "/no/such/target", .fstype = "tmpfs", .tree_fd = -1 };
	struct idm_child_options o = SCRIPT("true");
	struct idm_error err;

	scratch_enter();
	o.namespaces = IDM_NS_MOUNT;
	o.mounts = &m;
	o.n_mounts = 1;
	assert_no_child(&o, -ENOENT, "/no/such/target", "mount", "No such file");
	m.target = "/proc";
	m.fstype = "no-such-filesystem";
	assert_no_child(&o, -ENODEV, "/proc", "mount", "no-such-filesystem: No such device");
	m.fstype = "tmpfs";
	m.options = "mode=755,colour=blue";
	assert_no_child(&o, -EINVAL, "colour", "set mount option", NULL);
	assert_int_equal(idm_child_start(&o, &err), -EINVAL);
	assert_contains(PART(err, kernel), "Unknown parameter 'colour'");
	assert_contains(err.message, "(kernel: tmpfs: ");
	m.options = NULL;
	m.target = "/etc/passwd/below";
	m.flags = IDM_CHILD_MOUNT_MKDIR;
	assert_no_child(&o, -ENOTDIR, "/etc/passwd/below", "make mount point", "Not a directory");
	m.fstype = NULL;
	m.tree_fd = 77;
	assert_no_child(&o, -EBADF, "/etc/passwd/below", "start program", "descriptor 77 is not open");
}

TEST(a_root_that_is_no_tree_is_refused)
{
	struct idm_child_options o = SCRIPT("true");
	struct idm_error err;

	scratch_enter();
	o.namespaces = IDM_NS_MOUNT;
	o.root_fd = 77;
	assert_no_child(&o, -EBADF, "", "attach root", "descriptor 77 is not open");
	o.root_fd = (int)must(open("/", O_PATH | O_CLOEXEC));
	assert_no_child(&o, -EINVAL, "", "attach root", NULL);
	assert_int_equal(idm_child_start(&o, &err), -EINVAL);
	assert_contains(err.hint, "a detached tree that no other child has used");
	close(o.root_fd);
}

TEST(mounts_do_not_come_out_and_come_in_only_if_asked_for)
{
	struct idm_child_options o = SCRIPT("echo; read x; [ -e " SCRATCH "/shared/seen ] && echo seen; "
					    "mount -t tmpfs none " SCRATCH "/shared/in; exit 0");

	scratch_enter();
	scratch_dir(SCRATCH "/shared");
	do_mount("none", SCRATCH "/shared", "tmpfs", 0, NULL);
	do_mount("none", SCRATCH "/shared", NULL, MS_SHARED, NULL);
	scratch_dir(SCRATCH "/shared/in");
	for (int slave = 0; slave < 2; slave++) {
		struct snapshot *before = snapshot_take(SNAPSHOT_ALL);
		int in[2], out[2], pidfd;
		char text[16] = "";

		must(pipe2(in, O_CLOEXEC));
		must(pipe2(out, O_CLOEXEC));
		o.fds = (const struct idm_child_fd[]){ { in[0], 0 }, { out[1], 1 } };
		o.n_fds = 2;
		o.namespaces = IDM_NS_MOUNT;
		o.propagation = slave ? IDM_PROPAGATION_SLAVE : IDM_PROPAGATION_PRIVATE;
		pidfd = child_of(&o);
		close(in[0]);
		close(out[1]);
		must(read(out[0], text, 1));
		scratch_dir(SCRATCH "/shared/seen.new");
		do_mount("none", SCRATCH "/shared/seen.new", "tmpfs", 0, NULL);
		do_umount_idle(SCRATCH "/shared/seen.new");
		must(rmdir(SCRATCH "/shared/seen.new"));
		close(in[1]);
		assert_ends(pidfd, CLD_EXITED, 0);
		close(out[0]);
		snapshot_assert_same(before);
	}
}

/* ---- the init ---- */

static int ready_child(struct idm_child_options *o)
{
	int pipe[2], pidfd;
	char byte;

	must(pipe2(pipe, O_CLOEXEC));
	o->fds = &(struct idm_child_fd){ pipe[1], 1 };
	o->n_fds = 1;
	pidfd = child_of(o);
	close(pipe[1]);
	must(read(pipe[0], &byte, 1));
	close(pipe[0]);
	return pidfd;
}

TEST(an_init_starts_the_program_and_ends_with_it)
{
	AUTO_MAP struct idm_map *map = map_of("0:5000:10");
	struct idm_child_options o =
		CONTAINER("echo $$ $PPID; cat /proc/1/comm; tr '\\0' ' ' </proc/1/cmdline", map);

	scratch_enter();
	o.flags = IDM_CHILD_UNDER_INIT;
	assert_output(&o, "2 1\nidm-init\nidm-init ");
	o.argv = ARGV("sh", "-c", "exit 11");
	assert_ends(child_of(&o), CLD_EXITED, 11);
	o.argv = ARGV("sh", "-c", "kill -TERM $$");
	assert_ends(child_of(&o), CLD_EXITED, 128 + SIGTERM);
	o.path = "/no/such/program";
	assert_no_child(&o, -ENOENT, o.path, "execute", NULL);
	o.path = "/bin/sh";
	o.map = NULL;
	assert_ends(child_of(&o), CLD_EXITED, 128 + SIGTERM);
}

static size_t entries(const char *format, pid_t pid)
{
	char path[64];
	size_t n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), format, (int)pid);
	dir = opendir(path);
	assert_non_null(dir);
	for (struct dirent *d; (d = readdir(dir));)
		n += d->d_name[0] != '.';
	closedir(dir);
	return n;
}

TEST(an_init_holds_nothing)
{
	struct idm_child_options o = CONTAINER("echo; sleep 1000", NULL);
	char path[64], text[4096] = "";
	unsigned long pages;
	pid_t pid;
	int pidfd, fd;

	scratch_enter();
	must(chdir("/usr"));
	o.flags = IDM_CHILD_UNDER_INIT;
	o.pid = &pid;
	pidfd = ready_child(&o);
	/* It has closed all before the program can write, or is about to. */
	while (entries("/proc/%d/fd", pid))
		sched_yield();
	snprintf(path, sizeof(path), "/proc/%d/cwd", (int)pid);
	must(readlink(path, text, sizeof(text) - 1));
	assert_string_equal(text, "/");
	snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	fd = (int)must(open(path, O_RDONLY | O_CLOEXEC));
	must(read(fd, text, sizeof(text) - 1));
	close(fd);
	assert_int_equal(sscanf(text, "%lu", &pages), 1);
	assert_true(pages < 100);
	assert_ok(idm_child_signal(pidfd, SIGKILL, NULL), NULL);
	assert_ends(pidfd, CLD_KILLED, SIGKILL);
}

TEST(an_init_reaps_what_is_left_over_and_takes_the_rest_along)
{
	struct idm_child_options o =
		CONTAINER("i=0; while [ $i -lt 20 ]; do sh -c 'exit 3 & exit 0'; i=$((i + 1)); done; "
			  "while [ $(echo /proc/[0-9]* | wc -w) -gt 6 ]; do :; done; "
			  "sleep 1000 & exit 12",
			  NULL);

	scratch_enter();
	o.flags = IDM_CHILD_UNDER_INIT;
	assert_ends(child_of(&o), CLD_EXITED, 12);
}

TEST(an_init_passes_signals_on)
{
	static const int signals[] = { SIGTERM, SIGHUP, SIGINT, SIGUSR1, SIGWINCH };

	scratch_enter();
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		struct idm_child_options o = CONTAINER(
			"trap 'exit 20' TERM HUP INT USR1 WINCH; echo; while :; do sleep 0.05; done",
			NULL);
		int pidfd;

		o.flags = IDM_CHILD_UNDER_INIT;
		pidfd = ready_child(&o);
		assert_ok(idm_child_signal(pidfd, signals[i], NULL), NULL);
		assert_ends(pidfd, CLD_EXITED, 20);
	}
	{
		struct idm_child_options o = CONTAINER("echo; sleep 1000", NULL);
		int pidfd;

		o.flags = IDM_CHILD_UNDER_INIT;
		pidfd = ready_child(&o);
		assert_ok(idm_child_signal(pidfd, SIGKILL, NULL), NULL);
		assert_ends(pidfd, CLD_KILLED, SIGKILL);
	}
}

/* Those that end a program that does not want them. */
static bool is_deadly(int signal)
{
	return signal != SIGCHLD && signal != SIGCONT && signal != SIGSTOP && signal != SIGTSTP &&
	       signal != SIGTTIN && signal != SIGTTOU && signal != SIGURG && signal != SIGWINCH;
}

TEST(an_init_passes_on_every_signal_there_is)
{
	struct rlimit none = { 0, 0 };

	scratch_enter();
	must(setrlimit(RLIMIT_CORE, &none));
	for (int signal = 1; signal <= 64; signal++) {
		struct idm_child_options o = CONTAINER("echo; exec sleep 1000", NULL);
		int pidfd;

		if (!is_deadly(signal))
			continue;
		o.flags = IDM_CHILD_UNDER_INIT | IDM_CHILD_RESET_SIGNALS;
		pidfd = ready_child(&o);
		assert_ok(idm_child_signal(pidfd, signal, NULL), NULL);
		if (signal == SIGKILL)
			assert_ends(pidfd, CLD_KILLED, SIGKILL);
		else
			assert_ends(pidfd, CLD_EXITED, 128 + signal);
	}
}

/* Counts what Ctrl-C does, and says when it has come for the first time. */
static const char count_interrupts[] =
	"n=0; trap 'n=$((n + 1))' INT; echo; while [ $n = 0 ]; do :; done; echo; "
	"i=0; while [ $i -lt 200000 ]; do i=$((i + 1)); done; exit $n";

/* The init continues when the program has counted: one signal after the other does not become one. */
static void assert_counts_one(struct idm_child_options *o, int master, pid_t group)
{
	int pipe[2], pidfd;
	pid_t init;
	char byte;

	must(pipe2(pipe, O_CLOEXEC));
	o->fds = &(struct idm_child_fd){ pipe[1], 1 };
	o->n_fds = 1;
	o->pid = &init;
	pidfd = child_of(o);
	must(read(pipe[0], &byte, 1));
	must(kill(init, SIGSTOP));
	if (group)
		must(ioctl(master, TIOCSPGRP, &group));
	must(write(master, "\003", 1));
	must(read(pipe[0], &byte, 1));
	must(kill(init, SIGCONT));
	assert_ends(pidfd, CLD_EXITED, 1);
	close(pipe[0]);
	close(pipe[1]);
}

static int enter_terminal(void)
{
	int master, slave;

	signal(SIGINT, SIG_IGN);
	signal(SIGTTOU, SIG_IGN);
	must(setsid());
	must(openpty(&master, &slave, NULL, NULL, NULL));
	must(ioctl(slave, TIOCSCTTY, 0));
	return master;
}

static void in_a_session_with_a_terminal(void *unused)
{
	struct idm_child_options o = CONTAINER(count_interrupts, NULL);
	int master = enter_terminal();

	(void)unused;
	o.flags = IDM_CHILD_UNDER_INIT | IDM_CHILD_RESET_SIGNALS;
	assert_counts_one(&o, master, 0);
}

/* The init and the program are in a group that another process leads, as in a shell's pipeline. */
static void in_the_group_of_another(void *unused)
{
	/* With a map it can join the group before it is in its PID namespace. */
	AUTO_MAP struct idm_map *map = map_of("0:5000:10");
	struct idm_child_options o = CONTAINER(count_interrupts, map),
				 leader = SCRIPT("trap '' INT; read x");
	int master = enter_terminal(), other, pipe[2];
	pid_t group;

	(void)unused;
	must(pipe2(pipe, O_CLOEXEC));
	leader.fds = &(struct idm_child_fd){ pipe[0], 0 };
	leader.n_fds = 1;
	leader.process_group = -1;
	leader.pid = &group;
	other = child_of(&leader);
	o.process_group = group;
	o.flags = IDM_CHILD_UNDER_INIT | IDM_CHILD_RESET_SIGNALS;
	assert_counts_one(&o, master, group);
	assert_ok(idm_child_signal(other, SIGKILL, NULL), NULL);
	end_of(other);
}

TEST(an_init_does_not_double_what_the_terminal_sends)
{
	scratch_enter();
	in_child(in_a_session_with_a_terminal, NULL);
	in_child(in_the_group_of_another, NULL);
}

/* ---- a session, and what is sent to a group ---- */

static void in_a_session_of_its_own(void *unused)
{
	struct idm_child_options o =
		CONTAINER("trap 'exit 5' INT; trap 'exit 6' TERM; echo; while :; do :; done", NULL);
	int master = enter_terminal(), pidfd;
	pid_t pid;

	(void)unused;
	o.flags = IDM_CHILD_UNDER_INIT | IDM_CHILD_RESET_SIGNALS | IDM_CHILD_SESSION;
	o.pid = &pid;
	pidfd = ready_child(&o);
	assert_int_equal(getsid(pid), pid);
	/* Programs in there do not read what is typed here, only what is passed on. */
	must(write(master, "\003", 1));
	assert_ok(idm_child_signal(pidfd, SIGTERM, NULL), NULL);
	assert_ends(pidfd, CLD_EXITED, 6);
}

TEST(an_init_leaves_the_callers_session_too)
{
	scratch_enter();
	in_child(in_a_session_of_its_own, NULL);
}

/* A shell waits for its program before it looks at a signal: if that gets none, this never ends. */
static const char wait_for_another[] = "sh -c 'echo; exec sleep 1000'; exit 3";

TEST(a_signal_goes_to_the_whole_group)
{
	int master, slave;

	scratch_enter();
	must(openpty(&master, &slave, NULL, NULL, NULL));
	for (int way = 0; way < 4; way++) {
		struct idm_child_options o = CONTAINER(wait_for_another, NULL);
		int pidfd;

		o.flags = (way < 3 ? IDM_CHILD_UNDER_INIT : 0) | IDM_CHILD_RESET_SIGNALS |
			  (way < 2 ? IDM_CHILD_SESSION : 0);
		o.process_group = way < 2 ? 0 : -1;
		o.terminal_fd = way == 1 ? slave : -1;
		o.namespaces &= way < 3 ? ~0U : ~IDM_NS_PID;
		if (way == 3 && kernel_is_before(6, 9))
			continue;
		pidfd = ready_child(&o);
		assert_ok(idm_child_signal_group(pidfd, SIGINT, NULL), NULL);
		if (way < 3)
			assert_ends(pidfd, CLD_EXITED, 128 + SIGINT);
		else
			assert_ends(pidfd, CLD_KILLED, SIGINT);
	}
	close(master);
	close(slave);
}

/* Of the only child of a process, whose number is the second word in its file. */
static char state_of_program(pid_t init)
{
	char path[64], text[64] = "", state = 0;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)init, (int)init);
	fd = (int)must(open(path, O_RDONLY | O_CLOEXEC));
	must(read(fd, text, sizeof(text) - 1));
	close(fd);
	snprintf(path, sizeof(path), "/proc/%d/stat", atoi(text));
	fd = (int)must(open(path, O_RDONLY | O_CLOEXEC));
	must(read(fd, text, sizeof(text) - 1));
	close(fd);
	assert_int_equal(sscanf(text, "%*d (%*[^)]) %c", &state), 1);
	return state;
}

TEST(a_program_below_an_init_is_stopped_and_continued)
{
	int master, slave;

	scratch_enter();
	must(openpty(&master, &slave, NULL, NULL, NULL));
	for (int terminal = 0; terminal < 2; terminal++) {
		struct idm_child_options o = CONTAINER("echo; exec sleep 1000", NULL);
		pid_t pid;
		int pidfd;

		o.flags = IDM_CHILD_UNDER_INIT | IDM_CHILD_RESET_SIGNALS | IDM_CHILD_SESSION;
		o.terminal_fd = terminal ? slave : -1;
		o.pid = &pid;
		pidfd = ready_child(&o);
		assert_ok(idm_child_signal_group(pidfd, SIGTSTP, NULL), NULL);
		while (state_of_program(pid) != 'T')
			sched_yield();
		assert_ok(idm_child_signal_group(pidfd, SIGCONT, NULL), NULL);
		while (state_of_program(pid) == 'T')
			sched_yield();
		assert_ok(idm_child_signal(pidfd, SIGTERM, NULL), NULL);
		assert_ends(pidfd, CLD_EXITED, 128 + SIGTERM);
	}
	close(master);
	close(slave);
}

/* ---- dying with the caller ---- */

/* A process that starts the child, and is killed a moment later, at the latest when it has done so. */
static void start_and_be_killed(struct idm_child_options *o, useconds_t after)
{
	pid_t pid = (pid_t)must(fork());

	if (pid == 0) {
		assert_ok(idm_child_start(o, NULL), NULL);
		for (;;)
			pause();
	}
	must(usleep(after));
	must(kill(pid, SIGKILL));
	must(waitpid(pid, NULL, 0));
}

/* The program alone holds the pipe's other end. */
static void assert_dies_with_caller(struct idm_child_options *o, useconds_t after)
{
	struct idm_child_fd fds[] = { { -1, 5 } };
	int pipe[2];
	char byte;

	must(pipe2(pipe, O_CLOEXEC));
	fds[0].from = pipe[1];
	o->fds = fds;
	o->n_fds = 1;
	start_and_be_killed(o, after);
	must(close(pipe[1]));
	assert_int_equal(must(read(pipe[0], &byte, 1)), 0); /* or for ever */
	must(close(pipe[0]));
}

TEST(the_child_dies_with_its_caller)
{
	AUTO_MAP struct idm_map *map = map_of("0:5000:10");
	struct idm_child_options o = CONTAINER("(sleep 1000 &); exec sleep 1000", map);

	scratch_enter();
	must(prctl(PR_SET_CHILD_SUBREAPER, 1));
	for (int i = 0; i < 60; i++) {
		o.flags = IDM_CHILD_DIE_WITH_THREAD | (i % 2 ? IDM_CHILD_UNDER_INIT : 0);
		assert_dies_with_caller(&o, (useconds_t)i * 500);
		while (waitpid(-1, NULL, __WALL) > 0)
			;
	}
}

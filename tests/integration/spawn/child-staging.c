// SPDX-License-Identifier: MIT
/*
 * A child whose mount namespace is a copy of a staging namespace: it sees the same as every other child,
 * and the same is refused to it.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "children.h"
#include "lib/base/macros.h"
#include "tests/lib/maps.h"
#include "tests/lib/scratch.h"
#include "tests/lib/snapshot.h"

static void no_trees(void)
{
	scratch_enter();
	untried("idm_tree_open() cannot open the root of the child");
}

static int open_staging(void)
{
	struct idm_error err;

	return (int)assert_ok(idm_staging_open(0, &err), &err);
}

static const struct idm_child_mount new_filesystems[] = {
	{ .target = "/proc", .fstype = "proc", .tree_fd = -1, .attr = IDM_ATTR_NOSUID },
	{ .target = "/sys",
	  .fstype = "sysfs",
	  .tree_fd = -1,
	  .attr = IDM_ATTR_RDONLY,
	  .flags = IDM_CHILD_MOUNT_MKDIR },
	{ .target = "/put", .fstype = "tmpfs", .tree_fd = -1, .options = "size=1m" },
};

/* "36 35 98:0 /a /b …" becomes "/a /b …": the numbers are others for each new mount. */
static void remove_numbers(char *text)
{
	char *to = text;

	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		for (int i = 0; i < 3; i++)
			line = strchr(line, ' ') + 1;
		to += sprintf(to, "%s\n", line);
	}
}

/* `script` runs below a root with the filesystems. */
static struct idm_child_options container(const char *script, const struct idm_map *map, int staging)
{
	struct idm_child_options o = rooted_options(script, map, new_filesystems,
						    ARRAY_SIZE(new_filesystems));

	o.namespaces = IDM_NS_MOUNT | IDM_NS_PID | IDM_NS_NET | IDM_NS_IPC;
	o.staging_fd = staging;
	return o;
}

static char *output_in(int staging, const struct idm_map *map, uint64_t flags, const char *script)
{
	struct idm_child_options o = container(script, map, staging);
	char *text;

	o.flags = flags;
	text = output_of(&o);
	close(o.root_fd);
	return text;
}

/* ---- what it sees ---- */

static void see_same_mounts(const struct idm_map *map, uint64_t flags)
{
	AUTO_CLOSE int staging = open_staging();
	AUTO_FREE char *without = output_in(-1, map, flags, "cat /proc/self/mountinfo");
	AUTO_FREE char *with = output_in(staging, map, flags, "cat /proc/self/mountinfo");

	remove_numbers(without);
	remove_numbers(with);
	assert_contains(with, "/ /proc ");
	assert_contains(with, "/ /sys ");
	assert_string_equal(with, without);
}

TEST_SINCE(5, 12, no_trees, the_mounts_are_the_same)
{
	AUTO_MAP struct idm_map *map = map_of("0:100000:65536");
	struct snapshot *before;

	make_root();
	before = snapshot_take(SNAPSHOT_ALL);
	see_same_mounts(NULL, 0);
	see_same_mounts(map, 0);
	see_same_mounts(map, IDM_CHILD_UNDER_INIT);
	snapshot_assert_same(before);
}

/* Neither the host's nor the staging namespace's: descriptors, "..", the root directories of others. */
TEST_SINCE(5, 12, no_trees, nothing_leads_out_of_the_root)
{
	static const char script[] =
		"ls -d /inside /../inside; ls /proc/self/fd | wc -l; "
		"for p in /proc/[0-9]*; do stat -L -c %d:%i $p/root; done | sort -u | wc -l; "
		"for p in /proc/[0-9]*; do readlink $p/ns/mnt; done | sort -u | wc -l";
	AUTO_MAP struct idm_map *map = map_of("0:100000:65536");
	AUTO_CLOSE int staging = -1;

	make_root();
	staging = open_staging();
	for (int with_map = 0; with_map < 2; with_map++)
		for (int with_staging = 0; with_staging < 2; with_staging++) {
			AUTO_FREE char *text = output_in(with_staging ? staging : -1,
							 with_map ? map : NULL, 0, script);

			assert_string_equal(text, "/../inside\n/inside\n4\n1\n1\n");
		}
}

TEST_SINCE(5, 12, no_trees, the_staging_namespace_stays_as_it_is)
{
	static const char mounts[] = "mkdir /put/a && mount -t tmpfs mine /put/a && echo mounted";
	AUTO_MAP struct idm_map *map = map_of("0:100000:65536");
	AUTO_CLOSE int staging = -1;

	make_root();
	staging = open_staging();
	for (int i = 0; i < 3; i++) {
		AUTO_FREE char *text = output_in(staging, map, 0, mounts);

		assert_string_equal(text, "mounted\n");
	}
	see_same_mounts(map, 0);
}

/* The kernel permits a new procfs in a user namespace where another one is fully visible. */
TEST_SINCE(5, 12, no_trees, what_covers_a_part_of_proc_has_the_same_effect)
{
	AUTO_MAP struct idm_map *map = map_of("0:100000:65536");
	AUTO_CLOSE int staging = -1;

	make_root();
	do_mount("/dev/null", "/proc/version", NULL, MS_BIND, NULL);
	staging = open_staging();
	for (int with_staging = 0; with_staging < 2; with_staging++) {
		struct idm_child_options o = container("true", map, with_staging ? staging : -1);

		assert_no_child(&o, -EPERM, "/proc", "mount", NULL);
		close(o.root_fd);
	}
	see_same_mounts(NULL, 0);
}

/* Without a procfs of its own, the child writes to the one of the staging namespace. */
TEST_SINCE(5, 12, no_trees, user_namespaces_can_be_forbidden)
{
	AUTO_MAP struct idm_map *map = map_of("0:100000:65536");
	AUTO_CLOSE int staging = -1;

	make_root();
	staging = open_staging();
	for (int forbidden = 0; forbidden < 2; forbidden++) {
		struct idm_child_options o = container("unshare -U true 2>&-; echo $?", map, staging);

		o.mounts = NULL;
		o.n_mounts = 0;
		o.flags = forbidden ? IDM_CHILD_DISABLE_USERNS : 0;
		assert_output(&o, forbidden ? "1\n" : "0\n");
		close(o.root_fd);
	}
}

/* ---- what is refused ---- */

TEST_SINCE(5, 12, no_trees, what_is_no_staging_namespace)
{
	static const char *const others[] = { "/dev/null", "/proc/self/ns/net", SCRATCH };
	static const char step[] = "join staging namespace";
	struct idm_child_options o;

	make_root();
	o = container("true", NULL, 1000);
	assert_no_child(&o, -EBADF, NULL, step, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		o.staging_fd = (int)must(open(others[i], O_RDONLY | O_CLOEXEC));
		assert_no_child(&o, -EINVAL, NULL, step, "expected a mount namespace");
		close(o.staging_fd);
	}
	o.staging_fd = -2;
	assert_no_child(&o, -EBADF, NULL, "start program",
			"staging_fd: expected a descriptor or -1, got -2");
	close(o.root_fd);
}

TEST_SINCE(5, 12, no_trees, what_it_cannot_be_combined_with)
{
	AUTO_CLOSE int staging = -1, own = -1;
	struct idm_child_options o;

	make_root();
	staging = open_staging();
	own = (int)must(open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC));
	o = container("true", NULL, staging);
	o.join_fds = &own;
	o.n_join_fds = 1;
	assert_no_child(&o, -EINVAL, NULL, "start program",
			"staging_fd and a mount namespace in join_fds exclude each other");
	close(o.root_fd);
	o.n_join_fds = 0;
	o.root_fd = -1;
	assert_no_child(&o, -EINVAL, NULL, "start program", "staging_fd requires a root");
	o.namespaces = 0;
	o.n_mounts = 0;
	assert_no_child(&o, -EINVAL, NULL, "start program", "staging_fd requires a root");
}

/* A user namespace of the caller's own opens its own. */
static void start_as_other(void *staging)
{
	AUTO_MAP struct idm_map *map = NULL;
	struct idm_child_options o;

	enter_userns("0 0 65536");
	must(unshare(CLONE_NEWNS));
	map = map_of("0:1000:1000");
	for (int with_map = 0; with_map < 2; with_map++) {
		o = container("true", with_map ? map : NULL, *(int *)staging);
		assert_no_child(&o, -EPERM, NULL, "join staging namespace",
				"CAP_SYS_ADMIN in the user namespace that owns");
		close(o.root_fd);
		see_same_mounts(with_map ? map : NULL, 0);
	}
}

TEST_SINCE(5, 12, no_trees, one_of_another_user_namespace)
{
	int staging;

	make_root();
	staging = open_staging();
	in_child(start_as_other, &staging);
	close(staging);
}

/* ---- without CAP_SYS_ADMIN ---- */

/* Opens the staging namespace in another process, which shares the descriptors, in the user namespace.
 */
static int open_staging_in(int userns)
{
	int staging = 3, status;
	pid_t pid = (pid_t)must(syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL));

	if (pid == 0) {
		must(setns(userns, CLONE_NEWUSER));
		must(unshare(CLONE_NEWNS));
		_exit(open_staging());
	}
	must(waitpid(pid, &status, 0));
	assert_true(WIFEXITED(status));
	staging = WEXITSTATUS(status);
	must(fcntl(staging, F_GETFD));
	return staging;
}

static void start_without_privilege(void *userns)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	AUTO_CLOSE int staging = open_staging_in(*(int *)userns);
	struct idm_child_options o;

	must(syscall(SYS_capget, &header, data));
	data[0].effective &= ~(1U << CAP_SYS_ADMIN);
	data[0].permitted &= ~(1U << CAP_SYS_ADMIN);
	o = container("echo $$; ls /sys/class/net", NULL, staging);
	must(syscall(SYS_capset, &header, data));
	o.join_fds = userns;
	o.n_join_fds = 1;
	assert_output(&o, "1\nlo\n");
	close(o.root_fd);
}

/* The user namespace in which the root is assembled owns the staging namespace. */
TEST_SINCE(5, 12, no_trees, in_the_user_namespace_of_an_ordinary_user)
{
	AUTO_MAP struct idm_map *map = map_of("0:0:65536");
	struct idm_error err;
	int userns;

	make_root();
	userns = (int)assert_ok(idm_userns_open(map, 0, &err), &err);
	in_child(start_without_privilege, &userns);
	close(userns);
}

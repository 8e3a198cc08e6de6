// SPDX-License-Identifier: MIT
/*
 * A staging namespace holds nothing of the caller's but /proc and /sys, and serves overlays and plans as
 * a copy of its own.
 */
#include <linux/capability.h>
#include <sched.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "tests/integration/rootfs/plans.h"

static int open_staging(void)
{
	struct idm_error err;

	return (int)assert_ok(idm_staging_open(0, &err), &err);
}

/* ---- what it holds ---- */

static bool is_below(const char *path, const char *directory)
{
	size_t n = strlen(directory);

	return strncmp(path, directory, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

/* A line of mountinfo: the tmpfs, or something of /proc and /sys. Returns whether it is the tmpfs. */
static bool check_mount_line(const char *line)
{
	char path[256];

	assert_int_equal(sscanf(line, "%*d %*d %*s %*s %255s", path), 1);
	if (strcmp(path, "/") == 0)
		assert_contains(line, " - tmpfs ");
	else if (!is_below(path, "/proc") && !is_below(path, "/sys"))
		fail_msg("%s", line);
	return strcmp(path, "/") == 0;
}

static void see_small_table(void *staging)
{
	AUTO_FD int proc = (int)must(open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC)), file = -1;
	char text[16384], *rest = text, *line;
	int n_tmpfs = 0;
	ssize_t n;

	must(setns(*(int *)staging, CLONE_NEWNS));
	file = (int)must(openat(proc, "thread-self/mountinfo", O_RDONLY | O_CLOEXEC));
	n = (ssize_t)must(read(file, text, sizeof(text) - 1));
	text[n] = '\0';
	assert_contains(text, " / /proc ");
	while ((line = strsep(&rest, "\n")) && *line)
		n_tmpfs += check_mount_line(line);
	assert_int_equal(n_tmpfs, 1);
	assert_int_equal(access(SCRATCH, F_OK), -1);
}

TEST(it_holds_a_tmpfs_and_of_the_callers_proc_and_sys)
{
	struct snapshot *before;
	int staging;

	scratch_enter();
	before = snapshot_take(SNAPSHOT_ALL);
	staging = open_staging();
	assert_int_equal(must(fcntl(staging, F_GETFD)) & FD_CLOEXEC, FD_CLOEXEC);
	in_child(see_small_table, &staging);
	close(staging);
	snapshot_assert_same(before);
}

/* The kernel says it when the last mount of a filesystem has gone. */
TEST(it_keeps_no_filesystem_busy)
{
	AUTO_FD int staging = -1, watch = (int)must(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
	struct inotify_event event;

	scratch_enter();
	scratch_dir(SCRATCH "/busy");
	do_mount("busy", SCRATCH "/busy", "tmpfs", 0, NULL);
	must(inotify_add_watch(watch, SCRATCH "/busy", IN_CREATE));
	staging = open_staging();
	must(umount2(SCRATCH "/busy", 0));
	assert_int_equal(must(read(watch, &event, sizeof(event))), sizeof(event));
	assert_true(event.mask & IN_UNMOUNT);
}

TEST(in_a_root_that_is_no_mount)
{
	int staging;

	scratch_enter();
	scratch_dir(SCRATCH "/root/proc");
	do_mount("/proc", SCRATCH "/root/proc", NULL, MS_BIND, NULL);
	must(chroot(SCRATCH "/root"));
	must(chdir("/"));
	staging = open_staging();
	in_child(see_small_table, &staging);
	close(staging);
}

/* Only what is below the root of the mount namespace is gone with it. */
static void open_in_a_root_that_is_a_mount(unsigned long propagation)
{
	int staging;

	scratch_enter();
	scratch_dir(SCRATCH "/root");
	do_mount("/", SCRATCH "/root", NULL, MS_BIND | MS_REC, NULL);
	do_mount(NULL, SCRATCH "/root", NULL, MS_PRIVATE | MS_REC, NULL);
	do_mount(NULL, SCRATCH, NULL, propagation, NULL);
	must(chroot(SCRATCH "/root"));
	must(chdir("/"));
	staging = open_staging();
	in_child(see_small_table, &staging);
	close(staging);
}

TEST(in_a_root_that_is_a_mount_on_a_private_one)
{
	open_in_a_root_that_is_a_mount(MS_PRIVATE);
}

TEST(in_a_root_that_is_a_mount_on_a_shared_one)
{
	open_in_a_root_that_is_a_mount(MS_SHARED);
}

/* A chroot often has an empty /sys. Nothing of it is in the namespace then. */
TEST(a_path_that_is_no_sysfs_is_left_out)
{
	struct snapshot *before;

	scratch_enter();
	do_mount("other", "/sys", "tmpfs", 0, NULL);
	before = snapshot_take(SNAPSHOT_ALL);
	for (int i = 0; i < 3; i++) {
		AUTO_FD int staging = open_staging();

		in_child(see_small_table, &staging);
	}
	snapshot_assert_same(before);
}

/* ---- what is made there ---- */

static int apply_plan(const struct idm_plan *plan, int staging, unsigned int flags,
		      struct idm_error *err)
{
	struct idm_plan_apply_options o = IDM_PLAN_APPLY_OPTIONS_INIT;

	o.flags = IDM_PLAN_APPLY_IN_NAMESPACE | flags;
	o.staging_fd = staging;
	return idm_plan_apply(plan, AT_FDCWD, TARGET, &o, err);
}

TEST(a_plan_is_the_same)
{
	AUTO_PLAN struct idm_plan *plan = plan_new();
	AUTO_FD int staging = -1;
	struct snapshot *before;
	struct idm_error err;

	enter_image();
	plan_step(plan, "bind", ROOT, "/", "rprivate", MAP, NULL);
	plan_step(plan, "tmpfs", NULL, "/etc", "size=1m", NULL);
	plan_step(plan, "bind", ROOT "/bin", "/etc/new/place", MAP, NULL); /* created on the way */
	plan_step(plan, "bind", ROOT "/etc/hosts", "/bin/sh", NULL);
	staging = open_staging();
	before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
	for (int i = 0; i < 3; i++) {
		assert_ok(apply_plan(plan, staging, IDM_PLAN_APPLY_MKDIR, &err), &err);
		assert_owner(TARGET "/bin/sh", 0, 0);
		assert_owner(TARGET "/etc/new/place/sh", 100000, 100000);
		unmount_target();
	}
	assert_error(apply_plan(plan, staging, 0, &err), -ENOENT, &err, "etc/new/place", "open target",
		     "the target does not exist");
	snapshot_assert_same(before);
	in_child(see_small_table, &staging);
}

TEST(an_overlay_is_the_same)
{
	static const struct idm_path lowers[] = { { AT_FDCWD, SCRATCH "/l2" },
						  { AT_FDCWD, SCRATCH "/l1" } },
				     upper = { AT_FDCWD, SCRATCH "/up" },
				     work = { AT_FDCWD, SCRATCH "/work" };
	AUTO_MAP struct idm_map *map = map_of("0:100000:65536");
	struct idm_overlay_options o = IDM_OVERLAY_OPTIONS_INIT;
	AUTO_FD int staging = -1;
	struct snapshot *before;
	struct idm_error err;

	enter_image();
	for (int i = 0; i < 2; i++)
		scratch_dir(lowers[i].path);
	scratch_dir(upper.path);
	scratch_dir(work.path);
	owned_file(SCRATCH "/l1/file", 8, 12);
	o.flags = IDM_OVERLAY_IN_NAMESPACE;
	o.lower = lowers;
	o.n_lower = 2;
	o.map = map;
	staging = o.staging_fd = open_staging();
	before = snapshot_take(SNAPSHOT_ALL);
	for (int ids = IDM_UPPER_SHIFTED; ids <= IDM_UPPER_DISK; ids++) {
		AUTO_FD int tree = (int)assert_ok(idm_overlay_open(&o, &err), &err);

		attach_at(tree, TARGET);
		assert_owner(TARGET "/file", 100008, 100012);
		close(tree);
		tree = -1;
		do_umount(TARGET);
		o.upper = &upper; /* of the next one */
		o.work = &work;
		o.upper_ids = IDM_UPPER_DISK;
	}
	snapshot_assert_same(before);
	in_child(see_small_table, &staging);
}

/* ---- what is refused ---- */

TEST(what_is_no_mount_namespace)
{
	AUTO_PLAN struct idm_plan *plan = plan_new();
	static const char *const others[] = { "/dev/null", "/proc/self/ns/net", SCRATCH };
	struct idm_overlay_options o = IDM_OVERLAY_OPTIONS_INIT;
	static const struct idm_path lowers[] = { { AT_FDCWD, "/a" }, { AT_FDCWD, "/b" } };
	struct snapshot *before;
	struct idm_error err;

	enter_image();
	plan_step(plan, "bind", ROOT, "/", NULL);
	o.lower = lowers;
	o.n_lower = 2;
	before = snapshot_take(SNAPSHOT_ALL);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		AUTO_FD int fd = o.staging_fd = (int)must(open(others[i], O_RDONLY | O_CLOEXEC));

		assert_error(apply_plan(plan, fd, 0, &err), -EINVAL, &err, "", "join staging namespace",
			     "expected a mount namespace");
		assert_error(idm_overlay_open(&o, &err), -EINVAL, &err, "", "join staging namespace",
			     "expected a mount namespace");
	}
	o.staging_fd = 1000;
	assert_error(apply_plan(plan, 1000, 0, &err), -EBADF, &err, "", "join staging namespace", NULL);
	assert_error(idm_overlay_open(&o, &err), -EBADF, &err, "", "join staging namespace", NULL);
	/* -1 alone means no descriptor. */
	assert_error(apply_plan(plan, -2, 0, &err), -EBADF, &err, "", "join staging namespace",
		     "staging_fd: expected a descriptor or -1, got -2");
	assert_error(idm_staging_open(1, &err), -EINVAL, &err, NULL, "open staging namespace",
		     "unknown");
	snapshot_assert_same(before);
}

static void apply_as_other(void *staging)
{
	AUTO_PLAN struct idm_plan *plan = plan_new();
	AUTO_FD int own = -1;
	struct idm_error err;

	enter_userns("0 0 65536");
	must(unshare(CLONE_NEWNS));
	plan_step(plan, "tmpfs", NULL, "/", NULL);
	plan_step(plan, "tmpfs", NULL, "/a", NULL);
	assert_error(apply_plan(plan, *(int *)staging, IDM_PLAN_APPLY_MKDIR, &err), -EPERM, &err, "",
		     "join staging namespace", "CAP_SYS_ADMIN in the user namespace that owns");
	own = open_staging();
	assert_ok(apply_plan(plan, own, IDM_PLAN_APPLY_MKDIR, &err), &err);
	assert_mounted(TARGET "/a");
	in_child(see_small_table, &own);
}

TEST(one_of_another_user_namespace)
{
	int staging;

	enter_image();
	staging = open_staging();
	in_child(apply_as_other, &staging);
	close(staging);
}

static void open_without_privilege(void *unused)
{
	struct idm_error err;

	(void)unused;
	become_user(1000, 1000);
	assert_error(idm_staging_open(0, &err), -EPERM, &err, "", "make a scratch filesystem",
		     "it requires CAP_SYS_ADMIN in the user namespace that owns this mount namespace");
}

static void before_the_init_of_a_pid_namespace(void *unused)
{
	static const char reason[] = "init of the PID namespace that this thread unshared";
	struct idm_plan_apply_options o = IDM_PLAN_APPLY_OPTIONS_INIT;
	AUTO_PLAN struct idm_plan *plan = plan_new();
	struct idm_error err;

	(void)unused;
	plan_step(plan, "bind", ROOT, "/", "bind", NULL);
	plan_step(plan, "tmpfs", "tmpfs", "/var", NULL);
	must(unshare(CLONE_NEWPID));
	assert_error(idm_staging_open(0, &err), -EBUSY, &err, NULL, NULL, reason);
	o.flags = IDM_PLAN_APPLY_IN_NAMESPACE;
	assert_error(idm_plan_open(plan, &o, &err), -EBUSY, &err, NULL, NULL, reason);
}

TEST(a_child_that_would_be_an_init_is_explained)
{
	enter_image();
	scratch_dir(ROOT "/var");
	in_child(before_the_init_of_a_pid_namespace, NULL);
}

static void do_nothing(void *unused)
{
	(void)unused;
}

static void before_an_init_without_proc(void *unused)
{
	struct idm_error err;

	(void)unused;
	must(chroot(SCRATCH));
	must(chdir("/"));
	must(unshare(CLONE_NEWPID));
	assert_error(idm_staging_open(0, &err), -EBUSY, &err, NULL, NULL, "would become the init");
	in_child(do_nothing, NULL); /* the namespace can still have one */
}

TEST(without_proc_no_child_becomes_an_init)
{
	scratch_enter();
	in_child(before_an_init_without_proc, NULL);
}

static void open_without_sys_chroot(void *unused)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	struct idm_error err;

	(void)unused;
	must(syscall(SYS_capget, &header, data));
	data[0].effective &= ~(1U << CAP_SYS_CHROOT);
	must(syscall(SYS_capset, &header, data));
	assert_error(idm_staging_open(0, &err), -EPERM, &err, "", "join staging namespace",
		     "CAP_SYS_CHROOT");
}

TEST(it_requires_what_joining_it_does)
{
	scratch_enter();
	in_child(open_without_sys_chroot, NULL);
}

TEST(without_privilege_there_is_none)
{
	scratch_enter();
	in_child(open_without_privilege, NULL);
}

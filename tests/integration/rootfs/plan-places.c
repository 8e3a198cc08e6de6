// SPDX-License-Identifier: MIT
/* Plans in odd places and odd circumstances: what works there, and what is left behind if it does not.
 */
#include <limits.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "plans.h"
#include "tests/lib/neighbour.h"

#define JOURNAL SCRATCH "/journal"

static const unsigned int ways[] = { IDM_PLAN_APPLY_IN_NAMESPACE, IDM_PLAN_APPLY_DETACHED };

/* Before Linux 6.15 there is one only. */
#define EACH_WAY(way)            \
	for (size_t i_ = 0, way; \
	     i_ < ARRAY_SIZE(ways) - kernel_is_before(6, 15) && (way = ways[i_], true); i_++)

static int apply_at(const struct idm_plan *plan, const char *target, size_t flags, const char *journal,
		    struct idm_error *err)
{
	struct idm_plan_apply_options o = IDM_PLAN_APPLY_OPTIONS_INIT;

	o.flags = (unsigned int)flags;
	o.journal = journal;
	return idm_plan_apply(plan, AT_FDCWD, target, &o, err);
}

static void apply(const struct idm_plan *plan, const char *target, size_t flags, const char *journal)
{
	struct idm_error err;

	assert_ok(apply_at(plan, target, flags, journal, &err), &err);
}

static void undo(const char *journal)
{
	struct idm_error err;

	assert_ok(idm_plan_undo(journal, 0, &err), &err);
}

/* A root and a mount on /etc with these words. */
#define some_plan(...)                                                  \
	({                                                              \
		struct idm_plan *plan_ = plan_new();                    \
		plan_step(plan_, "bind", ROOT, "/", NULL);              \
		plan_step(plan_, "tmpfs", NULL, "/etc", ##__VA_ARGS__); \
		plan_;                                                  \
	})

/* ---- roots and targets ---- */

TEST(a_root_that_is_a_file)
{
	AUTO_PLAN struct idm_plan *plan = plan_new();
	struct idm_error err;

	enter_image();
	plan_step(plan, "bind", ROOT "/bin/sh", "/", MAP, NULL);
	EACH_WAY(way)
	{
		struct snapshot *before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);

		apply(plan, SCRATCH "/new/file", way | IDM_PLAN_APPLY_MKDIR, JOURNAL);
		assert_owner(SCRATCH "/new/file", 100000, 100000);
		undo(JOURNAL);
		assert_error(apply_at(plan, TARGET, way, JOURNAL, &err), -EISDIR, &err, TARGET,
			     "open target", NULL);
		snapshot_assert_same(before);
	}
	plan_step(plan, "tmpfs", NULL, "/etc", NULL);
	EACH_WAY(way)
	{
		struct snapshot *before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);

		assert_error(
			apply_at(plan, SCRATCH "/new/file", way | IDM_PLAN_APPLY_MKDIR, JOURNAL, &err),
			-ENOTDIR, &err, ROOT "/bin/sh", "assemble plan", "got a file");
		snapshot_assert_same(before);
	}
}

/* In the image "self" leads to the root, as "." does, and "root" as "/". */
TEST(targets_that_are_the_root)
{
	static const char *const targets[] = { "self/.", "/root/.", "//self/root/./.", "/etc/up/." };

	enter_image();
	must(symlink(".", ROOT "/self"));
	must(symlink("/", ROOT "/root"));
	must(symlink("../../..", ROOT "/etc/up"));
	EACH_WAY(way)
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		struct snapshot *before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
		AUTO_PLAN struct idm_plan *plan = plan_new();
		struct idm_error err;

		plan_step(plan, "bind", ROOT, "/", NULL);
		plan_step(plan, "tmpfs", NULL, targets[i], NULL);
		assert_error(apply_at(plan, TARGET, way | IDM_PLAN_APPLY_MKDIR, NULL, &err), -ELOOP,
			     &err, NULL, "open target", "the target is a symbolic link");
		snapshot_assert_same(before);
	}
}

/* What shows the same directory at another place is no root. */
TEST(a_target_that_shows_the_root_again)
{
	enter_image();
	EACH_WAY(way)
	{
		AUTO_PLAN struct idm_plan *plan = plan_new();

		plan_step(plan, "bind", ROOT, "/", NULL);
		plan_step(plan, "bind", ROOT, "/etc", NULL);
		plan_step(plan, "tmpfs", NULL, "/etc", NULL);
		apply(plan, TARGET, way, NULL);
		assert_mounted(TARGET "/etc");
		unmount_target();
	}
}

TEST(the_same_plan_twice)
{
	AUTO_PLAN struct idm_plan *plan = some_plan(NULL);
	struct snapshot *before;
	struct idm_error err;

	enter_image();
	before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
	apply(plan, TARGET, 0, JOURNAL);
	apply(plan, TARGET, 0, JOURNAL "2");
	assert_error(idm_plan_undo(JOURNAL, 0, &err), -EBUSY, &err, TARGET, "undo", "does not name");
	undo(JOURNAL "2");
	undo(JOURNAL);
	snapshot_assert_same(before);
}

/* "rro" says the same as "ro" where nothing is below. */
TEST(read_only_last)
{
	static const char *const words[] = { "ro", "rro" };

	enter_image();
	EACH_WAY(way)
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		AUTO_PLAN struct idm_plan *plan = plan_new();

		add_flags = IDM_PLAN_ADD_RDONLY_LAST;
		plan_step(plan, "bind", ROOT, "/", words[i], NULL);
		add_flags = IDM_PLAN_ADD_MKDIR;
		plan_step(plan, "tmpfs", NULL, "/made", NULL);
		apply(plan, TARGET, way, JOURNAL);
		assert_true(mount_at(TARGET).attr & IDM_ATTR_RDONLY);
		assert_false(mount_at(TARGET "/made").attr & IDM_ATTR_RDONLY);
		undo(JOURNAL);
	}
}

/* ---- many ---- */

static void apply_many(size_t n)
{
	AUTO_PLAN struct idm_plan *plan = plan_new();
	struct snapshot *before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
	struct idm_plan_add_options m = IDM_PLAN_ADD_OPTIONS_INIT;
	char target[32] = "";
	struct idm_error err;

	m.type = "bind";
	m.source = ROOT;
	m.target = target;
	m.dirfd = (int)must(open("/", O_PATH | O_CLOEXEC)); /* not kept where all paths are whole */
	for (size_t i = 0; i <= n; i++) {
		assert_ok(idm_plan_add(plan, &m, &err), &err);
		snprintf(target, sizeof(target), "/%zu", i);
		m.type = "tmpfs";
	}
	must(close(m.dirfd));
	apply(plan, TARGET, IDM_PLAN_APPLY_MKDIR, JOURNAL);
	assert_mounted(TARGET "/10");
	undo(JOURNAL);
	snapshot_assert_same(before);
}

TEST(a_thousand_mounts_and_as_many_descriptors)
{
	struct rlimit limit = { 1024, 1024 };

	enter_image();
	must(setrlimit(RLIMIT_NOFILE, &limit));
	apply_many(test_is_slow() ? 600 : 1000);
}

TEST(too_few_descriptors)
{
	AUTO_PLAN struct idm_plan *plan = some_plan(NULL);
	struct rlimit limit = { 1024, 1024 };
	struct snapshot *before;
	struct idm_error err;
	char target[32];

	enter_image();
	for (int i = 0; i < 40; i++) {
		snprintf(target, sizeof(target), "/made/%d/deep", i);
		plan_step(plan, "tmpfs", NULL, target, NULL);
	}
	before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
	for (rlim_t n = 20; n < 90; n++) {
		int r;

		limit.rlim_cur = n;
		must(setrlimit(RLIMIT_NOFILE, &limit));
		r = apply_at(plan, TARGET, IDM_PLAN_APPLY_MKDIR, JOURNAL, &err);
		limit.rlim_cur = limit.rlim_max;
		must(setrlimit(RLIMIT_NOFILE, &limit));
		if (r == 0)
			undo(JOURNAL);
		else
			assert_error(r, -EMFILE, &err, NULL, NULL, NULL);
	}
	snapshot_assert_same(before);
}

/* ---- where /proc or the root directory is another ---- */

static void in_chroot(void *arg)
{
	AUTO_PLAN struct idm_plan *plan = plan_new();

	(void)arg;
	must(chroot(SCRATCH "/box"));
	must(chdir("/"));
	plan_step(plan, "overlay", NULL, "/", "lowerdir=/l1:/l2", NULL);
	plan_step(plan, "tmpfs", NULL, "/etc", NULL);
	EACH_WAY(way)
	{
		struct idm_error err;

		apply(plan, "/target", way, NULL);
		assert_ok(idm_umount(AT_FDCWD, "/target", IDM_UMOUNT_RECURSIVE, &err), &err);
		assert_error(apply_at(plan, "/target", way, "/journal", &err), -ENOENT, &err,
			     "/proc/sys/kernel/random/boot_id", "read boot id", NULL);
		assert_int_equal(access("/journal", F_OK), -1);
	}
	must(mkdir("/proc", 0755));
	do_mount("proc", "/proc", "proc", 0, NULL);
	EACH_WAY(way)
	{
		apply(plan, "/target", way, "/journal");
		undo("/journal");
	}
	assert_ok(idm_sys_umount("/proc", 0), NULL);
	must(rmdir("/proc"));
}

TEST(a_caller_in_a_chroot)
{
	struct snapshot *before;

	enter_image();
	scratch_dir(SCRATCH "/box/l1/etc");
	scratch_dir(SCRATCH "/box/l2");
	scratch_dir(SCRATCH "/box/target");
	before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
	in_child(in_chroot, NULL);
	snapshot_assert_same(before);
}

static void undo_in_chroot(void *arg)
{
	struct idm_error err;

	(void)arg;
	must(chroot(SCRATCH "/box"));
	assert_error(idm_plan_undo("/journal", 0, &err), -EXDEV, &err, TARGET, "undo",
		     "outside of this root directory");
}

/* What cannot be seen from there has not gone. */
TEST(mounts_outside_of_the_chroot)
{
	AUTO_PLAN struct idm_plan *plan = some_plan(NULL);

	enter_image();
	scratch_dir(SCRATCH "/box/proc");
	do_mount("proc", SCRATCH "/box/proc", "proc", 0, NULL);
	apply(plan, TARGET, 0, SCRATCH "/box/journal");
	if (mount_at(TARGET).id >= 1UL << 31) /* Linux 6.8: before, an ID says too little */
		in_child(undo_in_chroot, NULL);
	undo(SCRATCH "/box/journal");
}

/* In a mount namespace of its own: the leak checker of who waits for this process needs a /proc. */
static void cover_proc(void)
{
	must(unshare(CLONE_NEWNS));
	do_mount("none", "/proc", "tmpfs", 0, NULL);
}

static void without_proc(void *arg)
{
	AUTO_PLAN struct idm_plan *plan = some_plan(NULL);

	(void)arg;
	cover_proc();
	EACH_WAY(way)
	{
		struct idm_error err;

		apply(plan, TARGET, way, NULL);
		assert_ok(idm_umount(AT_FDCWD, TARGET, IDM_UMOUNT_RECURSIVE, &err), &err);
		assert_error(apply_at(plan, TARGET, way, JOURNAL, &err), -ENOENT, &err,
			     "/proc/sys/kernel/random/boot_id", "read boot id", NULL);
		assert_int_equal(access(JOURNAL, F_OK), -1);
	}
}

TEST(without_a_proc)
{
	enter_image();
	in_child(without_proc, NULL);
}

/* The mounts are attached when the last call fails: they have to go again, also without a /proc. */
static void fail_at_the_end(void *arg)
{
	AUTO_PLAN struct idm_plan *plan = some_plan("shared", NULL);
	struct idm_error err;

	(void)arg;
	cover_proc();
	refuse_call(SYS_mount_setattr, EIO);
	assert_error(apply_at(plan, TARGET, 0, NULL, &err), -EIO, &err, "tmpfs on /etc",
		     "set propagation", NULL);
	assert_int_equal(access(TARGET "/bin", F_OK), -1);
}

TEST(a_late_failure_without_a_proc)
{
	enter_image();
	if (kernel_is_before(6, 15)) /* the call is needed earlier */
		return;
	in_child(fail_at_the_end, NULL);
}

/* ---- in a user namespace ---- */

static void in_userns(void *arg)
{
	AUTO_PLAN struct idm_plan *plan = some_plan(NULL), *mapped = plan_new(), *proc = some_plan(NULL);
	struct snapshot *before;
	struct idm_error err;

	(void)arg;
	enter_userns("0 0 1000\n");
	must(unshare(CLONE_NEWNS));
	before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
	plan_step(mapped, "bind", ROOT, "/", "uidmap=0:1:10", "gidmap=0:1:10", NULL);
	plan_step(proc, "proc", NULL, "/etc", NULL);
	EACH_WAY(way)
	{
		apply(plan, TARGET, way, JOURNAL);
		undo(JOURNAL);
		assert_error(apply_at(mapped, TARGET, way, JOURNAL, &err), -EPERM, &err, ROOT,
			     "map tree", "the user namespace that mounted the filesystem");
		assert_error(apply_at(proc, TARGET, way, JOURNAL, &err), -EPERM, &err, "proc",
			     "mount filesystem", NULL);
		assert_contains(err.hint, "of namespaces it owns");
	}
	snapshot_assert_same(before);
}

TEST(a_caller_in_a_user_namespace)
{
	enter_image();
	must(chmod(SCRATCH, 0755));
	in_child(in_userns, NULL);
}

/* ---- propagation ---- */

static int open_plan(const struct idm_plan *plan, size_t way, struct idm_error *err)
{
	struct idm_plan_apply_options o = IDM_PLAN_APPLY_OPTIONS_INIT;

	o.flags = (unsigned int)way;
	return idm_plan_open(plan, &o, err);
}

TEST(propagation_of_a_detached_plan)
{
	static const struct {
		const char *root, *word;
		bool works;
	} tries[] = {
		{ "rw", "private", true },	 { "rw", "rslave", true },
		{ "rw", "shared", false },	 { "rw", "unbindable", false },
		{ "shared", "private", true },	 { "rshared", "shared", true },
		{ "rshared", "private", false },
	};

	enter_image();
	EACH_WAY(way)
	for (size_t i = 0; i < ARRAY_SIZE(tries); i++) {
		AUTO_PLAN struct idm_plan *plan = plan_new();
		struct idm_error err;
		int tree;

		plan_step(plan, "bind", ROOT, "/", tries[i].root, NULL);
		plan_step(plan, "tmpfs", NULL, "/etc", tries[i].word, NULL);
		tree = open_plan(plan, way, &err);
		if (!tries[i].works) {
			assert_error(tree, -EOPNOTSUPP, &err, "tmpfs on /etc", "set propagation",
				     "detached");
			continue;
		}
		assert_ok(tree, &err);
		attach_at(tree, TARGET);
		assert_int_equal(mount_at(TARGET).propagation,
				 *tries[i].root == 'r' && tries[i].root[1] == 'w'
					 ? IDM_PROPAGATION_PRIVATE
					 : IDM_PROPAGATION_SHARED);
		must(close(tree));
		unmount_target();
	}
}

static void make_shared(const char *path)
{
	scratch_dir(path);
	do_mount("shared", path, "tmpfs", 0, NULL);
	do_mount(NULL, path, NULL, MS_SHARED, NULL);
}

/* What is mounted in the source afterwards appears in a slave, and in nothing else. */
TEST(a_slave_is_one_of_its_source)
{
	static const struct {
		const char *word;
		int there;
	} tries[] = { { "rslave", 0 }, { "slave", 0 }, { "rprivate", -1 }, { "rw", -1 } };

	enter_image();
	make_shared(SCRATCH "/volume");
	must(mkdir(SCRATCH "/volume/later", 0755));
	EACH_WAY(way)
	for (size_t i = 0; i < ARRAY_SIZE(tries); i++) {
		AUTO_PLAN struct idm_plan *plan = plan_new();

		plan_step(plan, "bind", ROOT, "/", NULL);
		plan_step(plan, "bind", SCRATCH "/volume", "/etc", "rbind", tries[i].word, NULL);
		apply(plan, TARGET, way, NULL);
		do_mount("later", SCRATCH "/volume/later", "tmpfs", 0, NULL);
		scratch_file(SCRATCH "/volume/later/file", "");
		assert_int_equal(access(TARGET "/etc/later/file", F_OK), tries[i].there);
		do_umount(SCRATCH "/volume/later");
		unmount_target();
	}
}

/* The option is for its own mount, also where another is on the same place. */
TEST(propagation_of_what_is_covered)
{
	AUTO_PLAN struct idm_plan *plan = some_plan("shared", NULL);

	enter_image();
	plan_step(plan, "tmpfs", NULL, "/etc", NULL);
	EACH_WAY(way)
	{
		struct snapshot *before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
		struct idm_error err;

		if (way == IDM_PLAN_APPLY_IN_NAMESPACE) {
			assert_error(apply_at(plan, TARGET, way, JOURNAL, &err), -EOPNOTSUPP, &err,
				     "tmpfs on /etc", "set propagation", "covers it");
		} else {
			apply(plan, TARGET, way, JOURNAL);
			assert_int_equal(mount_at(TARGET "/etc").propagation, IDM_PROPAGATION_PRIVATE);
			do_umount(TARGET "/etc");
			assert_int_equal(mount_at(TARGET "/etc").propagation, IDM_PROPAGATION_SHARED);
			undo(JOURNAL);
		}
		snapshot_assert_same(before);
	}
}

/* ---- peers ---- */

static void have_own_mounts(void *arg)
{
	(void)arg;
	must(unshare(CLONE_NEWNS));
}

static size_t mounts_of(const struct neighbour *n, const char *path)
{
	char name[64], *line = NULL;
	size_t size = 0, found = 0;
	FILE *file;

	snprintf(name, sizeof(name), "/proc/%d/mountinfo", (int)n->pid);
	file = fopen(name, "re");
	assert_non_null(file);
	while (getline(&line, &size, file) > 0)
		found += strstr(line, path) != NULL;
	free(line);
	fclose(file);
	return found;
}

/* Nothing stays in another namespace that got a copy of what was attached below a shared mount. */
TEST(peers_in_another_namespace)
{
	static const char *const words[] = { "rw",    "private",    "rprivate",
					     "slave", "unbindable", "rshared" };
	struct neighbour n;

	enter_image();
	make_shared(SCRATCH "/shared");
	must(mkdir(SCRATCH "/shared/target", 0755));
	n = neighbour_start(have_own_mounts, NULL);
	EACH_WAY(way)
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		AUTO_PLAN struct idm_plan *plan = plan_new();
		struct snapshot *before = snapshot_take(SNAPSHOT_MOUNTS | SNAPSHOT_FDS | SNAPSHOT_FILES);

		add_flags = IDM_PLAN_ADD_MKDIR;
		plan_step(plan, "bind", ROOT, "/", words[i], NULL);
		plan_step(plan, "tmpfs", NULL, "/etc", NULL);
		plan_step(plan, "tmpfs", NULL, "/made/it", NULL);
		apply(plan, SCRATCH "/shared/target", way, JOURNAL);
		must(access(SCRATCH "/shared/target/bin/sh", F_OK));
		/* A private target is private: others see only the directory that was there before.
		 */
		assert_int_equal(mounts_of(&n, "/shared/target"),
				 strcmp(words[i], "rw") == 0 || strcmp(words[i], "rshared") == 0 ? 3
												 : 1);
		undo(JOURNAL);
		assert_int_equal(mounts_of(&n, "/shared/target"), 0);
		snapshot_assert_same(before);
	}
	neighbour_end(&n);
}

static void refuse_listing(void *arg)
{
	AUTO_PLAN struct idm_plan *plan = some_plan("private", NULL);
	struct idm_error err;

	(void)arg;
	/* Without listmount(2), from which the listing is tried first: here, in the last step. */
	refuse_call_with(SYS_fsync, ~0U, EIO);
	assert_error(apply_at(plan, SCRATCH "/shared/target", 0, JOURNAL, &err), -EIO, &err, JOURNAL,
		     "write journal", NULL);
}

TEST(peers_and_a_failure)
{
	struct snapshot *before;
	struct neighbour n;

	enter_image();
	make_shared(SCRATCH "/shared");
	must(mkdir(SCRATCH "/shared/target", 0755));
	n = neighbour_start(have_own_mounts, NULL);
	before = snapshot_take(SNAPSHOT_MOUNTS | SNAPSHOT_FILES);
	in_child(refuse_listing, NULL);
	assert_int_equal(mounts_of(&n, "/shared/target"), 0);
	snapshot_assert_same(before);
	neighbour_end(&n);
}

/* ---- loop devices ---- */

TEST(loop_devices_that_are_not_in_dev)
{
	AUTO_PLAN struct idm_plan *plan = plan_new();
	struct idm_error err;

	enter_image();
	scratch_filesystem("ext4", SCRATCH "/made", ROOT);
	do_umount_idle(SCRATCH "/made");
	plan_step(plan, "ext4", SCRATCH "/made.ext4", "/", "loop", NULL);
	do_mount("none", "/dev", "tmpfs", 0, NULL);
	assert_error(apply_at(plan, TARGET, 0, NULL, &err), -ENOENT, &err, "/dev/loop-control",
		     "make loop device", NULL);
	must(mknod("/dev/loop-control", S_IFCHR | 0600, makedev(10, 237)));
	assert_error(apply_at(plan, TARGET, 0, NULL, &err), -ENOENT, &err, "/dev/loop",
		     "make loop device", "/dev lacks it");
	do_umount("/dev");
}

/* ---- journals ---- */

TEST(a_journal_on_a_full_or_read_only_filesystem)
{
	AUTO_PLAN struct idm_plan *plan = plan_new();
	struct snapshot *before;
	char target[200];
	struct idm_error err;

	enter_image();
	scratch_dir(SCRATCH "/small");
	do_mount("small", SCRATCH "/small", "tmpfs", 0, "size=4k");
	plan_step(plan, "tmpfs", NULL, "/", NULL);
	for (int i = 0; i < 60; i++) {
		snprintf(target, sizeof(target), "/%0100d", i);
		plan_step(plan, "tmpfs", NULL, target, NULL);
	}
	before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
	EACH_WAY(way)
	assert_error(apply_at(plan, SCRATCH "/new/target", way | IDM_PLAN_APPLY_MKDIR,
			      SCRATCH "/small/journal", &err),
		     -ENOSPC, &err, SCRATCH "/small/journal", "write journal", NULL);
	snapshot_assert_same(before);
	do_mount(NULL, SCRATCH "/small", NULL, MS_REMOUNT | MS_RDONLY, NULL);
	assert_error(apply_at(plan, TARGET, IDM_PLAN_APPLY_MKDIR, SCRATCH "/small/journal", &err),
		     -EROFS, &err, SCRATCH "/small/journal", "write journal", NULL);
}

/* A journal's paths are whole, whatever the working directory is when it is undone. */
TEST(a_relative_journal_and_target)
{
	AUTO_PLAN struct idm_plan *plan = some_plan(NULL);
	struct snapshot *before;

	enter_image();
	before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
	must(chdir(SCRATCH "/store"));
	apply(plan, "../new/target", IDM_PLAN_APPLY_MKDIR, "journal");
	must(chdir("/"));
	undo(SCRATCH "/store/journal");
	snapshot_assert_same(before);
}

/* ---- missing targets in a namespace ---- */

/* In a PID namespace of its own, where no other process gets numbers. */
static pid_t next_number(void)
{
	pid_t pid = (pid_t)must(fork());

	if (pid == 0)
		_exit(0);
	must(waitpid(pid, NULL, 0));
	return pid;
}

static void apply_in_namespace(const struct idm_plan *plan)
{
	struct idm_plan_apply_options o = IDM_PLAN_APPLY_OPTIONS_INIT;
	struct idm_error err;

	o.flags = IDM_PLAN_APPLY_IN_NAMESPACE | IDM_PLAN_APPLY_MKDIR;
	assert_ok(idm_plan_apply(plan, AT_FDCWD, TARGET, &o, &err), &err);
}

/* One child finds that a target is missing. Another one finds that of the mount on that. */
static void count_children_of_missing_targets(void *data)
{
	static const char *const targets[] = { "/dev",	 "/dev/pts", "/dev/shm", "/dev/mqueue",
					       "/vol/1", "/vol/2",   "/vol/2/3", "/etc" };
	AUTO_PLAN struct idm_plan *plan = plan_new();
	struct stat root, st;
	pid_t before;

	(void)data;
	plan_step(plan, "bind", ROOT, "/", NULL);
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++)
		plan_step(plan, "tmpfs", NULL, targets[i], NULL);
	before = next_number();
	apply_in_namespace(plan);
	/* /dev, /dev/pts and the five behind it, /vol/2/3 and /etc. */
	assert_int_equal(next_number() - before - 1, 4);
	must(stat(TARGET, &root));
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		char path[64];

		snprintf(path, sizeof(path), TARGET "%s", targets[i]);
		must(stat(path, &st));
		assert_true(st.st_dev != root.st_dev);
	}
	unmount_target();
	assert_int_equal(access(ROOT "/dev/pts", F_OK), -1);
	assert_int_equal(access(ROOT "/vol/2/3", F_OK), -1);
}

TEST(missing_targets_do_not_cost_a_child_each)
{
	enter_image();
	in_pid_namespace(count_children_of_missing_targets, NULL);
}

/* A root alone is one tree, which no child has to assemble. */
static void count_children_of_plans(void *data)
{
	static const int sizes[] = { 1, 2, 30 };

	(void)data;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		AUTO_PLAN struct idm_plan *plan = plan_new();
		pid_t before;

		plan_step(plan, "bind", ROOT, "/", NULL);
		for (int n = 1; n < sizes[i]; n++) {
			char target[16];

			snprintf(target, sizeof(target), "/%d", n);
			plan_step(plan, n % 2 ? "tmpfs" : "bind", n % 2 ? "tmpfs" : ROOT "/etc", target,
				  NULL);
		}
		before = next_number();
		apply_in_namespace(plan);
		assert_int_equal(next_number() - before - 1, sizes[i] > 1);
		unmount_target();
	}
}

TEST(one_child_assembles_a_plan_in_a_namespace)
{
	enter_image();
	for (int n = 1; n < 30; n++) {
		char path[64];

		snprintf(path, sizeof(path), ROOT "/%d", n);
		scratch_dir(path);
	}
	in_pid_namespace(count_children_of_plans, NULL);
}

/* The last one is on the mount before, however the text of that target leads there. */
TEST(a_target_is_not_created_below_a_mount_that_will_cover_it)
{
	static const char *const texts[] = { "/etc/dir", "/in/dir", "/etc//dir", "/etc/./dir" };

	enter_image();
	scratch_dir(ROOT "/etc/dir");
	must(symlink("/etc", ROOT "/in"));
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		AUTO_PLAN struct idm_plan *plan = plan_new();

		plan_step(plan, "bind", ROOT, "/", NULL);
		plan_step(plan, "tmpfs", NULL, "/new", NULL);
		plan_step(plan, "tmpfs", NULL, texts[i], NULL);
		plan_step(plan, "tmpfs", NULL, "/etc/dir/below", NULL);
		apply_in_namespace(plan);
		must(access(TARGET "/etc/dir/below", F_OK));
		unmount_target();
		assert_int_equal(access(ROOT "/etc/dir/below", F_OK), -1);
		must(rmdir(ROOT "/new"));
	}
}

/* What was created for targets behind the one that fails. */
TEST(targets_that_were_created_ahead_are_removed_again)
{
	AUTO_PLAN struct idm_plan *plan = plan_new();
	struct idm_plan_apply_options o = IDM_PLAN_APPLY_OPTIONS_INIT;
	struct snapshot *before;
	struct idm_error err;

	enter_image();
	scratch_file(ROOT "/file", "");
	plan_step(plan, "bind", ROOT, "/", NULL);
	plan_step(plan, "tmpfs", NULL, "/a/1", NULL);
	plan_step(plan, "tmpfs", NULL, "/a/2", NULL);
	plan_step(plan, "tmpfs", NULL, "/b", NULL);
	plan_step(plan, "tmpfs", NULL, "/file", NULL);
	o.flags = IDM_PLAN_APPLY_IN_NAMESPACE | IDM_PLAN_APPLY_MKDIR;
	before = snapshot_take(SNAPSHOT_ALL);
	assert_error(idm_plan_apply(plan, AT_FDCWD, TARGET, &o, &err), -ENOTDIR, &err, "file", NULL,
		     NULL);
	snapshot_assert_same(before);
	assert_int_equal(access(ROOT "/a", F_OK), -1);
	assert_int_equal(access(ROOT "/b", F_OK), -1);
}

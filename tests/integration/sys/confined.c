// SPDX-License-Identifier: MIT
/*
 * A caller that a seccomp filter or Landlock confines hears what refuses which call, and nothing is left
 * behind that could not be taken away again.
 */
#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/macros.h"
#include "lib/sys/raw-syscall.h"
#include "lib/userns/userns-child.h"
#include "tests/integration/check/checks.h"
#include "tests/integration/spawn/children.h"

#define SOURCE SCRATCH "/source"
#define TARGET SCRATCH "/target"

static void enter(void)
{
	scratch_enter();
	mount_mappable(SOURCE);
	scratch_dir(TARGET);
}

static void assert_opens(unsigned int flags)
{
	AUTO_MAP struct idm_map *map = map_of("0:100000:65536");
	struct idm_error err;
	AUTO_CLOSE int fd = (int)assert_ok(idm_userns_open(map, flags, &err), &err);

	assert_true(fd >= 0);
}

static struct idm_error refused_namespace(unsigned int flags)
{
	AUTO_MAP struct idm_map *map = map_of("0:100000:65536");
	struct idm_error err;
	int r = idm_userns_open(map, flags, &err);

	if (r >= 0)
		fail_msg("the namespace was made");
	assert_int_equal(err.errnum, -r);
	return err;
}

/* ---- waitid ---- */

static void assert_names_waitid(const struct idm_error *err)
{
	assert_contains(err->message, "a seccomp filter refuses waitid(2)");
	assert_contains(err->hint, "waitid");
}

static const unsigned int ways[] = { 0, IDM_USERNS_ZOMBIE, IDM_USERNS_LIVE, IDM_USERNS_OWN_MEMORY };

/* A child that cannot be reaped is not started. */
TEST_ANYWHERE(without_waitid_no_child_is_started)
{
	struct idm_child_options o = SCRIPT("true");
	AUTO_MAP struct idm_map *map = map_of("");
	struct snapshot *before;
	struct idm_reaper *reaper;
	struct idm_error err;
	AUTO_CLOSE int userns = -1;

	need_root();
	userns = userns_of("0:100000:65536");
	assert_ok(idm_reaper_new(&reaper, &err), &err);
	refuse_call(SYS_statmount, ENOSYS); /* by which Linux 7.0 reads a map without a child */
	refuse_call(SYS_waitid, EPERM);
	before = snapshot_take(SNAPSHOT_FDS | SNAPSHOT_PROCESSES);
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		err = refused_namespace(ways[i]);
		assert_names_waitid(&err);
	}
	assert_true(idm_map_add_userns(map, userns, &err) < 0);
	assert_names_waitid(&err);
	assert_true(idm_child_start(&o, &err) < 0);
	assert_names_waitid(&err);
	assert_true(idm_reaper_start_forkserver(reaper, 0, NULL, &err) < 0);
	assert_names_waitid(&err);
	snapshot_assert_same(before);
	idm_reaper_free(reaper);
}

typedef int call_that_waits(struct idm_error *err);

static int open_overlay(struct idm_error *err)
{
	AUTO_MAP struct idm_map *map = map_of("0:100000:65536");
	const struct idm_path lower[] = { { AT_FDCWD, SOURCE }, { AT_FDCWD, TARGET } };
	struct idm_overlay_options o = IDM_OVERLAY_OPTIONS_INIT;

	o.map = map;
	o.lower = lower;
	o.n_lower = ARRAY_SIZE(lower);
	return idm_overlay_open(&o, err);
}

static int open_plan_in_namespace(struct idm_error *err)
{
	struct idm_plan_apply_options o = IDM_PLAN_APPLY_OPTIONS_INIT;
	struct idm_plan_add_options m = IDM_PLAN_ADD_OPTIONS_INIT;
	struct idm_plan *plan;
	int r;

	m.type = "bind";
	m.source = SOURCE;
	assert_ok(idm_plan_new(&plan), NULL);
	assert_ok(idm_plan_add(plan, &m, NULL), NULL);
	m.target = "/below";
	assert_ok(idm_plan_add(plan, &m, NULL), NULL);
	o.flags = IDM_PLAN_APPLY_IN_NAMESPACE;
	r = idm_plan_open(plan, &o, err);
	idm_plan_free(plan);
	return r;
}

static int open_staging(struct idm_error *err)
{
	return idm_staging_open(0, err);
}

static int open_userns(struct idm_error *err)
{
	AUTO_MAP struct idm_map *map = map_of("0:100000:65536");

	return idm_userns_open(map, 0, err);
}

static int other_userns;

static int read_other_userns(struct idm_error *err)
{
	AUTO_MAP struct idm_map *map = map_of("");

	return idm_map_add_userns(map, other_userns, err);
}

static int start_child(struct idm_error *err)
{
	struct idm_child_options o = SCRIPT("true");

	return idm_child_start(&o, err);
}

static void call_without_waitid(void *errnum)
{
	static call_that_waits *const calls[] = { open_overlay, open_plan_in_namespace, open_staging,
						  open_userns,	read_other_userns,	start_child };
	struct snapshot *before;

	refuse_call(SYS_statmount, ENOSYS); /* by which Linux 7.0 reads a map without a child */
	refuse_call(SYS_waitid, *(const int *)errnum);
	before = snapshot_take(SNAPSHOT_FDS | SNAPSHOT_PROCESSES);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		struct idm_error err;

		assert_int_equal(calls[i](&err), -ENOSYS);
		assert_names_waitid(&err);
	}
	snapshot_assert_same(before);
}

/* Else it would be a missing privilege in some functions, and an old kernel in others. */
TEST(without_waitid_all_functions_have_one_errno)
{
	int errnums[] = { EPERM, EACCES, ENOSYS };

	enter();
	scratch_dir(SOURCE "/below");
	other_userns = userns_of("0:100000:65536");
	for (size_t i = 0; i < ARRAY_SIZE(errnums); i++)
		in_child(call_without_waitid, &errnums[i]);
	close(other_userns);
}

/*
 * A filter whose errno is the kernel's own cannot be told before. The child is not killed by signal
 * either: it ends by itself, later than the call would be over. Its memory must exist until then.
 */
static void end_late(enum idm_userns_child_way way)
{
	struct idm_userns_child child;
	siginfo_t info;

	assert_ok(idm_userns_child_start(&child, way), NULL);
	assert_int_equal(idm_userns_child_end(&child), -EINVAL);
	assert_int_equal(child.pidfd, -1);
	memset(&info, 0, sizeof(info));
	assert_int_equal(must(syscall(SYS_wait4, child.number, &info.si_status, __WALL, NULL)),
			 child.number);
	assert_int_equal(info.si_status, 0); /* not killed by SIGSEGV */
}

static void refuse_the_end(void *unused)
{
	(void)unused;
	refuse_call(SYS_waitid, EINVAL);
	refuse_call_where(SYS_pidfd_send_signal, 1, SIGKILL, EPERM);
	for (int i = 0; i < 20; i++) {
		end_late(IDM_USERNS_CHILD_LIVE);
		if (IDM_RAW_HAS_ASSEMBLY)
			end_late(IDM_USERNS_CHILD_OWN);
	}
}

TEST_ANYWHERE(the_stack_stays_until_the_child_has_left_it)
{
	need_root();
	in_child(refuse_the_end, NULL);
}

static void refuse_waitid_as_the_kernel(void *unused)
{
	struct idm_error err;

	(void)unused;
	refuse_call(SYS_waitid, EINVAL);
	err = refused_namespace(0);
	assert_contains(err.message, "reap the child: waitid(2) fails");
	must(syscall(SYS_wait4, -1, NULL, __WALL, NULL));
}

TEST_ANYWHERE(a_failing_waitid_is_named)
{
	need_root();
	in_child(refuse_waitid_as_the_kernel, NULL);
}

/* ---- other calls ---- */

static void without_call(long number, const char *name)
{
	static const int errnos[] = { EPERM, ENOSYS };

	for (size_t i = 0; i < ARRAY_SIZE(errnos); i++) {
		struct snapshot *before = snapshot_take(SNAPSHOT_FDS | SNAPSHOT_PROCESSES);
		struct idm_error err;
		char said[64];

		refuse_call(number, errnos[i]);
		err = refused_namespace(0);
		snprintf(said, sizeof(said), "a seccomp filter refuses %s(2)", name);
		assert_contains(err.message, said);
		assert_contains(err.hint, name);
		snapshot_assert_same(before);
	}
}

TEST_ANYWHERE(without_openat2)
{
	need_root();
	without_call(SYS_openat2, "openat2");
}

TEST_ANYWHERE(without_pidfd_send_signal)
{
	need_root();
	without_call(SYS_pidfd_send_signal, "pidfd_send_signal");
}

TEST(without_openat2_a_target_cannot_be_resolved)
{
	AUTO_FD int tree = -1;
	struct idm_error err;
	AUTO_FD int root = -1;

	enter();
	tree = tree_of(SOURCE, "0:1000:1");
	root = (int)must(open(SCRATCH, O_PATH | O_CLOEXEC));
	refuse_call(SYS_openat2, EPERM);
	assert_error(idm_tree_attach(tree, root, "target",
				     ATTACH(IDM_ATTACH_IN_ROOT, IDM_PROPAGATION_DEFAULT), &err),
		     -EPERM, &err, "target", NULL, "a seccomp filter refuses openat2(2)");
}

static void attach_is_refused(const char *reason, const char *hint)
{
	AUTO_FD int tree = tree_of(SOURCE, "0:1000:1");
	struct checked x = check(SOURCE, 0);
	struct idm_error err;
	int r;

	assert_error(idm_tree_attach(tree, AT_FDCWD, TARGET, NULL, &err), -EPERM, &err, TARGET, "attach",
		     reason);
	assert_contains(err.hint, hint);
	/* Before Linux 6.5 the kernel refuses a replacement before it asks a security module. */
	r = idm_tree_attach(tree, AT_FDCWD, SOURCE, ATTACH(IDM_ATTACH_REPLACE, IDM_PROPAGATION_DEFAULT),
			    &err);
	if (r == -EPERM || !kernel_is_before(6, 5))
		assert_error(r, -EPERM, &err, SOURCE, "attach", reason);
	else
		assert_error(r, -EOPNOTSUPP, &err, SOURCE, "attach", "needs Linux 6.5");
	/* The check knows it before. */
	assert_int_equal(x.r, 0);
	assert_false(x.c.mappable);
	assert_error(-x.e.errnum, -EPERM, &x.e, SOURCE, "attach", reason);
	assert_contains(x.e.hint, hint);
}

TEST(without_move_mount)
{
	enter();
	refuse_call(SYS_move_mount, EPERM);
	attach_is_refused("a seccomp filter refuses move_mount(2)", "move_mount");
}

TEST(without_umount)
{
	static const int errnos[] = { EPERM, ENOSYS };
	AUTO_FD int tree = -1;
	struct idm_error err;

	enter();
	tree = tree_of(SOURCE, "0:1000:1");
	for (size_t i = 0; i < ARRAY_SIZE(errnos); i++) {
		refuse_call(SYS_umount2, errnos[i]);
		assert_error(idm_umount(AT_FDCWD, SOURCE, 0, &err), -errnos[i], &err, SOURCE, "unmount",
			     "a seccomp filter refuses umount2(2)");
		assert_contains(err.hint, "umount2");
		/* A mount beneath one that cannot be taken away is not made. */
		assert_error(idm_tree_attach(tree, AT_FDCWD, SOURCE,
					     ATTACH(IDM_ATTACH_REPLACE, IDM_PROPAGATION_DEFAULT), &err),
			     -errnos[i], &err, SOURCE, "attach", "a seccomp filter refuses umount2(2)");
	}
}

static void attach_without_privilege(void *unused)
{
	AUTO_FD int tree = tree_of(SOURCE, "0:1000:1");
	struct idm_error err;

	(void)unused;
	become_user(1000, 1000);
	assert_error(idm_tree_attach(tree, AT_FDCWD, TARGET, NULL, &err), -EPERM, &err, TARGET, "attach",
		     "it requires CAP_SYS_ADMIN");
	assert_error(idm_umount(AT_FDCWD, SOURCE, 0, &err), -EPERM, &err, SOURCE, "unmount",
		     "it requires CAP_SYS_ADMIN");
}

/* It is said to those alone who have not got it. */
TEST(without_privilege)
{
	enter();
	in_child(attach_without_privilege, NULL);
}

/* ---- a child's calls ---- */

/* In a root of its own and, if there is a map, another user namespace. */
static void assert_not_started(const struct idm_map *map, int code, const char *step, const char *reason)
{
	struct idm_child_options o = SCRIPT("true");
	AUTO_FD int root = new_root();
	struct snapshot *before;
	struct idm_error err;

	o.namespaces = IDM_NS_MOUNT | IDM_NS_PID;
	o.map = map;
	o.root_fd = root;
	before = snapshot_take(SNAPSHOT_ALL);
	assert_error(idm_child_start(&o, &err), code, &err, NULL, step, reason);
	assert_true(*err.hint);
	snapshot_assert_same(before);
}

static const struct {
	long number;
	const char *step, *name;
} child_calls[] = {
	{ SYS_mount, "separate the mount namespace", "mount" },
	{ SYS_move_mount, "attach root", "move_mount" },
	{ SYS_pivot_root, "pivot to root", "pivot_root" },
	{ SYS_umount2, "detach the old root", "umount2" },
	{ SYS_memfd_create, NULL, "memfd_create" },
	{ SYS_pidfd_open, "start program", "pidfd_open" },
	{ SYS_setns, "join user namespace", "setns" },
	{ SYS_unshare, "make namespaces", "unshare" },
};

struct refusal {
	size_t call;
	int errnum;
	bool with_map;
};

static void start_without(void *data)
{
	const struct refusal *r = data;
	AUTO_MAP struct idm_map *map = map_of("0:0:1");
	char said[64];

	refuse_call(child_calls[r->call].number, r->errnum);
	snprintf(said, sizeof(said), "a seccomp filter refuses %s(2)", child_calls[r->call].name);
	assert_not_started(r->with_map ? map : NULL, -r->errnum, child_calls[r->call].step, said);
}

/* Without a map no user namespace is joined, and the child is found by its own pidfd. */
static bool is_called(const struct refusal *r)
{
	long number = child_calls[r->call].number;

	return r->with_map || (number != SYS_setns && number != SYS_pidfd_open);
}

TEST_SINCE(5, 12, trees_are_refused, a_child_says_which_call_a_filter_refuses)
{
	static const int errnos[] = { EPERM, ENOSYS };

	make_root();
	for (size_t i = 0; i < ARRAY_SIZE(child_calls) * 4; i++) {
		struct refusal r = { i / 4, errnos[i % 2], i / 2 % 2 };

		if (is_called(&r))
			in_child(start_without, &r);
	}
}

/* ---- Landlock ---- */

/* From here on these accesses are refused everywhere, and so is every change of mounts. */
static void enter_landlock(uint64_t accesses)
{
	struct landlock_ruleset_attr attr = { .handled_access_fs = accesses };
	long ruleset = syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr.handled_access_fs), 0U);

	if (ruleset < 0)
		skip_test("no Landlock: %s", strerror(errno));
	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	must(syscall(SYS_landlock_restrict_self, ruleset, 0U));
	must(close((int)ruleset));
}

TEST(landlock_refuses_to_attach)
{
	struct idm_error err;

	enter();
	enter_landlock(LANDLOCK_ACCESS_FS_MAKE_CHAR);
	attach_is_refused("a security module refuses move_mount(2)", "Landlock");
	assert_error(idm_umount(AT_FDCWD, SOURCE, 0, &err), -EPERM, &err, SOURCE, "unmount",
		     "a security module refuses umount2(2)");
}

TEST(without_move_mount_as_if_it_were_not_there)
{
	static const unsigned int ways_to_attach[] = { 0, IDM_ATTACH_REPLACE };
	AUTO_FD int tree = -1;
	struct idm_error err;

	enter();
	tree = tree_of(SOURCE, "0:1000:1");
	refuse_call(SYS_move_mount, ENOSYS);
	for (size_t i = 0; i < ARRAY_SIZE(ways_to_attach); i++) {
		assert_error(idm_tree_attach(tree, AT_FDCWD, SOURCE,
					     ATTACH(ways_to_attach[i], IDM_PROPAGATION_DEFAULT), &err),
			     -ENOSYS, &err, SOURCE, "attach", "a seccomp filter refuses move_mount(2)");
		assert_contains(err.hint, "move_mount");
	}
}

TEST_SINCE(5, 12, trees_are_refused, landlock_refuses_a_child_its_mounts)
{
	AUTO_MAP struct idm_map *map = map_of("0:0:1");

	make_root();
	enter_landlock(LANDLOCK_ACCESS_FS_MAKE_CHAR);
	for (int with_map = 0; with_map < 2; with_map++)
		assert_not_started(with_map ? map : NULL, -EPERM, "separate the mount namespace",
				   "a security module refuses mount(2)");
}

static void open_closed_overlay(void *unused)
{
	static const struct idm_path lower = { AT_FDCWD, TARGET "/lower" },
				     upper = { AT_FDCWD, TARGET "/upper" },
				     work = { AT_FDCWD, TARGET "/work" };
	struct idm_overlay_options o = IDM_OVERLAY_OPTIONS_INIT;
	struct idm_error err;

	(void)unused;
	scratch_dir(lower.path);
	scratch_dir(upper.path);
	scratch_dir(work.path);
	o.lower = &lower;
	o.n_lower = 1;
	o.upper = &upper;
	o.work = &work;
	enter_landlock(LANDLOCK_ACCESS_FS_READ_DIR);
	if (!kernel_is_before(6, 15))
		assert_error(idm_overlay_open(&o, &err), -EACCES, &err, NULL, "open overlay",
			     "a security module such as Landlock");
	o.flags = IDM_OVERLAY_IN_NAMESPACE;
	assert_error(idm_overlay_open(&o, &err), -EPERM, &err, NULL, "enter a mount namespace",
		     "a security module refuses mount(2)");
	assert_contains(err.hint, "Landlock");
	assert_error(idm_staging_open(0, &err), -EPERM, &err, NULL, "open staging namespace",
		     "a security module refuses mount(2)");
}

TEST(landlock_closes_the_directories_of_an_overlay)
{
	enter();
	do_mount("layers", TARGET, "tmpfs", 0, NULL);
	in_child(open_closed_overlay, NULL);
}

TEST(landlock_takes_features_away)
{
	need_root();
	assert_feature("mount-api", 0);
	enter_landlock(LANDLOCK_ACCESS_FS_MAKE_CHAR);
	assert_feature("mount-api", EPERM);
	if (!kernel_is_before(6, 5))
		assert_feature("move-mount-beneath", EPERM);
	assert_feature("idmapped-mounts", 0);
}

TEST(landlock_refuses_a_plan)
{
	struct idm_plan_add_options m = IDM_PLAN_ADD_OPTIONS_INIT;
	static const char *const words[] = { "bind" };
	struct idm_plan *plan;
	struct idm_error err;

	enter();
	scratch_dir(SOURCE "/below");
	assert_ok(idm_plan_new(&plan), NULL);
	m.source = SOURCE;
	m.options = words;
	m.n_options = 1;
	assert_ok(idm_plan_add(plan, &m, &err), &err);
	m.target = "below";
	assert_ok(idm_plan_add(plan, &m, &err), &err);
	enter_landlock(LANDLOCK_ACCESS_FS_MAKE_CHAR);
	if (!kernel_is_before(6, 15))
		assert_error(idm_plan_open(plan, NULL, &err), -EPERM, &err, NULL, "attach",
			     "a security module refuses move_mount(2)");
	assert_error(idm_plan_apply(plan, AT_FDCWD, TARGET, NULL, &err), -EPERM, &err, NULL, NULL, NULL);
	idm_plan_free(plan);
}

static void no_landlock(void)
{
	untried("there is no Landlock");
}

/* A namespace needs no change of mounts. */
TEST_SINCE(5, 13, no_landlock, landlock_lets_namespaces_be_made)
{
	need_root();
	enter_landlock(LANDLOCK_ACCESS_FS_MAKE_CHAR);
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
		assert_opens(ways[i]);
}

TEST_SINCE(5, 13, no_landlock, landlock_closes_proc)
{
	static const uint64_t accesses[] = { LANDLOCK_ACCESS_FS_WRITE_FILE,
					     LANDLOCK_ACCESS_FS_READ_FILE };

	need_root();
	for (size_t i = 0; i < ARRAY_SIZE(accesses); i++) {
		struct idm_error err;

		enter_landlock(accesses[i]);
		err = refused_namespace(0);
		assert_int_equal(err.errnum, EACCES);
		assert_contains(err.message, "a security module such as Landlock denies");
		assert_contains(err.hint, "READ_FILE and WRITE_FILE");
	}
}

// SPDX-License-Identifier: MIT
/* Unmounting removes the requested mounts, and nothing else. */
#include <pthread.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#include "lib/base/macros.h"
#include "lib/mount/mount-nodes.h"
#include "trees.h"

#define SOURCE SCRATCH "/source"
#define TARGET SCRATCH "/target"

static void enter(void)
{
	scratch_enter();
	scratch_dir(SOURCE "/a/b");
	scratch_dir(TARGET);
}

static void pile_up(void)
{
	do_mount("0", TARGET, "tmpfs", 0, NULL);
	scratch_dir(TARGET "/a");
	do_mount("1", TARGET "/a", "tmpfs", 0, NULL);
	scratch_dir(TARGET "/a/b");
	do_mount("2", TARGET "/a/b", "tmpfs", 0, NULL);
	do_mount("3", TARGET "/a/b", "tmpfs", 0, NULL); /* one over the other */
	scratch_dir(TARGET "/c d\n");
	do_mount("4", TARGET "/c d\n", "tmpfs", 0, NULL);
}

TEST_ANYWHERE(the_top_mount_goes)
{
	struct idm_error err;

	enter();
	do_mount("lower", TARGET, "tmpfs", 0, NULL);
	scratch_file(TARGET "/lower", "");
	do_mount("upper", TARGET, "tmpfs", 0, NULL);
	assert_ok(idm_umount(AT_FDCWD, TARGET, 0, &err), &err);
	assert_int_equal(access(TARGET "/lower", F_OK), 0);
}

TEST_ANYWHERE(recursively_the_deepest_go_first)
{
	struct snapshot *before;
	struct idm_error err;

	enter();
	before = snapshot_take(SNAPSHOT_ALL);
	pile_up();
	assert_ok(idm_umount(AT_FDCWD, TARGET, IDM_UMOUNT_RECURSIVE, &err), &err);
	snapshot_assert_same(before);
}

/* Unmounting the mount on a peer also unmounts the copy of it on the other. */
TEST_ANYWHERE(recursively_what_went_with_its_peer_is_no_failure)
{
	struct idm_error err;

	enter();
	do_mount("top", TARGET, "tmpfs", 0, NULL);
	scratch_dir(TARGET "/x");
	scratch_dir(TARGET "/y");
	do_mount("x", TARGET "/x", "tmpfs", 0, NULL);
	do_mount(NULL, TARGET "/x", NULL, MS_SHARED, NULL);
	do_mount(TARGET "/x", TARGET "/y", NULL, MS_BIND, NULL);
	scratch_dir(TARGET "/x/s");
	do_mount("s", TARGET "/x/s", "tmpfs", 0, NULL);
	assert_ok(idm_umount(AT_FDCWD, TARGET, IDM_UMOUNT_RECURSIVE, &err), &err);
	assert_int_equal(access(TARGET "/x", F_OK), -1);
}

/* Mounts are listed in the order in which they were made, and not in that of being put there. */
TEST_ANYWHERE(recursively_an_older_mount_over_a_younger_one_goes_first)
{
	struct idm_error err;

	enter();
	do_mount("older", SOURCE, "tmpfs", 0, NULL);
	do_mount("top", TARGET, "tmpfs", 0, NULL);
	scratch_dir(TARGET "/a/b");
	do_mount("inner", TARGET "/a/b", "tmpfs", 0, NULL);
	do_mount(SOURCE, TARGET "/a", NULL, MS_MOVE, NULL);
	assert_ok(idm_umount(AT_FDCWD, TARGET, IDM_UMOUNT_RECURSIVE, &err), &err);
	assert_int_equal(access(TARGET "/a", F_OK), -1);
}

static void *unmount_recursively(void *result)
{
	*(int *)result = idm_umount(AT_FDCWD, TARGET, IDM_UMOUNT_RECURSIVE, NULL);
	return NULL;
}

/* The stack of a thread can be small, as in Go or Java. */
TEST_ANYWHERE(recursively_the_stack_does_not_grow_with_the_mounts)
{
	struct snapshot *before;
	pthread_attr_t small;
	pthread_t thread;
	int result = 1;

	enter();
	before = snapshot_take(SNAPSHOT_ALL);
	do_mount("top", TARGET, "tmpfs", 0, NULL);
	scratch_dir(TARGET "/x");
	for (int i = 0; i < 3000; i++)
		do_mount(SOURCE, TARGET "/x", NULL, MS_BIND, NULL);
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 128 * 1024);
	assert_int_equal(pthread_create(&thread, &small, unmount_recursively, &result), 0);
	pthread_join(thread, NULL);
	pthread_attr_destroy(&small);
	assert_int_equal(result, 0);
	snapshot_assert_same(before);
}

static void append_node(struct idm_mount_nodes *nodes, uint64_t id, uint64_t parent)
{
	const struct idm_mount_info mount = { .id = id, .parent_id = parent, .target = "" };

	assert_int_equal(idm_mount_nodes_append(&mount, nodes), 0);
}

/* Returns how many are marked, each of them before the one that it is on. */
static size_t count_marked_in_order(const struct idm_mount_nodes *nodes)
{
	size_t n = 0;

	for (size_t i = 0; i < nodes->n; i++) {
		struct idm_mount_node *node = nodes->v[i];
		const struct idm_mount_node *parent = idm_mount_nodes_parent(nodes, node);

		assert_true(!node->marked || !parent || parent->marked || parent->id == 1);
		n += node->marked;
		node->marked = false;
	}
	return n;
}

/* As a list can show it that is taken while mounts are moved. */
TEST_ANYWHERE(mounts_that_are_each_on_another_one_come_to_an_end)
{
	static const uint64_t on[][2] = { { 1, 0 }, { 2, 1 }, { 3, 2 }, { 2, 3 }, { 4, 5 },
					  { 5, 4 }, { 6, 6 }, { 7, 6 }, { 9, 8 } };
	struct idm_mount_nodes nodes = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(on); i++)
		append_node(&nodes, on[i][0], on[i][1]);
	idm_mount_nodes_sort(&nodes);
	assert_int_equal(nodes.n, 8);
	assert_int_equal(nodes.v[0]->id, 9);
	idm_mount_nodes_mark_below(&nodes, 1);
	assert_int_equal(count_marked_in_order(&nodes), 2);
	idm_mount_nodes_free(&nodes);
}

/*
 * Each is on the one behind it in the list, as after moves. To ask for each mount about each other one
 * would need 10^10 steps, and the test would not end in time if it was asked anew for each.
 */
TEST_WITHIN(mounts_that_were_moved_backwards_are_looked_at_once, TEST_SECONDS)
{
	const uint64_t n = 100000;
	struct idm_mount_nodes nodes = { 0 };

	for (uint64_t id = 2; id <= n; id++)
		append_node(&nodes, id, id < n ? id + 1 : 1);
	idm_mount_nodes_sort(&nodes);
	idm_mount_nodes_mark_below(&nodes, 1);
	assert_int_equal(nodes.v[0]->id, 2);
	assert_int_equal(count_marked_in_order(&nodes), n - 1);
	idm_mount_nodes_free(&nodes);
}

/* The loop device of a mount can be on a file in an older mount, which is busy as long. */
TEST_ANYWHERE(the_last_mount_on_which_none_is_goes_first)
{
	static const uint64_t on[][2] = { { 2, 1 }, { 3, 6 }, { 4, 2 }, { 5, 3 }, { 6, 1 }, { 7, 4 } };
	static const uint64_t order[] = { 7, 5, 4, 3, 6, 2 };
	struct idm_mount_nodes nodes = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(on); i++)
		append_node(&nodes, on[i][0], on[i][1]);
	idm_mount_nodes_sort(&nodes);
	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		assert_int_equal(nodes.v[i]->id, order[i]);
	idm_mount_nodes_free(&nodes);
}

/* ---- beside another process ---- */

struct held_unmount {
	long call; /* that waits */
	unsigned int flags;
	int listener, result;
	bool done;
};

static void *unmount_held(void *data)
{
	struct held_unmount *held = data;

	__atomic_store_n(&held->listener, hold_call(held->call), __ATOMIC_RELEASE);
	held->result = idm_umount(AT_FDCWD, TARGET, held->flags, NULL);
	__atomic_store_n(&held->done, true, __ATOMIC_RELEASE);
	return NULL;
}

/* Unmounts TARGET in a thread, and calls `act` before each of its calls that waits. */
static int unmount_beside(struct held_unmount held,
			  void (*act)(const struct seccomp_notif *call, void *data), void *data)
{
	pthread_t thread;

	held.listener = -1;
	assert_int_equal(pthread_create(&thread, NULL, unmount_held, &held), 0);
	while (__atomic_load_n(&held.listener, __ATOMIC_ACQUIRE) < 0)
		sched_yield();
	while (!__atomic_load_n(&held.done, __ATOMIC_ACQUIRE))
		answer_call(held.listener, 10, act, data);
	pthread_join(thread, NULL);
	close(held.listener);
	return held.result;
}

static void unmount_before(const struct seccomp_notif *call, void *path)
{
	(void)call;
	if (*(const char **)path)
		do_umount(*(const char **)path);
	*(const char **)path = NULL;
}

TEST(recursively_what_another_process_unmounts_is_no_failure)
{
	const char *path = TARGET "/a";
	struct snapshot *before;

	enter();
	before = snapshot_take(SNAPSHOT_ALL);
	do_mount("0", TARGET, "tmpfs", 0, NULL);
	scratch_dir(TARGET "/a");
	do_mount("1", TARGET "/a", "tmpfs", 0, NULL);
	assert_int_equal(unmount_beside((struct held_unmount){ .call = SYS_umount2,
							       .flags = IDM_UMOUNT_RECURSIVE },
					unmount_before, &path),
			 0);
	assert_null(path);
	snapshot_assert_same(before);
}

/* The library waits between two tries. */
static void cover_target(const struct seccomp_notif *call, void *covered)
{
	(void)call;
	if (!*(bool *)covered)
		do_mount("other", TARGET, "tmpfs", 0, NULL);
	scratch_file(TARGET "/other", "");
	*(bool *)covered = true;
}

TEST(a_mount_over_one_in_use_stays)
{
	AUTO_FD int busy = -1;
	bool covered = false;

	enter();
	do_mount("mine", TARGET, "tmpfs", 0, NULL);
	busy = (int)must(open(TARGET, O_RDONLY | O_CLOEXEC));
	assert_int_equal(unmount_beside((struct held_unmount){ .call = SYS_clock_nanosleep },
					cover_target, &covered),
			 -EXDEV);
	assert_true(covered);
	assert_int_equal(access(TARGET "/other", F_OK), 0);
}

TEST_ANYWHERE(lazily_all_goes_in_one_step_also_when_in_use)
{
	AUTO_FD int busy = -1;
	struct snapshot *before;
	struct idm_error err;

	enter();
	before = snapshot_take(SNAPSHOT_MOUNTS);
	pile_up();
	busy = (int)must(open(TARGET "/a/b", O_RDONLY | O_CLOEXEC));
	assert_ok(idm_umount(AT_FDCWD, TARGET, IDM_UMOUNT_RECURSIVE | IDM_UMOUNT_LAZY, &err), &err);
	snapshot_assert_same(before);
}

TEST_ANYWHERE(a_mount_in_use_is_named)
{
	AUTO_FD int busy = -1;
	struct idm_error err;

	enter();
	pile_up();
	assert_error(idm_umount(AT_FDCWD, TARGET, 0, &err), -EBUSY, &err, TARGET, "unmount", "in use");
	busy = (int)must(open(TARGET "/a", O_RDONLY | O_CLOEXEC));
	assert_error(idm_umount(AT_FDCWD, TARGET, IDM_UMOUNT_RECURSIVE, &err), -EBUSY, &err, TARGET "/a",
		     "unmount", "in use");
	assert_contains(err.hint, "IDM_UMOUNT_LAZY");
}

TEST_ANYWHERE(what_is_no_mount_point_takes_nothing_with_it)
{
	struct snapshot *before;
	struct idm_error err;

	enter();
	pile_up();
	must(symlink("target", SCRATCH "/link"));
	before = snapshot_take(SNAPSHOT_ALL);
	assert_error(idm_umount(AT_FDCWD, SOURCE, 0, &err), -EINVAL, &err, SOURCE, "unmount",
		     "not a mount point");
	/* The mount that holds it has mounts below: they must stay. */
	assert_error(idm_umount(AT_FDCWD, SOURCE, IDM_UMOUNT_RECURSIVE, &err), -EINVAL, &err, SOURCE,
		     "unmount", "not a mount point");
	assert_error(idm_umount(AT_FDCWD, SCRATCH "/link", 0, &err), -ELOOP, &err, SCRATCH "/link",
		     "unmount", "symbolic link");
	assert_error(idm_umount(AT_FDCWD, SCRATCH "/link", IDM_UMOUNT_RECURSIVE, &err), -ELOOP, &err,
		     SCRATCH "/link", "unmount", "symbolic link");
	assert_error(idm_umount(AT_FDCWD, SCRATCH "/none", 0, &err), -ENOENT, &err, SCRATCH "/none",
		     "unmount", "No such file");
	assert_error(idm_umount(AT_FDCWD, TARGET, 0x80, &err), -EINVAL, &err, TARGET, "unmount",
		     "unknown flags");
	snapshot_assert_same(before);
	assert_ok(idm_umount(AT_FDCWD, SCRATCH "/link", IDM_UMOUNT_RECURSIVE | IDM_UMOUNT_FOLLOW, &err),
		  &err);
	assert_int_equal(access(TARGET "/a", F_OK), -1);
}

TEST_ANYWHERE(nothing_behind_a_link_makes_it_followed)
{
	static const char *const behind[] = { "/",	"//",	      "/.",	      "/./",
					      "/.//./", "/inside/..", "/inside/../.", NULL };
	static const unsigned int flags[] = { 0, IDM_UMOUNT_LAZY, IDM_UMOUNT_RECURSIVE };
	struct snapshot *before;
	struct idm_error err;
	char path[128];

	enter();
	scratch_dir(SOURCE "/inside");
	do_mount(SOURCE, TARGET, NULL, 1 << 12 /* MS_BIND */, NULL);
	must(symlink("target", SCRATCH "/link"));
	before = snapshot_take(SNAPSHOT_ALL);
	for (size_t i = 0; behind[i]; i++)
		for (size_t f = 0; f < ARRAY_SIZE(flags); f++) {
			snprintf(path, sizeof(path), SCRATCH "/link%s", behind[i]);
			assert_error(idm_umount(AT_FDCWD, path, flags[f], &err), -ELOOP, &err, path,
				     "unmount", "symbolic link");
		}
	snapshot_assert_same(before);
	for (size_t i = 0; behind[i]; i++)
		for (size_t f = 0; f < ARRAY_SIZE(flags); f++) {
			snprintf(path, sizeof(path), TARGET "%s", behind[i]);
			assert_ok(idm_umount(AT_FDCWD, path, flags[f], &err), &err);
			do_mount(SOURCE, TARGET, NULL, 1 << 12 /* MS_BIND */, NULL);
		}
	assert_ok(idm_umount(AT_FDCWD, SCRATCH "/link/", IDM_UMOUNT_FOLLOW, &err), &err);
	assert_error(idm_umount(AT_FDCWD, TARGET "/", 0, &err), -EINVAL, &err, TARGET "/", "unmount",
		     "not a mount point");
}

TEST_ANYWHERE(behind_a_followed_link_is_no_mount_point)
{
	static const char *const links[] = { SCRATCH "/link", SCRATCH "/link/", SCRATCH "/link/." };
	static const unsigned int flags[] = { 0, IDM_UMOUNT_LAZY, IDM_UMOUNT_RECURSIVE };
	struct snapshot *before;
	struct idm_error err;

	enter();
	must(symlink("source", SCRATCH "/link"));
	must(symlink("none", SCRATCH "/dangling"));
	must(symlink("loop", SCRATCH "/loop"));
	before = snapshot_take(SNAPSHOT_ALL);
	for (size_t f = 0; f < ARRAY_SIZE(flags); f++) {
		unsigned int follow = flags[f] | IDM_UMOUNT_FOLLOW;

		for (size_t i = 0; i < ARRAY_SIZE(links); i++)
			assert_error(idm_umount(AT_FDCWD, links[i], follow, &err), -EINVAL, &err,
				     links[i], "unmount", "not a mount point");
		assert_error(idm_umount(AT_FDCWD, SCRATCH "/dangling", follow, &err), -ENOENT, &err,
			     SCRATCH "/dangling", "unmount", "No such file");
		assert_error(idm_umount(AT_FDCWD, SCRATCH "/loop", follow, &err), -ELOOP, &err,
			     SCRATCH "/loop", "unmount", "Too many levels");
	}
	snapshot_assert_same(before);
}

TEST_ANYWHERE(no_right_to_unmount_is_said)
{
	struct idm_error err;

	enter();
	pile_up();
	must(chmod(SCRATCH, 0755));
	become_user(unused_uid(), 1000);
	assert_error(idm_umount(AT_FDCWD, TARGET, 0, &err), -EPERM, &err, TARGET, "unmount",
		     "CAP_SYS_ADMIN");
}

/* ---- from a directory ---- */

TEST_ANYWHERE(a_target_is_relative_to_the_directory)
{
	static const unsigned int flags[] = { 0, IDM_UMOUNT_LAZY, IDM_UMOUNT_RECURSIVE,
					      IDM_UMOUNT_FOLLOW };
	static const char *const targets[] = { "target", "./target", "target/", "source/../target/.",
					       TARGET };
	struct snapshot *before;
	struct idm_error err;
	AUTO_FD int dir = -1;

	enter();
	dir = (int)must(open(SCRATCH, O_PATH | O_CLOEXEC));
	before = snapshot_take(SNAPSHOT_ALL);
	for (size_t t = 0; t < ARRAY_SIZE(targets); t++)
		for (size_t f = 0; f < ARRAY_SIZE(flags); f++) {
			do_mount("0", TARGET, "tmpfs", 0, NULL);
			assert_ok(idm_umount(dir, targets[t], flags[f], &err), &err);
		}
	assert_error(idm_umount(dir, "none", 0, &err), -ENOENT, &err, "none", "unmount", "No such file");
	assert_error(idm_umount(dir, "source", 0, &err), -EINVAL, &err, "source", "unmount",
		     "not a mount point");
	assert_error(idm_umount(-1, "target", 0, &err), -EBADF, &err, "target", "unmount",
		     "descriptor -1 is not open");
	snapshot_assert_same(before);
}

/* Neither is there a procfs, nor may the caller make one. */
static void be_root_without_proc(void)
{
	enter();
	enter_userns("0 0 65536\n");
	must(unshare(CLONE_NEWNS));
	must(chroot(SCRATCH));
	must(chdir("/"));
}

static void do_nothing(void *unused)
{
	(void)unused;
}

static void unmount_without_proc(void *unused)
{
	struct idm_error err;
	AUTO_FD int dir = -1;
	int r;

	(void)unused;
	be_root_without_proc();
	dir = (int)must(open("/", O_PATH | O_CLOEXEC));
	do_mount("0", "/target", "tmpfs", 0, NULL);
	r = idm_umount(dir, "target", 0, &err);
	if (!kernel_is_before(6, 11))
		assert_ok(r, &err);
	else
		assert_error(r, -ENOENT, &err, "/proc", NULL, "expected a procfs");
	must(unshare(CLONE_NEWPID));
	do_mount("0", "/target", "tmpfs", 0, NULL);
	assert_error(idm_umount(dir, "target", 0, &err), -ENOENT, &err, "/proc", NULL,
		     "expected a procfs");
	in_child(do_nothing, NULL); /* the namespace can still have an init */
}

TEST_ANYWHERE(without_proc_no_mount_is_said_to_be_in_use)
{
	in_child(unmount_without_proc, NULL);
}

TEST_ANYWHERE(a_link_in_the_directory_is_not_followed)
{
	static const unsigned int flags[] = { 0, IDM_UMOUNT_LAZY, IDM_UMOUNT_RECURSIVE };
	struct idm_error err;
	AUTO_FD int dir = -1;

	enter();
	do_mount("0", TARGET, "tmpfs", 0, NULL);
	must(symlink("target", SCRATCH "/link"));
	dir = (int)must(open(SCRATCH, O_PATH | O_CLOEXEC));
	for (size_t f = 0; f < ARRAY_SIZE(flags); f++)
		assert_error(idm_umount(dir, "link", flags[f], &err), -ELOOP, &err, "link", "unmount",
			     "symbolic link");
	assert_ok(idm_umount(dir, "link", IDM_UMOUNT_FOLLOW, &err), &err);
}

TEST_ANYWHERE(a_long_target_is_relative_to_the_directory)
{
	struct idm_error err;
	AUTO_FD int dir = -1;
	char target[3100] = "";

	enter();
	dir = (int)must(open(SCRATCH, O_PATH | O_CLOEXEC));
	for (size_t i = 0; i < 300; i++)
		strcat(target, "source/../");
	strcpy(target + strlen(target), "target");
	do_mount("0", TARGET, "tmpfs", 0, NULL);
	assert_ok(idm_umount(dir, target, 0, &err), &err);
}

/* ---- by descriptor ---- */

/* The root of the mount at the target, which is on top at this moment. */
static int root_of(const char *target)
{
	return (int)must(open(target, O_PATH | O_CLOEXEC));
}

TEST_ANYWHERE(the_mount_of_a_descriptor_is_found_where_it_was_moved)
{
	AUTO_FD int lower = -1;
	struct idm_error err;

	enter();
	do_mount("lower", TARGET, "tmpfs", 0, NULL);
	lower = root_of(TARGET);
	scratch_dir(SCRATCH "/moved");
	do_mount(TARGET, SCRATCH "/moved", NULL, 1 << 13 /* MS_MOVE */, NULL);
	do_mount("upper", SCRATCH "/moved", "tmpfs", 0, NULL);
	scratch_file(SCRATCH "/moved/upper", "");
	assert_error(idm_umount_fd(lower, IDM_UMOUNT_LAZY, &err), -EBUSY, &err, "descriptor", "unmount",
		     "another mount covers it");
	assert_int_equal(access(SCRATCH "/moved/upper", F_OK), 0);
	do_umount_idle(SCRATCH "/moved");
	assert_ok(idm_umount_fd(lower, 0, &err), &err);
	assert_error(idm_umount_fd(lower, IDM_UMOUNT_LAZY, &err), -EINVAL, &err, "descriptor", "unmount",
		     "attached nowhere");
}

TEST(a_tree_that_was_attached_is_unmounted_by_its_descriptor)
{
	AUTO_FD int tree = -1, file = -1;
	struct snapshot *before;
	struct idm_error err;

	enter();
	scratch_file(SOURCE "/file", "");
	scratch_file(SCRATCH "/file", "");
	before = snapshot_take(SNAPSHOT_MOUNTS);
	tree = (int)assert_ok(idm_tree_open(AT_FDCWD, SOURCE, -1, NULL, &err), &err);
	assert_error(idm_umount_fd(tree, IDM_UMOUNT_LAZY, &err), -EINVAL, &err, NULL, "unmount", NULL);
	assert_ok(idm_tree_attach(tree, AT_FDCWD, TARGET, NULL, &err), &err);
	do_mount("below", TARGET "/a", "tmpfs", 0, NULL);
	assert_ok(idm_umount_fd(tree, 0, &err), &err);
	file = (int)assert_ok(idm_tree_open(AT_FDCWD, SOURCE "/file", -1, NULL, &err), &err);
	assert_ok(idm_tree_attach(file, AT_FDCWD, SCRATCH "/file", NULL, &err), &err);
	assert_ok(idm_umount_fd(file, IDM_UMOUNT_LAZY, &err), &err);
	snapshot_assert_same(before);
}

TEST_ANYWHERE(the_mount_of_the_root_directory_stays)
{
	AUTO_FD int root = -1;
	struct snapshot *before;
	struct idm_error err;

	enter();
	root = root_of("/");
	before = snapshot_take(SNAPSHOT_ALL);
	assert_error(idm_umount_fd(root, 0, &err), -EINVAL, &err, "descriptor", "unmount",
		     "the caller's root directory is on this mount");
	snapshot_assert_same(before);
}

TEST_ANYWHERE(a_descriptor_that_is_no_root_of_a_mount_unmounts_nothing)
{
	AUTO_FD int inside = -1, root = -1;
	struct snapshot *before;
	struct idm_error err;

	enter();
	pile_up();
	root = root_of(TARGET);
	inside = root_of(SOURCE);
	before = snapshot_take(SNAPSHOT_ALL);
	assert_error(idm_umount_fd(inside, IDM_UMOUNT_LAZY, &err), -EINVAL, &err, "descriptor",
		     "unmount", "not on the root of a mount");
	assert_error(idm_umount_fd(root, IDM_UMOUNT_LAZY | IDM_UMOUNT_RECURSIVE, &err), -EINVAL, &err,
		     "descriptor", "unmount", "unknown flags");
	assert_error(idm_umount_fd(-1, IDM_UMOUNT_LAZY, &err), -EBADF, &err, "descriptor -1", "unmount",
		     NULL);
	must(fchdir(root)); /* a mount, which is not what the number stands for */
	assert_error(idm_umount_fd(AT_FDCWD, IDM_UMOUNT_LAZY, &err), -EBADF, &err, "descriptor -100",
		     "unmount", NULL);
	must(chdir("/"));
	snapshot_assert_same(before);
	become_user(unused_uid(), 1000);
	assert_error(idm_umount_fd(root, IDM_UMOUNT_LAZY, &err), -EPERM, &err, NULL, "unmount",
		     "CAP_SYS_ADMIN");
}

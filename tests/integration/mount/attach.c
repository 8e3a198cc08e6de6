// SPDX-License-Identifier: MIT
/* Attaching is one step: afterwards all is there, or everything is as it was. */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "lib/base/macros.h"
#include "tests/lib/neighbour.h"
#include "trees.h"

#define SOURCE SCRATCH "/source"
#define TARGET SCRATCH "/target"
#define MS_SHARED_ (1 << 20)

static int enter(void)
{
	scratch_enter();
	scratch_dir(SOURCE);
	scratch_dir(TARGET);
	owned_file(SOURCE "/file", 1000, 1001);
	return tree_of(SOURCE, "1000:5,1001:6");
}

#define assert_refused(tree, dirfd, target, flags, code, subject, step, reason)              \
	do {                                                                                 \
		struct snapshot *before_ = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);     \
		struct idm_error err_;                                                       \
		assert_error(idm_tree_attach(tree, dirfd, target,                            \
					     ATTACH(flags, IDM_PROPAGATION_DEFAULT), &err_), \
			     code, &err_, subject, step, reason);                            \
		snapshot_assert_same(before_);                                               \
	} while (0)

TEST(refusals_name_the_target_and_leave_all_as_it_was)
{
	AUTO_FD int tree = enter(), file = tree_of(SOURCE "/file", "1000:5,1001:6");

	scratch_file(SCRATCH "/plain", "");
	must(symlink("target", SCRATCH "/link"));
	must(symlink("nowhere", SCRATCH "/dangling"));
	must(symlink("plain", SCRATCH "/file-link"));
	assert_refused(file, AT_FDCWD, SCRATCH "/file-link", 0, -ELOOP, SCRATCH "/file-link",
		       "open target", "symbolic link");
	assert_refused(tree, AT_FDCWD, SCRATCH "/none", 0, -ENOENT, SCRATCH "/none", "open target",
		       "the target does not exist");
	assert_refused(tree, AT_FDCWD, "", 0, -ENOENT, "", "open target", "the path is empty");
	assert_refused(tree, -7, "x", 0, -EBADF, "x", "open target", "descriptor -7 is not open");
	assert_refused(AT_FDCWD, AT_FDCWD, TARGET, 0, -EBADF, NULL, "attach",
		       "tree_fd: expected a descriptor, got -100");
	assert_refused(tree, AT_FDCWD, SCRATCH "/link", 0, -ELOOP, SCRATCH "/link", "open target",
		       "symbolic link");
	assert_refused(tree, AT_FDCWD, SCRATCH "/plain", 0, -ENOTDIR, SCRATCH "/plain", "open target",
		       "expected a directory as target");
	assert_refused(file, AT_FDCWD, TARGET, 0, -EISDIR, TARGET, "open target",
		       "expected a file as target");
	assert_refused(tree, AT_FDCWD, SCRATCH "/plain/x", IDM_ATTACH_MKDIR, -ENOTDIR,
		       SCRATCH "/plain/x", NULL, NULL);
	assert_refused(tree, AT_FDCWD, SCRATCH "/dangling/x", IDM_ATTACH_MKDIR, -ENOENT,
		       SCRATCH "/dangling", "create target",
		       "a symbolic link to a file that does not exist");
	assert_refused(tree, AT_FDCWD, TARGET, 0x100, -EINVAL, TARGET, "attach", "unknown flags 0x100");
	assert_refused(tree, AT_FDCWD, TARGET, IDM_ATTACH_REPLACE, -EINVAL, TARGET, "attach",
		       "the target is not a mount point");
	assert_refused(tree, AT_FDCWD, "", 0, -ENOENT, "", NULL, NULL);
	assert_refused(1000000, AT_FDCWD, TARGET, 0, -EBADF, TARGET, "attach",
		       "descriptor 1000000 is not open");
}

/* The ways to make the kernel follow a link that is the last component. "inside" is a directory in it.
 */
static const char *const behind_links[] = { "/",      "//",	    "/.",	   "/./",
					    "/.//./", "/inside/..", "/inside/../", "/./inside/../." };

TEST(nothing_behind_a_link_makes_it_followed)
{
	AUTO_FD int tree = enter(), file = tree_of(SOURCE "/file", "1000:5,1001:6"), root = -1;
	static const unsigned int flags[] = { 0, IDM_ATTACH_MKDIR, IDM_ATTACH_REPLACE,
					      IDM_ATTACH_IN_ROOT,
					      IDM_ATTACH_IN_ROOT | IDM_ATTACH_MKDIR };
	char path[128];

	scratch_dir(SCRATCH "/victim/inside");
	scratch_dir(SCRATCH "/home");
	must(symlink("../victim", SCRATCH "/home/data"));
	do_mount(SOURCE, SCRATCH "/victim", NULL, 1 << 12 /* MS_BIND */, NULL); /* for who replaces */
	scratch_dir(SCRATCH "/victim/inside");
	root = (int)must(open(SCRATCH, O_PATH | O_CLOEXEC));
	for (size_t i = 0; i < ARRAY_SIZE(behind_links); i++)
		for (size_t f = 0; f < ARRAY_SIZE(flags); f++) {
			snprintf(path, sizeof(path), "home/data%s", behind_links[i]);
			assert_refused(tree, root, path, flags[f], -ELOOP, path, "open target",
				       "symbolic link");
			snprintf(path, sizeof(path), SCRATCH "/home/data%s", behind_links[i]);
			if (!(flags[f] & IDM_ATTACH_IN_ROOT))
				assert_refused(tree, AT_FDCWD, path, flags[f], -ELOOP, path,
					       "open target", "symbolic link");
			assert_refused(file, root, "home/data/", flags[f], -ELOOP, "home/data/",
				       "open target", "symbolic link");
		}
}

TEST(a_link_that_leads_nowhere_stays_so)
{
	AUTO_FD int tree = enter();

	must(symlink("nowhere", SCRATCH "/dangling"));
	assert_refused(tree, AT_FDCWD, SCRATCH "/dangling/", IDM_ATTACH_MKDIR, -ELOOP,
		       SCRATCH "/dangling/", "open target", "symbolic link");
	assert_refused(tree, AT_FDCWD, SCRATCH "/dangling/.", IDM_ATTACH_MKDIR, -ELOOP,
		       SCRATCH "/dangling/.", "open target", "symbolic link");
}

TEST(what_is_no_link_may_be_spelt_in_any_way)
{
	struct idm_error err;
	AUTO_FD int where = -1;

	close(enter());
	scratch_dir(SCRATCH "/home/data/inside");
	must(symlink("home", SCRATCH "/way"));
	for (size_t i = 0; i < 2 * ARRAY_SIZE(behind_links); i++) {
		AUTO_FD int tree = tree_of(SOURCE, "1000:5,1001:6");
		const char *behind = behind_links[i / 2];
		char path[128];

		/* A link on the way is permitted, but not with ".." at the end. */
		snprintf(path, sizeof(path), SCRATCH "/%s/data%s",
			 i % 2 && !strstr(behind, "..") ? "way" : "home", behind);
		assert_ok(idm_tree_attach(tree, AT_FDCWD, path, NULL, &err), &err);
		assert_owner(SCRATCH "/home/data/file", 5, 6);
		assert_ok(idm_umount(AT_FDCWD, SCRATCH "/home/data", IDM_UMOUNT_LAZY, &err), &err);
	}
	where = (int)must(open(SCRATCH "/home/data", O_PATH | O_CLOEXEC));
	for (size_t i = 0; i < 3; i++) {
		static const char *const dots[] = { ".", "./", "inside/.." };
		AUTO_FD int tree = tree_of(SOURCE, "1000:5,1001:6");

		assert_ok(idm_tree_attach(tree, where, dots[i], NULL, &err), &err);
		assert_owner(SCRATCH "/home/data/file", 5, 6);
		assert_ok(idm_umount(AT_FDCWD, SCRATCH "/home/data", IDM_UMOUNT_LAZY, &err), &err);
	}
}

TEST(a_file_has_no_slash_behind_it)
{
	AUTO_FD int tree = enter(), file = tree_of(SOURCE "/file", "1000:5,1001:6");

	scratch_file(SCRATCH "/plain", "");
	assert_refused(file, AT_FDCWD, SCRATCH "/plain/", 0, -ENOTDIR, SCRATCH "/plain/", "open target",
		       NULL);
	assert_refused(file, AT_FDCWD, SCRATCH "/new/", IDM_ATTACH_MKDIR, -ENOTDIR, SCRATCH "/new/",
		       "open target", NULL);
}

TEST(a_link_is_followed_when_told)
{
	AUTO_FD int tree = enter();
	struct idm_error err;

	must(symlink("target", SCRATCH "/link"));
	assert_ok(idm_tree_attach(tree, AT_FDCWD, SCRATCH "/link",
				  ATTACH(IDM_ATTACH_FOLLOW, IDM_PROPAGATION_DEFAULT), &err),
		  &err);
	assert_owner(TARGET "/file", 5, 6);
}

TEST(a_tree_that_is_attached_moves)
{
	AUTO_FD int tree = enter();

	attach_at(tree, TARGET);
	scratch_dir(SCRATCH "/second");
	attach_at(tree, SCRATCH "/second");
	assert_owner(SCRATCH "/second/file", 5, 6);
	assert_int_equal(access(TARGET "/file", F_OK), -1);
}

static void leave_mounts(void *unused)
{
	(void)unused;
	must(unshare(CLONE_NEWNS));
}

/*
 * A tree that holds the file of a mount namespace, and that namespace entered: attaching it there would
 * make a loop, so it fails, as the last step.
 */
static int tree_that_cannot_be_attached(void)
{
	struct idm_tree_options o = IDM_TREE_OPTIONS_INIT;
	AUTO_FD int namespace = -1;
	struct idm_error err;
	char path[64];
	int tree;

	scratch_file(SOURCE "/namespace", "");
	/* The kernel accepts only a namespace with a higher number than the caller's, and numbers them
	 * by processor. */
	for (int tries = 0; tries < 2 * CPU_SETSIZE; tries++) {
		cpu_set_t one;

		CPU_ZERO(&one);
		CPU_SET((size_t)tries % CPU_SETSIZE, &one);
		sched_setaffinity(0, sizeof(one), &one); /* where there is one of this number */
		close_fd(&namespace);
		namespace = orphan_namespace("mnt", leave_mounts, NULL);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", namespace);
		if (syscall(SYS_mount, path, SOURCE "/namespace", NULL, 1 << 12 /* MS_BIND */, NULL) ==
		    0)
			break;
	}
	o.flags = IDM_TREE_RECURSIVE;
	tree = (int)assert_ok(idm_tree_open(AT_FDCWD, SOURCE, -1, &o, &err), &err);
	must(setns(namespace, CLONE_NEWNS));
	return tree;
}

/* ---- creating ---- */

TEST(a_missing_target_is_created)
{
	AUTO_FD int tree = enter(), file = tree_of(SOURCE "/file", "1000:5,1001:6");
	struct idm_error err;
	struct stat st;

	assert_ok(idm_tree_attach(tree, AT_FDCWD, SCRATCH "/a//b/./c/",
				  ATTACH(IDM_ATTACH_MKDIR, IDM_PROPAGATION_DEFAULT), &err),
		  &err);
	assert_owner(SCRATCH "/a/b/c/file", 5, 6);
	assert_ok(idm_tree_attach(file, AT_FDCWD, SCRATCH "/x/y",
				  ATTACH(IDM_ATTACH_MKDIR, IDM_PROPAGATION_DEFAULT), &err),
		  &err);
	assert_owner(SCRATCH "/x/y", 5, 6);
	do_umount(SCRATCH "/x/y");
	must(stat(SCRATCH "/x/y", &st));
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(st.st_size, 0);
}

TEST(a_mount_cannot_move_below_itself)
{
	AUTO_FD int tree = enter();

	scratch_dir(SOURCE "/below");
	scratch_dir(SOURCE "/below/inside");
	attach_at(tree, TARGET);
	assert_refused(tree, AT_FDCWD, TARGET "/below", 0, -ELOOP, TARGET "/below", "attach",
		       "the target is below the tree itself");
	do_mount("0", TARGET "/below", "tmpfs", 0, NULL);
	scratch_dir(TARGET "/below/deep");
	assert_refused(tree, AT_FDCWD, TARGET "/below/deep", 0, -ELOOP, TARGET "/below/deep", "attach",
		       "the target is below the tree itself");
}

TEST(what_was_created_is_removed_when_attaching_fails)
{
	AUTO_FD int first = enter(), tree = tree_that_cannot_be_attached();

	assert_refused(tree, AT_FDCWD, SCRATCH "/a/b/c", IDM_ATTACH_MKDIR, -ELOOP, SCRATCH "/a/b/c",
		       "attach", NULL);
	must(mkdir(SCRATCH "/a", 0700));
	assert_refused(tree, AT_FDCWD, SCRATCH "/a/b/c", IDM_ATTACH_MKDIR, -ELOOP, SCRATCH "/a/b/c",
		       "attach", NULL);
	assert_int_equal(access(SCRATCH "/a", F_OK), 0);
	assert_refused(tree, AT_FDCWD, TARGET, 0, -ELOOP, TARGET, "attach",
		       "the tree holds the file of this mount namespace");
}

TEST(the_callers_umask_counts)
{
	AUTO_FD int tree = enter();
	struct idm_error err;
	struct stat st;

	umask(077);
	assert_ok(idm_tree_attach(tree, AT_FDCWD, SCRATCH "/a/b",
				  ATTACH(IDM_ATTACH_MKDIR, IDM_PROPAGATION_DEFAULT), &err),
		  &err);
	must(stat(SCRATCH "/a", &st));
	assert_int_equal(st.st_mode & 0777, 0700);
}

/* ---- below a root ---- */

TEST(nothing_leads_out_of_a_root)
{
	AUTO_FD int tree = enter(), root = -1;
	struct idm_error err;

	scratch_dir(SCRATCH "/root/etc");
	scratch_dir(SCRATCH "/outside");
	must(symlink("/outside", SCRATCH "/root/absolute"));
	must(symlink("../outside", SCRATCH "/root/relative"));
	must(symlink("/proc/self/root" SCRATCH "/outside", SCRATCH "/root/magic"));
	root = (int)must(open(SCRATCH "/root", O_PATH | O_CLOEXEC));

	assert_refused(tree, root, "absolute", IDM_ATTACH_IN_ROOT | IDM_ATTACH_FOLLOW, -ENOENT,
		       "absolute", NULL, NULL);
	assert_refused(tree, root, "relative/x", IDM_ATTACH_IN_ROOT, -ENOENT, "relative/x", NULL, NULL);
	assert_refused(tree, root, "magic", IDM_ATTACH_IN_ROOT | IDM_ATTACH_FOLLOW, -ENOENT, "magic",
		       NULL, NULL);
	assert_refused(tree, root, "absolute/x/y", IDM_ATTACH_IN_ROOT | IDM_ATTACH_MKDIR, -ENOENT,
		       "absolute", "create target", "a symbolic link to a file that does not exist");
	/* ".." at the top stays at the top, as in every root directory. */
	assert_ok(idm_tree_attach(tree, root, "../../../etc/../deep/er",
				  ATTACH(IDM_ATTACH_IN_ROOT | IDM_ATTACH_MKDIR, IDM_PROPAGATION_DEFAULT),
				  &err),
		  &err);
	assert_owner(SCRATCH "/root/deep/er/file", 5, 6);
	assert_int_equal(rmdir(SCRATCH "/outside"), 0); /* empty, and not a mount point */
}

TEST(links_inside_a_root_are_followed_inside)
{
	AUTO_FD int tree = enter(), root = -1;
	struct idm_error err;

	scratch_dir(SCRATCH "/root/run");
	scratch_dir(SCRATCH "/root/var");
	must(symlink("/run", SCRATCH "/root/var/run"));
	root = (int)must(open(SCRATCH "/root", O_PATH | O_CLOEXEC));
	assert_ok(idm_tree_attach(tree, root, "/var/run/box/data",
				  ATTACH(IDM_ATTACH_IN_ROOT | IDM_ATTACH_MKDIR, IDM_PROPAGATION_DEFAULT),
				  &err),
		  &err);
	assert_owner(SCRATCH "/root/run/box/data/file", 5, 6);
}

struct swapper {
	volatile bool stop;
};

/* Makes "way" a directory and a link out, in turn. */
static void *swap(void *data)
{
	struct swapper *s = data;

	while (!s->stop) {
		syscall(SYS_renameat2, AT_FDCWD, SCRATCH "/root/way", AT_FDCWD, SCRATCH "/root/other",
			2 /* RENAME_EXCHANGE */);
		sched_yield();
	}
	return NULL;
}

TEST(a_hostile_root_leads_nobody_out)
{
	struct swapper swapper = { false };
	AUTO_FD int root = -1, first = enter();
	pthread_t thread;
	int inside = 0;

	scratch_dir(SCRATCH "/root/way/point");
	scratch_dir(SCRATCH "/outside/point");
	must(symlink("../outside", SCRATCH "/root/other"));
	root = (int)must(open(SCRATCH "/root", O_PATH | O_CLOEXEC));
	pthread_create(&thread, NULL, swap, &swapper);
	for (int i = 0; i < 3000; i++) {
		AUTO_FD int tree = tree_of(SOURCE, "1000:5,1001:6");

		if (idm_tree_attach(tree, root, "way/point",
				    ATTACH(IDM_ATTACH_IN_ROOT, IDM_PROPAGATION_DEFAULT), NULL) < 0)
			continue;
		inside++;
		must(faccessat(tree, "file", F_OK, 0));
		assert_int_equal(access(SCRATCH "/outside/point/file", F_OK), -1);
		if (access(SCRATCH "/root/way/point/file", F_OK) == 0)
			idm_umount(AT_FDCWD, SCRATCH "/root/way/point", IDM_UMOUNT_LAZY, NULL);
		else
			idm_umount(AT_FDCWD, SCRATCH "/root/other/point", IDM_UMOUNT_LAZY, NULL);
	}
	swapper.stop = true;
	pthread_join(thread, NULL);
	note("%d of 3000 found the directory", inside);
	assert_true(inside > 0);
	assert_int_equal(rmdir(SCRATCH "/outside/point"), 0);
}

/* The kernel gives up on ".." when anything is renamed during the lookup, anywhere on the machine. */
TEST(renames_elsewhere_do_not_disturb)
{
	struct swapper swapper = { false };
	AUTO_FD int root = -1, first = enter();
	struct idm_error err;
	pthread_t thread;

	scratch_dir(SCRATCH "/root/way");
	scratch_dir(SCRATCH "/root/other");
	root = (int)must(open(TARGET, O_PATH | O_CLOEXEC));
	scratch_dir(TARGET "/etc/deeper");
	pthread_create(&thread, NULL, swap, &swapper);
	for (int i = 0; i < 1000; i++) {
		AUTO_FD int tree = tree_of(SOURCE, "1000:5,1001:6");

		assert_ok(idm_tree_attach(tree, root, "etc/deeper/../../etc/deeper",
					  ATTACH(IDM_ATTACH_IN_ROOT, IDM_PROPAGATION_DEFAULT), &err),
			  &err);
		do_umount(TARGET "/etc/deeper");
	}
	swapper.stop = true;
	pthread_join(thread, NULL);
}

/* Unmounts and mounts what the way to the target leads through, in turn. */
static void *mount_in_turn(void *data)
{
	struct swapper *s = data;

	while (!s->stop) {
		do_mount("way", TARGET "/way", "tmpfs", 0, "mode=755");
		scratch_dir(TARGET "/way/deep");
		scratch_file(TARGET "/way/deep/file", "");
		do_umount(TARGET "/way");
	}
	return NULL;
}

/* The kernel returns EXDEV if the mount that it is in is no longer below the root: that is not the
 * answer.
 */
TEST(a_mount_on_the_way_goes_during_the_lookup)
{
	struct swapper swapper = { false };
	AUTO_FD int root = -1, tree = enter();
	pthread_t thread;
	int found = 0;

	scratch_dir(TARGET "/way");
	root = (int)must(open(TARGET, O_PATH | O_CLOEXEC));
	assert_int_equal(pthread_create(&thread, NULL, mount_in_turn, &swapper), 0);
	for (int i = 0; i < 20000; i++) {
		/* A directory cannot be attached to a file: it is refused either way. */
		int r = idm_tree_attach(tree, root, "way/deep/file",
					ATTACH(IDM_ATTACH_IN_ROOT, IDM_PROPAGATION_DEFAULT), NULL);

		if (r != -ENOENT)
			assert_int_equal(r, -ENOTDIR);
		found += r == -ENOTDIR;
	}
	swapper.stop = true;
	pthread_join(thread, NULL);
	note("%d of 20000 found the file", found);
}

/* ---- replacing ---- */

static void replacing_is_refused(void)
{
	AUTO_FD int tree = -1;

	if (kernel_is_before(5, 12)) {
		mounts_are_refused();
		return;
	}
	tree = enter();
	mount_mapped(SOURCE, TARGET, "1000:7,1001:8");
	assert_refused(tree, AT_FDCWD, TARGET, IDM_ATTACH_REPLACE, -EOPNOTSUPP, TARGET, "attach",
		       "needs Linux 6.5");
	assert_owner(TARGET "/file", 7, 8);
}

struct watcher {
	volatile bool stop;
	unsigned long looks, missing;
};

static void *watch(void *data)
{
	struct watcher *w = data;

	while (!w->stop) {
		w->looks++;
		w->missing += access(TARGET "/file", F_OK) != 0;
	}
	return NULL;
}

TEST_SINCE(6, 5, replacing_is_refused, replacing_leaves_no_moment_without_a_mount)
{
	AUTO_FD int first = enter();
	struct watcher watcher = { 0 };
	struct snapshot *before;
	struct idm_error err;
	pthread_t thread;

	attach_at(first, TARGET);
	close(first); /* it names a place, and that will change */
	first = -1;
	before = snapshot_take(SNAPSHOT_FDS | SNAPSHOT_PROCESSES);
	pthread_create(&thread, NULL, watch, &watcher);
	for (int i = 0; i < 500; i++) {
		AUTO_FD int tree = tree_of(SOURCE, i % 2 ? "1000:5,1001:6" : "1000:50,1001:60");

		assert_ok(idm_tree_attach(tree, AT_FDCWD, TARGET,
					  ATTACH(IDM_ATTACH_REPLACE, IDM_PROPAGATION_DEFAULT), &err),
			  &err);
		assert_owner(TARGET "/file", i % 2 ? 5 : 50, i % 2 ? 6 : 60);
	}
	watcher.stop = true;
	pthread_join(thread, NULL);
	note("%lu looks", watcher.looks);
	assert_int_equal(watcher.missing, 0);
	snapshot_assert_same(before);
	/* One mount, not a pile of them. */
	assert_ok(idm_umount(AT_FDCWD, TARGET, 0, &err), &err);
	assert_int_equal(access(TARGET "/file", F_OK), -1);
}

TEST_SINCE(6, 5, replacing_is_refused, replacing_by_descriptor_and_below_a_root)
{
	AUTO_FD int tree = enter(), root = -1;
	struct idm_error err;

	mount_mapped(SOURCE, TARGET, "1000:7,1001:8");
	root = (int)must(open(SCRATCH, O_PATH | O_CLOEXEC));
	assert_ok(
		idm_tree_attach(tree, root, "target",
				ATTACH(IDM_ATTACH_REPLACE | IDM_ATTACH_IN_ROOT, IDM_PROPAGATION_DEFAULT),
				&err),
		&err);
	assert_owner(TARGET "/file", 5, 6);
	do_umount(TARGET);
	assert_int_equal(access(TARGET "/file", F_OK), -1);
}

TEST_SINCE(6, 5, replacing_is_refused, a_replacement_that_is_refused_leaves_the_old_mount)
{
	AUTO_FD int first = enter(), tree = tree_that_cannot_be_attached();

	mount_mapped(SOURCE, TARGET, "1000:7,1001:8");
	assert_refused(tree, AT_FDCWD, TARGET, IDM_ATTACH_REPLACE, -ELOOP, TARGET, "attach", NULL);
	assert_owner(TARGET "/file", 7, 8);
	assert_refused(first, AT_FDCWD, "/", IDM_ATTACH_REPLACE, -EINVAL, "/", "attach",
		       "the root directory of this process");
	assert_owner(TARGET "/file", 7, 8);
}

/* ---- propagation ---- */

TEST(below_a_shared_mount_the_wish_is_met_after_attaching)
{
	static const enum idm_propagation all[] = {
		IDM_PROPAGATION_PRIVATE,
		IDM_PROPAGATION_SLAVE,
		IDM_PROPAGATION_SHARED,
		IDM_PROPAGATION_UNBINDABLE,
	};
	AUTO_FD int first = enter();
	struct idm_error err;

	scratch_dir(SCRATCH "/shared");
	do_mount("shared", SCRATCH "/shared", "tmpfs", 0, NULL);
	do_mount(NULL, SCRATCH "/shared", NULL, MS_SHARED_, NULL);
	scratch_dir(SCRATCH "/shared/point");
	attach_at(first, SCRATCH "/shared/point");
	assert_int_equal(mount_at(SCRATCH "/shared/point").propagation, IDM_PROPAGATION_SHARED);
	do_umount(SCRATCH "/shared/point");
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		AUTO_FD int tree = tree_of(SOURCE, "1000:5,1001:6");

		assert_ok(idm_tree_attach(tree, AT_FDCWD, SCRATCH "/shared/point", ATTACH(0, all[i]),
					  &err),
			  &err);
		/* A slave without a master is a private mount. */
		assert_int_equal(mount_at(SCRATCH "/shared/point").propagation,
				 all[i] == IDM_PROPAGATION_SLAVE ? IDM_PROPAGATION_PRIVATE : all[i]);
		do_umount(SCRATCH "/shared/point");
	}
}

/*
 * Peers have a copy of what is attached below a shared mount, and if that is not shared with them they
 * would keep the copies of mounts below it for good.
 */
TEST(peers_keep_nothing)
{
	static const enum idm_propagation wishes[] = {
		IDM_PROPAGATION_PRIVATE,
		IDM_PROPAGATION_SLAVE,
		IDM_PROPAGATION_UNBINDABLE,
	};
	struct idm_tree_options o = IDM_TREE_OPTIONS_INIT;
	AUTO_FD int alone = enter();
	struct snapshot *before;
	struct idm_error err;

	o.flags = IDM_TREE_RECURSIVE;
	scratch_dir(SOURCE "/sub");
	do_mount("sub", SOURCE "/sub", "tmpfs", 0, NULL);
	scratch_dir(SCRATCH "/shared");
	do_mount("shared", SCRATCH "/shared", "tmpfs", 0, NULL);
	do_mount(NULL, SCRATCH "/shared", NULL, MS_SHARED_, NULL);
	scratch_dir(SCRATCH "/shared/point");
	scratch_dir(SCRATCH "/peer");
	do_mount(SCRATCH "/shared", SCRATCH "/peer", NULL, 1 << 12 /* MS_BIND */, NULL);
	before = snapshot_take(SNAPSHOT_MOUNTS);
	for (size_t i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++) {
		AUTO_FD int tree = (int)assert_ok(idm_tree_open(AT_FDCWD, SOURCE, -1, &o, &err), &err);

		assert_error(idm_tree_attach(tree, AT_FDCWD, SCRATCH "/shared/point",
					     ATTACH(0, wishes[i]), &err),
			     -EINVAL, &err, SCRATCH "/shared/point", "set propagation", "peers");
		assert_contains(err.hint, "--make-private");
		snapshot_assert_same(before);
		before = snapshot_take(SNAPSHOT_MOUNTS);
	}
	for (size_t i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++) {
		AUTO_FD int tree = tree_of(SOURCE, "1000:5,1001:6");

		assert_ok(idm_tree_attach(tree, AT_FDCWD, SCRATCH "/shared/point", ATTACH(0, wishes[i]),
					  &err),
			  &err);
		do_umount(SCRATCH "/shared/point");
		snapshot_assert_same(before);
		before = snapshot_take(SNAPSHOT_MOUNTS);
	}
	{
		AUTO_FD int tree = (int)assert_ok(idm_tree_open(AT_FDCWD, SOURCE, -1, &o, &err), &err);

		attach_at(tree, SCRATCH "/shared/point");
	}
	if (!kernel_is_before(6, 5))
		assert_error(idm_tree_attach(alone, AT_FDCWD, SCRATCH "/shared/point",
					     ATTACH(IDM_ATTACH_REPLACE, IDM_PROPAGATION_PRIVATE), &err),
			     -EINVAL, &err, SCRATCH "/shared/point", "set propagation", "replaces");
	assert_ok(idm_umount(AT_FDCWD, SCRATCH "/shared/point", IDM_UMOUNT_RECURSIVE, &err), &err);
	snapshot_assert_same(before);
}

/* Replaces the mount at "point" of SCRATCH "/shared", which has "point/below" on it, and a bind
 * elsewhere. */
static void replace_bound(int expected)
{
	AUTO_FD int tree = tree_of(SOURCE, "1000:5,1001:6");
	struct idm_error err;
	int r;

	scratch_dir(SCRATCH "/shared/point");
	do_mount("point", SCRATCH "/shared/point", "tmpfs", 0, NULL);
	do_mount(NULL, SCRATCH "/shared/point", NULL, MS_SHARED_, NULL);
	scratch_dir(SCRATCH "/shared/point/below");
	do_mount("below", SCRATCH "/shared/point/below", "tmpfs", 0, NULL);
	scratch_dir(SCRATCH "/bound");
	do_mount(SCRATCH "/shared/point", SCRATCH "/bound", NULL,
		 (1 << 12) | (1 << 14) /* MS_BIND | MS_REC */, NULL);
	r = idm_tree_attach(tree, AT_FDCWD, SCRATCH "/shared/point",
			    ATTACH(IDM_ATTACH_REPLACE, IDM_PROPAGATION_DEFAULT), &err);
	if (expected == 0)
		assert_ok(r, &err);
	else
		assert_error(r, expected, &err, SCRATCH "/shared/point", "attach",
			     SCRATCH "/bound/below");
	do_umount(SCRATCH "/bound/below"); /* it is there in both cases */
}

TEST_SINCE(6, 5, replacing_is_refused, replacing_unmounts_nothing_elsewhere)
{
	AUTO_FD int unused = enter();

	scratch_dir(SCRATCH "/shared");
	replace_bound(0);
	do_umount(SCRATCH "/bound");
	do_umount(SCRATCH "/shared/point");
	do_mount("shared", SCRATCH "/shared", "tmpfs", 0, NULL);
	do_mount(NULL, SCRATCH "/shared", NULL, MS_SHARED_, NULL);
	replace_bound(-EBUSY);
}

TEST(no_right_to_attach_is_said)
{
	AUTO_FD int tree = enter();
	struct idm_error err;

	must(chmod(SCRATCH, 0755));
	become_user(unused_uid(), 1000);
	assert_error(idm_tree_attach(tree, AT_FDCWD, TARGET, NULL, &err), -EPERM, &err, TARGET, "attach",
		     "it requires CAP_SYS_ADMIN");
}

/* ---- which of the two it is ---- */

static int opened(const char *path)
{
	return (int)must(open(path, O_PATH | O_CLOEXEC));
}

/* Refused at the target `fd`, with nothing changed. */
static void assert_why(int tree, int fd, unsigned int flags, int code, const char *reason)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	assert_refused(tree, AT_FDCWD, path, flags | IDM_ATTACH_FOLLOW, code, path, "attach", reason);
}

TEST(a_source_that_was_deleted)
{
	AUTO_FD int tree = enter(), dir = -1, file = -1, linked = -1, target = opened(TARGET),
		    empty = -1;

	scratch_dir(SOURCE "/gone");
	scratch_file(SOURCE "/gone-file", "");
	scratch_file(SOURCE "/linked", "");
	must(link(SOURCE "/linked", SOURCE "/other-name"));
	scratch_file(SCRATCH "/empty", "");
	dir = tree_of(SOURCE "/gone", "0:0:1");
	file = tree_of(SOURCE "/gone-file", "0:0:1");
	linked = tree_of(SOURCE "/linked", "0:0:1");
	empty = opened(SCRATCH "/empty");
	must(rmdir(SOURCE "/gone"));
	must(unlink(SOURCE "/gone-file"));
	must(unlink(SOURCE "/linked"));
	assert_why(dir, target, 0, -ENOENT, "the source was deleted");
	assert_why(file, empty, 0, -ENOENT, "the source was deleted");
	assert_why(linked, empty, 0, -ENOENT, "the source was deleted");
	assert_refused(dir, AT_FDCWD, TARGET, 0, -ENOENT, TARGET, "attach", "the source was deleted");
}

TEST(a_target_that_was_deleted)
{
	AUTO_FD int tree = enter(), target = opened(TARGET);

	must(rmdir(TARGET));
	assert_why(tree, target, 0, -ENOENT, "the target was deleted");
}

static void enter_mount_namespace(void *unused)
{
	(void)unused;
	must(unshare(CLONE_NEWNS));
}

TEST(a_target_in_another_mount_namespace)
{
	AUTO_FD int tree = enter(), target = -1;
	struct neighbour n = neighbour_start(enter_mount_namespace, NULL);
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/root" TARGET, (int)n.pid);
	target = opened(path);
	assert_why(tree, target, 0, -EINVAL, "the target is on a mount of another mount namespace");
	neighbour_end(&n);
}

TEST(a_target_that_was_unmounted)
{
	AUTO_FD int tree = enter(), target = -1;
	struct idm_error err;
	char path[64];

	do_mount("t", TARGET, "tmpfs", 0, NULL);
	target = opened(TARGET);
	must(umount2(TARGET, MNT_DETACH));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", target);
	assert_true(idm_tree_attach(tree, AT_FDCWD, path,
				    ATTACH(IDM_ATTACH_FOLLOW, IDM_PROPAGATION_DEFAULT), &err) < 0);
	assert_contains(PART(err, reason), "attached nowhere");
}

TEST(what_is_no_tree)
{
	AUTO_FD int tree = enter(), target = opened(TARGET), place = -1;

	scratch_dir(SOURCE "/below");
	place = opened(SOURCE "/below");
	assert_why(place, target, 0, -EINVAL, "expected the root of a tree");
}

TEST(a_block_device_on_a_directory)
{
	AUTO_FD int tree = enter(), device = -1;
	struct idm_error err;

	if (mknod(SOURCE "/device", S_IFBLK | 0600, makedev(7, 0)) < 0)
		skip_test("no block devices can be made here");
	device = tree_of(SOURCE "/device", "0:0:1");
	assert_error(idm_tree_attach(device, AT_FDCWD, TARGET, NULL, &err), -EISDIR, &err, TARGET,
		     "attach", "expected a directory as source, got a block device");
	assert_contains(err.hint, "mount the filesystem on the device first");
}

// SPDX-License-Identifier: MIT
/*
 * Undoing and unmounting while another user owns directories on the way, including that of the journal.
 * All other mounts and files stay. One test works by path, and the same attacker beats it.
 */
#include "hostile.h"
#include "lib/mount/umount-fd.h"
#include "tests/integration/rootfs/plans.h"

#define JOURNAL SCRATCH "/journal"
#define BOX SCRATCH "/box" /* the attacker's directory */
#define VICTIM SCRATCH "/victim"

static const struct pair way = { BOX "/way", BOX "/other" };

/* "way" is a directory with a target. "other" is a link to a directory with a mounted target. */
static uid_t enter_box(void)
{
	uid_t user = unused_uid();

	must(chmod(SCRATCH, 0755));
	users_dir(BOX, user);
	users_dir(BOX "/way", user);
	scratch_dir(BOX "/way/target");
	users_link(VICTIM, BOX "/other", user);
	scratch_dir(VICTIM "/target");
	do_mount("victim", VICTIM "/target", "tmpfs", 0, NULL);
	return user;
}

static bool victim_is_mounted(void)
{
	struct statx st;

	must(statx(AT_FDCWD, VICTIM "/target", 0, 0, &st));
	return st.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

static void apply_with_journal(int dirfd, const char *target, const char *journal)
{
	AUTO_PLAN struct idm_plan *plan = plan_new();
	struct idm_plan_apply_options o = IDM_PLAN_APPLY_OPTIONS_INIT;
	struct idm_error err;

	plan_step(plan, "bind", ROOT, "/", MAP, NULL);
	plan_step(plan, "tmpfs", NULL, "/etc", NULL);
	o.flags = IDM_PLAN_APPLY_MKDIR;
	o.journal = journal;
	assert_ok(idm_plan_apply(plan, dirfd, target, &o, &err), &err);
}

static void undo(const char *journal)
{
	struct idm_error err;

	assert_ok(idm_plan_undo(journal, 0, &err), &err);
}

/* Repeats the undo until every path has led to the right directory. */
static void undo_in_the_end(const char *journal)
{
	struct idm_error err;
	int r;

	do
		r = idm_plan_undo(journal, 0, &err);
	while (r == -EBUSY || r == -ENOENT || r == -ENOTDIR || r == -ELOOP || r == -EINVAL);
	assert_ok(r, &err);
}

TEST_WITHIN(an_undo_unmounts_nothing_else, 120)
{
	unsigned int n = attempts(600);
	struct attack attack;
	AUTO_FD int real = -1;
	uid_t user;

	enter_image();
	user = enter_box();
	real = (int)must(open(BOX "/way", O_PATH | O_CLOEXEC));
	attack = attack_start(&way, 1, user);
	for (unsigned int i = 0; i < n; i++) {
		apply_with_journal(real, "target", JOURNAL);
		undo_in_the_end(JOURNAL);
		assert_true(victim_is_mounted());
	}
	attack_end(&attack);
	proof("hostile", n, "undos below a directory that is exchanged");
}

TEST_WITHIN(a_recursive_unmount_unmounts_nothing_else, 120)
{
	unsigned int n = attempts(600);
	struct attack attack;
	uid_t user;

	scratch_enter();
	scratch_dir(BOX);
	do_mount("box", BOX, "tmpfs", 0, "mode=0755"); /* the mount to unmount with all mounts below */
	user = enter_box();
	for (unsigned int i = 0; i < n; i++) {
		AUTO_FD int real = (int)must(open(BOX "/way", O_PATH | O_CLOEXEC));
		AUTO_FD int tree = tree_of(VICTIM, "0:1:1"), box = -1;
		struct idm_error err;
		int r;

		box = (int)assert_ok(idm_sys_open_tree(AT_FDCWD, BOX, OPEN_TREE_CLONE), NULL);
		assert_ok(idm_tree_attach(tree, real, "target", NULL, &err), &err);
		close_fd(&tree);
		close_fd(&real);
		tree = real = -1;
		attack = attack_start(&way, 1, user);
		do
			r = idm_umount(AT_FDCWD, BOX, IDM_UMOUNT_RECURSIVE, &err);
		while (r == -EXDEV || r == -ELOOP || r == -ENOENT || r == -EBUSY);
		assert_ok(r, &err);
		assert_true(victim_is_mounted());
		must(kill(attack.pid, SIGKILL));
		must(waitpid(attack.pid, NULL, 0));
		must(munmap(attack.swaps, 4096));
		attach_at(box, BOX);
		if (i >= n / 20) /* each round starts another attack, which is slow */
			break;
		/* The attack may have left the link at the path of the directory. */
		if (access(BOX "/way/target", F_OK) < 0 ||
		    mount_at(BOX "/way/target").id != mount_at(BOX).id)
			must(syscall(SYS_renameat2, AT_FDCWD, way.a, AT_FDCWD, way.b, 2));
	}
	proof("hostile", n / 20, "recursive unmounts below a directory that is exchanged");
}

/* ---- the naive way ---- */

static uint64_t id_at(const char *path)
{
	AUTO_FD int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? 0 : place_of(fd).id;
}

/* Checks that the path leads to the right mount, and then unmounts by path. */
TEST_WITHIN(looking_before_unmounting_by_path_is_beaten, 600)
{
	static const char path[] = BOX "/way/target";
	unsigned long tries = 0;
	struct attack attack;
	AUTO_FD int real = -1;
	uid_t user;

	enter_image();
	user = enter_box();
	real = (int)must(open(BOX "/way", O_PATH | O_CLOEXEC));
	attack = attack_start(&way, 1, user);
	for (; victim_is_mounted(); tries++) {
		AUTO_FD int tree = tree_of(ROOT, "0:1:1");
		struct idm_error err;
		uint64_t id;

		assert_ok(idm_tree_attach(tree, real, "target", NULL, &err), &err);
		id = place_of(tree).id;
		if (id_at(path) == id && sched_yield() == 0) /* other processes run in between */
			idm_sys_umount(path, UMOUNT_NOFOLLOW | MNT_DETACH);
		if (faccessat(real, "target/etc", F_OK, 0) == 0)
			idm_detach_mount(tree);
	}
	attack_end(&attack);
	note("beaten at the %lu. try", tries);
	proof("hostile", 1, "naive ways, each of which the same attacker has to beat");
}

/* ---- the journal ---- */

TEST(a_journal_that_is_a_link_to_another)
{
	struct snapshot *before;
	struct idm_error err;

	enter_image();
	scratch_dir(SCRATCH "/theirs");
	apply_with_journal(AT_FDCWD, TARGET, JOURNAL);
	must(symlink(JOURNAL, SCRATCH "/theirs/journal"));
	before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
	assert_error(idm_plan_undo(SCRATCH "/theirs/journal", 0, &err), -ELOOP, &err,
		     SCRATCH "/theirs/journal", "read journal", "symbolic link");
	snapshot_assert_same(before);
	undo(JOURNAL);
}

/* The owner of the directory can rename the journal, but cannot forge one. */
TEST(a_journal_in_somebody_elses_directory)
{
	AUTO_FREE char *text = NULL;
	uid_t user = unused_uid();
	struct snapshot *before;
	struct idm_error err;
	AUTO_FD int fd = -1;

	enter_image();
	users_dir(SCRATCH "/theirs", user);
	apply_with_journal(AT_FDCWD, TARGET, SCRATCH "/theirs/journal");
	text = calloc(1, 65536);
	fd = (int)must(open(SCRATCH "/theirs/journal", O_RDONLY | O_CLOEXEC));
	must(read(fd, text, 65535));
	close_fd(&fd);
	fd = -1;
	must(rename(SCRATCH "/theirs/journal", SCRATCH "/theirs/away"));
	scratch_file(SCRATCH "/theirs/journal", text);
	must(chmod(SCRATCH "/theirs/journal", 0600));
	must(chown(SCRATCH "/theirs/journal", user, user));
	before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
	assert_error(idm_plan_undo(SCRATCH "/theirs/journal", 0, &err), -EPERM, &err,
		     SCRATCH "/theirs/journal", "read journal", "other users can write to it");
	snapshot_assert_same(before);
	undo(SCRATCH "/theirs/away");
}

#define PRECIOUS "this is not a journal"

/* The undo removes the journal that it has read. */
TEST_WITHIN(a_directory_of_journals_that_is_exchanged, 120)
{
	static const struct pair directories = { BOX "/own", BOX "/others" };
	unsigned int n = attempts(300);
	uid_t user = unused_uid();
	struct attack attack;
	AUTO_FD int own = -1, others = -1;
	char path[64];

	enter_image();
	must(chmod(SCRATCH, 0755));
	users_dir(BOX, user);
	users_dir(BOX "/own", user);
	users_dir(BOX "/others", user);
	scratch_file(BOX "/others/journal", PRECIOUS);
	own = (int)must(open(BOX "/own", O_PATH | O_CLOEXEC));
	others = (int)must(open(BOX "/others", O_PATH | O_CLOEXEC));
	snprintf(path, sizeof(path), "/proc/self/fd/%d/journal", own);
	attack = attack_start(&directories, 1, user);
	for (unsigned int i = 0; i < n; i++) {
		struct idm_error err;
		int r;

		apply_with_journal(AT_FDCWD, TARGET, path);
		do
			r = idm_plan_undo(BOX "/own/journal", 0, &err);
		while (r == -EINVAL); /* it read the other file */
		assert_ok(r, &err);
		must(faccessat(others, "journal", F_OK, 0));
		assert_int_equal(faccessat(own, "journal", F_OK, 0), -1);
	}
	attack_end(&attack);
	proof("hostile", n, "undos with a journal in a directory that is exchanged");
}

/* Exchanges the directory of the journal during an apply that fails later. */
static int exchange_directories(size_t done, size_t all, void *data)
{
	(void)all;
	(void)data;
	if (done == 1)
		must(syscall(SYS_renameat2, AT_FDCWD, SCRATCH "/own", AT_FDCWD, SCRATCH "/others", 2));
	return 0;
}

TEST(a_failing_apply_removes_its_own_journal)
{
	AUTO_PLAN struct idm_plan *plan = plan_new();
	struct idm_plan_apply_options o = IDM_PLAN_APPLY_OPTIONS_INIT;
	struct idm_error err;

	enter_image();
	scratch_dir(SCRATCH "/own");
	scratch_dir(SCRATCH "/others");
	scratch_file(SCRATCH "/others/journal", PRECIOUS);
	plan_step(plan, "bind", ROOT, "/", NULL);
	plan_step(plan, "bind", "/no/source", "/etc", NULL);
	o.journal = SCRATCH "/own/journal";
	o.progress = exchange_directories;
	assert_error(idm_plan_apply(plan, AT_FDCWD, TARGET, &o, &err), -ENOENT, &err, "/no/source", NULL,
		     NULL);
	must(access(SCRATCH "/own/journal", F_OK)); /* this was the other directory */
	assert_int_equal(access(SCRATCH "/others/journal", F_OK), -1);
}

/* ---- paths in the journal ---- */

TEST(a_path_that_has_become_a_link)
{
	struct snapshot *before;
	struct idm_error err;

	enter_image();
	scratch_dir(SCRATCH "/elsewhere/target");
	apply_with_journal(AT_FDCWD, SCRATCH "/deep/er/target", JOURNAL);
	must(rename(SCRATCH "/deep/er", SCRATCH "/moved"));
	must(symlink("../elsewhere", SCRATCH "/deep/er"));
	do_umount(SCRATCH "/moved/target");
	before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
	/* The created directory contains the link, so the journal stays. */
	assert_error(idm_plan_undo(JOURNAL, 0, &err), -ENOTEMPTY, &err, SCRATCH "/deep", NULL, NULL);
	snapshot_assert_same(before);
}

/* Leaves the journal as after a crash: its last line is that of the root. Then another user makes a
 * mount. */
static void crash_and_mount(void)
{
	char *text = calloc(1, 65536), *end;
	AUTO_FD int fd = -1;

	apply_with_journal(AT_FDCWD, TARGET, JOURNAL);
	fd = (int)must(open(JOURNAL, O_RDWR | O_CLOEXEC));
	must(read(fd, text, 65535));
	end = strstr(text, "\nmount ");
	assert_non_null(end);
	must(ftruncate(fd, end + 1 - text));
	free(text);
	do_mount("foreign", TARGET "/bin", "tmpfs", 0, NULL);
}

/* Before Linux 6.8 the kernel reuses numbers of mounts. So the age of a mount is unknown, and the undo
 * unmounts those of other users, too. */
static void mounts_of_others_go_too(void)
{
	struct snapshot *all;

	if (kernel_is_before(5, 12)) {
		mounts_are_refused();
		return;
	}
	enter_image();
	all = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
	crash_and_mount();
	undo(JOURNAL);
	snapshot_assert_same(all);
}

/* The mounts of the plan are older than its limit. */
TEST_SINCE(6, 8, mounts_of_others_go_too, mounts_of_others_after_a_crash)
{
	struct snapshot *all, *before;
	struct idm_error err;

	enter_image();
	all = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
	crash_and_mount();
	before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
	assert_error(idm_plan_undo(JOURNAL, 0, &err), -EBUSY, &err, TARGET "/bin", "undo",
		     "does not name");
	snapshot_assert_same(before);
	do_umount(TARGET "/bin");
	undo(JOURNAL);
	snapshot_assert_same(all);
}

/* ---- created files ---- */

static int put_another_file_there(size_t done, size_t all, void *data)
{
	(void)all;
	(void)data;
	if (done != 1)
		return 0;
	scratch_file(SCRATCH "/precious", PRECIOUS);
	must(rename(SCRATCH "/precious", SCRATCH "/new/file"));
	return 0;
}

TEST(a_failing_apply_removes_what_it_created_and_nothing_else)
{
	AUTO_PLAN struct idm_plan *plan = plan_new();
	struct idm_plan_apply_options o = IDM_PLAN_APPLY_OPTIONS_INIT;
	struct idm_error err;

	enter_image();
	plan_step(plan, "bind", ROOT "/bin/sh", "/", NULL);
	plan_step(plan, "tmpfs", NULL, "/etc", NULL);
	o.flags = IDM_PLAN_APPLY_MKDIR;
	o.progress = put_another_file_there;
	assert_error(idm_plan_apply(plan, AT_FDCWD, SCRATCH "/new/file", &o, &err), -ENOTDIR, &err, NULL,
		     "assemble plan", "got a file");
	must(access(SCRATCH "/new/file", F_OK));
	o.progress = NULL;
	must(unlink(SCRATCH "/new/file"));
	must(rmdir(SCRATCH "/new"));
	assert_error(idm_plan_apply(plan, AT_FDCWD, SCRATCH "/new/file", &o, &err), -ENOTDIR, &err, NULL,
		     "assemble plan", "got a file");
	assert_int_equal(access(SCRATCH "/new", F_OK), -1);
}

// SPDX-License-Identifier: MIT
/* Undo by journal removes exactly what was created, wherever the program that created it died. */
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "lib/journal/journal.h"
#include "lib/sys/syscall.h"
#include "tests/integration/rootfs/plans.h"

#define JOURNAL SCRATCH "/journal"
#define DEEP SCRATCH "/deep/er/target" /* not there before */

/* A root with targets that have to be created. */
static struct idm_plan *some_plan(void)
{
	struct idm_plan *plan = plan_new();

	plan_step(plan, "bind", ROOT, "/", MAP, NULL);
	plan_step(plan, "tmpfs", "tmpfs", "/var/tmp", NULL);
	plan_step(plan, "tmpfs", "tmpfs", "/var/tmp/inner", NULL);
	return plan;
}

static void apply_with_journal(const struct idm_plan *plan, const char *target)
{
	struct idm_plan_apply_options o = IDM_PLAN_APPLY_OPTIONS_INIT;
	struct idm_error err;

	o.flags = IDM_PLAN_APPLY_MKDIR;
	o.journal = JOURNAL;
	assert_ok(idm_plan_apply(plan, AT_FDCWD, target, &o, &err), &err);
}

static void undo(void)
{
	struct idm_error err;

	assert_ok(idm_plan_undo(JOURNAL, 0, &err), &err);
}

static void assert_not_undone(int code, const char *subject, const char *reason)
{
	struct snapshot *before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
	struct idm_error err;

	assert_error(idm_plan_undo(JOURNAL, 0, &err), code, &err, subject, NULL, reason);
	snapshot_assert_same(before);
}

static char *read_journal(void)
{
	char *text = calloc(1, 65536);
	AUTO_FD int fd = (int)must(open(JOURNAL, O_RDONLY | O_CLOEXEC));

	must(read(fd, text, 65535));
	return text;
}

static void write_journal(const char *text, size_t length)
{
	AUTO_FD int fd = (int)must(open(JOURNAL, O_WRONLY | O_TRUNC | O_CREAT | O_CLOEXEC, 0600));

	assert_int_equal(must(write(fd, text, length)), length);
}

TEST(all_that_was_made_goes)
{
	AUTO_PLAN struct idm_plan *plan = some_plan();
	struct snapshot *before;

	enter_image();
	before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
	apply_with_journal(plan, DEEP);
	assert_mounted(DEEP "/var/tmp/inner");
	undo();
	snapshot_assert_same(before);
}

TEST(what_was_there_before_stays)
{
	AUTO_PLAN struct idm_plan *plan = some_plan();
	struct snapshot *before;

	enter_image();
	scratch_dir(SCRATCH "/deep");
	scratch_dir(ROOT "/var");
	do_mount("mine", SCRATCH "/deep", "tmpfs", 0, NULL);
	before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
	apply_with_journal(plan, DEEP);
	undo();
	snapshot_assert_same(before);
}

TEST(a_read_only_root_is_undone_too)
{
	AUTO_PLAN struct idm_plan *plan = plan_new();
	struct snapshot *before;

	enter_image();
	scratch_file(SCRATCH "/file", "");
	add_flags = IDM_PLAN_ADD_MKDIR | IDM_PLAN_ADD_RDONLY_LAST;
	plan_step(plan, "bind", ROOT, "/", "ro", NULL);
	add_flags = IDM_PLAN_ADD_MKDIR;
	plan_step(plan, "tmpfs", NULL, "/a/b/c", NULL);
	plan_step(plan, "bind", SCRATCH "/file", "/etc/resolv.conf", NULL);
	before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
	apply_with_journal(plan, TARGET);
	undo();
	snapshot_assert_same(before);
}

TEST(targets_with_odd_names)
{
	AUTO_PLAN struct idm_plan *plan = plan_new();
	struct snapshot *before;

	enter_image();
	plan_step(plan, "bind", ROOT, "/", NULL);
	plan_step(plan, "tmpfs", NULL, "/a b\n\\c\xff", NULL);
	before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
	apply_with_journal(plan, SCRATCH "/with a blank\nand\\040more");
	undo();
	snapshot_assert_same(before);
}

/* Other mounts below are visible only if the test's mount is the recursive one. */
TEST(a_recursive_bind_goes_with_all_below)
{
	AUTO_PLAN struct idm_plan *plan = plan_new();
	struct snapshot *before;

	enter_image();
	scratch_dir(ROOT "/sub");
	do_mount("sub", ROOT "/sub", "tmpfs", 0, NULL);
	must(mkdir(ROOT "/sub/sub", 0755));
	do_mount("sub", ROOT "/sub/sub", "tmpfs", 0, NULL);
	plan_step(plan, "bind", ROOT, "/", "rbind", NULL);
	before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
	apply_with_journal(plan, TARGET);
	assert_mounted(TARGET "/sub/sub");
	undo();
	snapshot_assert_same(before);
}

TEST(mounts_are_found_where_they_were_moved_to)
{
	AUTO_PLAN struct idm_plan *plan = some_plan();
	struct snapshot *before;

	enter_image();
	scratch_dir(SCRATCH "/elsewhere");
	before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
	apply_with_journal(plan, DEEP);
	if (mount_at(DEEP).id < 1UL << 31) { /* reused IDs: "together with their places" */
		undo();
		snapshot_assert_same(before);
		return;
	}
	do_mount(DEEP, SCRATCH "/elsewhere", NULL, 8192 /* MS_MOVE */, NULL);
	undo();
	snapshot_assert_same(before);
}

TEST(what_has_gone_already_is_passed_over)
{
	AUTO_PLAN struct idm_plan *plan = some_plan();
	struct snapshot *before;

	enter_image();
	before = snapshot_take(SNAPSHOT_MOUNTS);
	apply_with_journal(plan, DEEP);
	do_umount(DEEP "/var/tmp/inner");
	do_umount(DEEP "/var/tmp");
	undo();
	snapshot_assert_same(before);

	before = snapshot_take(SNAPSHOT_MOUNTS);
	apply_with_journal(plan, DEEP);
	do_umount(DEEP);
	must(rmdir(DEEP));
	undo();
	snapshot_assert_same(before);
	assert_int_equal(access(SCRATCH "/deep", F_OK), -1);
}

TEST(somebody_elses_mount_in_it_stops_everything)
{
	AUTO_PLAN struct idm_plan *plan = some_plan();
	struct snapshot *before;

	enter_image();
	before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
	apply_with_journal(plan, DEEP);
	do_mount("foreign", DEEP "/etc", "tmpfs", 0, NULL);
	assert_not_undone(-EBUSY, DEEP "/etc", "does not name");
	do_umount(DEEP "/etc");
	do_mount("foreign", DEEP, "tmpfs", 0, NULL); /* over it */
	assert_not_undone(-EBUSY, DEEP, "does not name");
	do_umount(DEEP);
	undo();
	snapshot_assert_same(before);
}

/* The path that a mount is at leads to another one, which stays. */
TEST(a_hidden_mount_is_not_confused_with_what_hides_it)
{
	AUTO_PLAN struct idm_plan *plan = some_plan();
	struct snapshot *before;

	enter_image();
	scratch_dir(SCRATCH "/place");
	before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
	apply_with_journal(plan, SCRATCH "/place/target");
	do_mount("foreign", SCRATCH "/place", "tmpfs", 0, NULL);
	must(mkdir(SCRATCH "/place/target", 0755));
	do_mount("foreign", SCRATCH "/place/target", "tmpfs", 0, NULL);
	scratch_dir(SCRATCH "/place/target/var/tmp/inner");
	assert_not_undone(-EBUSY, SCRATCH "/place/target", "hides it");
	do_umount(SCRATCH "/place");
	undo();
	snapshot_assert_same(before);
}

TEST(a_busy_mount)
{
	AUTO_PLAN struct idm_plan *plan = some_plan();
	struct snapshot *before;
	struct idm_error err;
	int fd;

	enter_image();
	before = snapshot_take(SNAPSHOT_MOUNTS | SNAPSHOT_FILES);
	apply_with_journal(plan, DEEP);
	fd = (int)must(open(DEEP "/var/tmp/inner", O_RDONLY | O_CLOEXEC));
	assert_not_undone(-EBUSY, DEEP "/var/tmp/inner", "in use");
	assert_ok(idm_plan_undo(JOURNAL, IDM_PLAN_UNDO_LAZY, &err), &err);
	must(close(fd));
	snapshot_assert_same(before);
}

TEST(a_directory_that_somebody_filled_is_left)
{
	AUTO_PLAN struct idm_plan *plan = some_plan();
	struct idm_error err;
	struct snapshot *before;

	enter_image();
	before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
	apply_with_journal(plan, DEEP);
	owned_file(SCRATCH "/deep/theirs", 1, 1);
	assert_error(idm_plan_undo(JOURNAL, 0, &err), -ENOTEMPTY, &err, SCRATCH "/deep", "undo", NULL);
	must(access(SCRATCH "/deep/theirs", F_OK));
	assert_int_equal(access(SCRATCH "/deep/er", F_OK), -1);
	/* Everything else is undone; once it is empty, the rest can be. */
	must(unlink(SCRATCH "/deep/theirs"));
	undo();
	snapshot_assert_same(before);
}

TEST(a_directory_that_is_another_one_now_is_left)
{
	AUTO_PLAN struct idm_plan *plan = some_plan();

	enter_image();
	apply_with_journal(plan, SCRATCH "/deep");
	do_umount(SCRATCH "/deep");
	must(mkdir(SCRATCH "/other", 0755));
	must(rmdir(SCRATCH "/deep"));
	must(rename(SCRATCH "/other", SCRATCH "/deep"));
	undo();
	must(access(SCRATCH "/deep", F_OK));
}

/* An inode number that is used again, as after a restart, is not the same directory. */
TEST(a_directory_that_was_made_later_is_left)
{
	AUTO_PLAN struct idm_plan *plan = some_plan();
	AUTO_FREE char *text = NULL;
	struct stat st;
	char *line;

	enter_image();
	apply_with_journal(plan, SCRATCH "/deep");
	text = read_journal();
	do_umount(SCRATCH "/deep");
	must(stat(SCRATCH "/deep", &st));
	line = strstr(strstr(text, "\ndirectory 0 ") + 1,
		      "\ndirectory "); /* the first one announces it */
	assert_int_equal(strtoull(line + strlen("\ndirectory "), &line, 10), st.st_ino);
	if (strncmp(line, " 0 ", 3) == 0) /* the filesystem does not tell */
		return undo();
	line[strcspn(line + 1, " ")] ^= 1; /* the last digit of the time */
	write_journal(text, strlen(text));
	undo();
	must(rmdir(SCRATCH "/deep"));
}

/* As if the program had died right after it had said what it would create, so many seconds ago. */
static void die_before_creating(unsigned long long seconds)
{
	AUTO_PLAN struct idm_plan *plan = some_plan();
	AUTO_FREE char *text = NULL, *shorter = NULL;
	unsigned long long born;
	char *line;

	apply_with_journal(plan, SCRATCH "/deep");
	text = read_journal();
	do_umount(SCRATCH "/deep");
	line = strstr(text, "\ndirectory 0 ") + 1;
	assert_int_equal(sscanf(line, "directory 0 %llu", &born), 1);
	*line = '\0';
	must(asprintf(&shorter, "%sdirectory 0 %llu " SCRATCH "/deep\n", text,
		      born - seconds * 1000000000));
	write_journal(shorter, strlen(shorter));
	undo();
}

TEST(what_may_have_been_created_last)
{
	struct stat st;

	enter_image();
	die_before_creating(1);
	assert_int_equal(stat(SCRATCH "/deep", &st), -1);
	die_before_creating(11);
	must(rmdir(SCRATCH "/deep"));
}

/* What is bound into the root is not gone with it. */
TEST(what_was_created_in_a_volume)
{
	AUTO_PLAN struct idm_plan *plan = plan_new();
	struct snapshot *before;

	enter_image();
	scratch_dir(SCRATCH "/volume");
	plan_step(plan, "bind", ROOT, "/", "ro", NULL);
	plan_step(plan, "bind", SCRATCH "/volume", "/etc", NULL);
	plan_step(plan, "tmpfs", NULL, "/etc/a/b", NULL);
	plan_step(plan, "bind", SCRATCH "/volume", "/etc/a/b", NULL);
	plan_step(plan, "tmpfs", NULL, "/etc/a/b/c", NULL);
	before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
	apply_with_journal(plan, DEEP);
	must(access(SCRATCH "/volume/c", F_OK));
	undo();
	snapshot_assert_same(before);
}

/* ---- at the same time ---- */

static void undo_beside(void *arg)
{
	struct idm_error err;

	(void)arg;
	assert_error(idm_plan_undo(JOURNAL, 0, &err), -EBUSY, &err, JOURNAL, "lock journal",
		     "another process");
}

static int undo_in_between(size_t done, size_t all, void *data)
{
	int *times = data;

	(void)done;
	(void)all;
	++*times;
	in_child(undo_beside, NULL);
	return 0;
}

static int cancel_at(size_t done, size_t all, void *data)
{
	const size_t *at = data;

	(void)all;
	return done == *at ? -1 : 0;
}

TEST(a_canceled_apply_leaves_nothing_behind)
{
	static const unsigned int ways[] = { 0, IDM_PLAN_APPLY_IN_NAMESPACE };

	enter_image();
	for (size_t i = 0; i < 6; i++) {
		AUTO_PLAN struct idm_plan *plan = some_plan();
		struct idm_plan_apply_options o = IDM_PLAN_APPLY_OPTIONS_INIT;
		struct snapshot *before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
		size_t at = 1 + i % 3;
		struct idm_error err;

		o.flags = IDM_PLAN_APPLY_MKDIR | ways[i / 3];
		o.journal = JOURNAL;
		o.progress = cancel_at;
		o.progress_data = &at;
		assert_error(idm_plan_apply(plan, AT_FDCWD, DEEP, &o, &err), -ECANCELED, &err, "",
			     "assemble plan", "canceled");
		o.journal = NULL;
		assert_error(idm_plan_open(plan, &o, &err), -ECANCELED, &err, "", "assemble plan",
			     "canceled");
		snapshot_assert_same(before);
	}
}

/* As long as it is written, it does not say all. */
TEST(a_journal_that_is_being_written)
{
	AUTO_PLAN struct idm_plan *plan = some_plan();
	struct idm_plan_apply_options o = IDM_PLAN_APPLY_OPTIONS_INIT;
	struct snapshot *before;
	struct idm_error err;
	int times = 0;

	enter_image();
	before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
	o.flags = IDM_PLAN_APPLY_MKDIR;
	o.journal = JOURNAL;
	o.progress = undo_in_between;
	o.progress_data = &times;
	assert_ok(idm_plan_apply(plan, AT_FDCWD, DEEP, &o, &err), &err);
	assert_int_equal(times, 3);
	undo();
	snapshot_assert_same(before);
}

TEST(two_at_once)
{
	AUTO_PLAN struct idm_plan *plan = some_plan();
	struct snapshot *before;

	enter_image();
	before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
	for (int i = 0; i < 20; i++) {
		int done = 0;
		pid_t pids[3];

		apply_with_journal(plan, DEEP);
		for (size_t k = 0; k < ARRAY_SIZE(pids); k++) {
			pids[k] = (pid_t)must(fork());
			if (pids[k] == 0) {
				struct idm_error err;
				int r = idm_plan_undo(JOURNAL, 0, &err);

				if (r == -EBUSY)
					assert_int_equal(err.step, IDM_STEP_LOCK_JOURNAL);
				_exit(r == 0 ? 0 : r == -EBUSY || r == -ENOENT ? 1 : 2);
			}
		}
		for (size_t k = 0; k < ARRAY_SIZE(pids); k++) {
			int status;

			must(waitpid(pids[k], &status, 0));
			assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
			done += WEXITSTATUS(status) == 0;
		}
		assert_int_equal(done, 1);
	}
	snapshot_assert_same(before);
}

/* A mount that another process unmounts after the query counts as undone. */
TEST(others_unmount_during_the_undo)
{
	AUTO_PLAN struct idm_plan *plan = some_plan();
	struct snapshot *before;
	struct rng rng = rng_new(2);

	enter_image();
	before = snapshot_take(SNAPSHOT_MOUNTS);
	for (int i = 0; i < (test_is_slow() ? 20 : 60); i++) {
		static const char *const places[] = { DEEP, DEEP "/var/tmp", DEEP "/var/tmp/inner" };
		const char *place = places[rng_below(&rng, 3)];
		struct idm_error err;
		bool unique;
		pid_t pid;

		apply_with_journal(plan, DEEP);
		unique = mount_at(DEEP).id >= 1UL << 31;
		pid = (pid_t)must(fork());
		if (pid == 0) {
			usleep(rng_below(&rng, 1500));
			idm_sys_umount(place, MNT_DETACH);
			_exit(0);
		}
		if (unique)
			assert_ok(idm_plan_undo(JOURNAL, 0, &err), &err);
		await_child(pid);
		if (!unique)
			undo();
		snapshot_assert_same(before);
		before = snapshot_take(SNAPSHOT_MOUNTS);
	}
	snapshot_free(before);
}

/* ---- crashes ---- */

/* Removes a directory unless the first `length` bytes of the journal name it: it was not there yet. */
static void remove_unless_named(const char *path, const char *text, size_t length)
{
	AUTO_FREE char *named = strndup(text, length), *line = NULL;

	must(asprintf(&line, " %s\n", path));
	if (!strstr(named, line))
		must(rmdir(path));
}

/*
 * The program died right after it had written the first `length` bytes, so that what comes later may or
 * may not have been done. Before the line of the root nothing is attached, and what was created in the
 * root filesystem is out of reach.
 */
TEST(a_journal_that_ends_anywhere)
{
	AUTO_PLAN struct idm_plan *plan = some_plan();

	enter_image();
	for (size_t length = 0, all = 1; length <= all; length += test_is_slow() ? 7 : 1) {
		struct snapshot *before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
		AUTO_FREE char *text = NULL;
		char *root;

		apply_with_journal(plan, DEEP);
		text = read_journal();
		all = strlen(text);
		root = strstr(text, "\nroot ");
		assert_true(root != NULL);
		if (length <= (size_t)(strchr(root + 1, '\n') - text)) {
			do_umount(DEEP);
			must(rmdir(ROOT "/var/tmp"));
			must(rmdir(ROOT "/var"));
			remove_unless_named(DEEP, text, length);
			remove_unless_named(SCRATCH "/deep/er", text, length);
			remove_unless_named(SCRATCH "/deep", text, length);
		}
		write_journal(text, length);
		undo();
		assert_int_equal(access(JOURNAL, F_OK), -1);
		snapshot_assert_same(before);
	}
}

/* Applies a plan, and leaves the journal of a program that died as soon as the root was attached. */
static void die_after_attaching(const struct idm_plan *plan, unsigned int flags)
{
	struct idm_plan_apply_options o = IDM_PLAN_APPLY_OPTIONS_INIT;
	AUTO_FREE char *text = NULL;
	struct idm_error err;
	char *root;

	o.flags = flags;
	o.journal = JOURNAL;
	assert_ok(idm_plan_apply(plan, AT_FDCWD, TARGET, &o, &err), &err);
	text = read_journal();
	root = strstr(text, "\nroot ");
	assert_true(root != NULL);
	write_journal(text, (size_t)(strchr(root + 1, '\n') + 1 - text));
}

/* Of such a journal only the limit tells which mounts below are the plan's. */
TEST(the_limit_is_above_every_mount_of_the_plan)
{
	static const char *const kinds[] = { "bind", "rbind" };
	static const unsigned int ways[] = { 0, IDM_PLAN_APPLY_IN_NAMESPACE };

	enter_image();
	scratch_dir(ROOT "/one");
	scratch_dir(ROOT "/two");
	scratch_dir(SCRATCH "/volume/below");
	do_mount("below", SCRATCH "/volume/below", "tmpfs", 0, NULL);
	for (size_t first = 0; first < 2; first++)
		for (size_t last = 0; last < 2; last++)
			for (size_t way = 0; way < 2; way++) {
				AUTO_PLAN struct idm_plan *plan = plan_new();
				struct snapshot *before = snapshot_take(SNAPSHOT_ALL);

				plan_step(plan, "bind", ROOT, "/", "bind", NULL);
				plan_step(plan, "bind", SCRATCH "/volume", "/one", kinds[first], NULL);
				plan_step(plan, "bind", SCRATCH "/volume", "/two", kinds[last], NULL);
				die_after_attaching(plan, ways[way]);
				undo();
				snapshot_assert_same(before);
			}
}

/* Mounts that another process adds later are above it, and stop the undo. */
TEST(the_limit_is_below_every_mount_that_is_added_later)
{
	AUTO_PLAN struct idm_plan *plan = plan_new();

	enter_image();
	scratch_dir(ROOT "/one");
	scratch_dir(ROOT "/two");
	plan_step(plan, "bind", ROOT, "/", "bind", NULL);
	plan_step(plan, "tmpfs", "tmpfs", "/one", NULL);
	die_after_attaching(plan, 0);
	do_mount("later", TARGET "/two", "tmpfs", 0, NULL);
	if (kernel_is_before(6, 8)) { /* there is no limit, and the mount counts as one of the plan */
		undo();
		return;
	}
	assert_not_undone(-EBUSY, TARGET "/two", "the journal does not name this mount");
}

/* A mount that was there before, and was moved below since, is another one's, too. */
TEST(an_older_mount_that_was_moved_below_is_none_of_the_plan)
{
	AUTO_PLAN struct idm_plan *plan = plan_new();

	enter_image();
	scratch_dir(ROOT "/one");
	scratch_dir(ROOT "/two");
	scratch_dir(SCRATCH "/older");
	scratch_dir(SCRATCH "/other");
	do_mount("older", SCRATCH "/older", "tmpfs", 0, NULL);
	do_mount("other", SCRATCH "/other", "tmpfs", 0, NULL);
	plan_step(plan, "bind", ROOT, "/", "bind", NULL);
	plan_step(plan, "tmpfs", "tmpfs", "/one", NULL);
	die_after_attaching(plan, 0);
	do_mount(SCRATCH "/older", TARGET "/two", NULL, MS_MOVE, NULL);
	do_mount(SCRATCH "/other", TARGET "/one", NULL, MS_MOVE, NULL); /* on a mount of the plan */
	if (kernel_is_before(6,
			     8)) { /* these count as mounts of the plan, though their IDs are smaller */
		undo();
		return;
	}
	assert_not_undone(-EBUSY, TARGET "/two", "the journal does not name this mount");
}

/* What another process mounts below before the list is written is not in the list. */
TEST(a_mount_that_comes_before_the_list_is_not_in_it)
{
	struct idm_journal_writer writer;
	struct idm_error err;
	AUTO_FD int tree = -1;
	AUTO_FREE char *text = NULL;
	uint64_t id;
	bool unique;

	enter_image();
	scratch_dir(ROOT "/one");
	scratch_dir(SCRATCH "/older");
	do_mount("older", SCRATCH "/older", "tmpfs", 0, NULL);
	tree = (int)assert_ok(idm_tree_open(AT_FDCWD, ROOT, -1, NULL, &err), &err);
	must(idm_mount_id(tree, "", &id, &unique));
	assert_ok(idm_journal_writer_open(&writer, JOURNAL, &err), &err);
	assert_ok(idm_journal_limit(&writer, unique ? id : 0, &err), &err);
	attach_at(tree, TARGET);
	do_mount("foreign", TARGET "/one", "tmpfs", 0, NULL);
	do_mount(SCRATCH "/older", TARGET "/one", NULL, MS_MOVE, NULL);
	assert_ok(idm_journal_mounts(&writer, tree, &err), &err);
	idm_journal_writer_close(&writer, 0);
	text = read_journal();
	assert_true(strstr(text, "mount ") != NULL);
	if (unique)
		assert_true(strstr(text, TARGET "/one") == NULL);
}

TEST(killed_at_any_time)
{
	struct rng rng = rng_new(1);
	struct snapshot *before;

	enter_image();
	scratch_dir(ROOT "/var/tmp");
	must(prctl(PR_SET_CHILD_SUBREAPER, 1));
	before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
	for (int i = 0; i < (test_is_slow() ? 40 : 200); i++) {
		struct idm_error err;
		pid_t pid = (pid_t)must(fork());

		if (pid == 0) {
			AUTO_PLAN struct idm_plan *plan = plan_new();
			struct idm_plan_apply_options o = IDM_PLAN_APPLY_OPTIONS_INIT;

			plan_step(plan, "bind", ROOT, "/", MAP, NULL);
			plan_step(plan, "tmpfs", "tmpfs", "/var/tmp", NULL);
			o.journal = JOURNAL;
			idm_plan_apply(plan, AT_FDCWD, TARGET, &o, NULL);
			_exit(0);
		}
		must(usleep(rng_below(&rng, 3000)));
		must(kill(pid, SIGKILL));
		/* It, and the short-lived children that it may have left. */
		while (waitpid(-1, NULL, __WALL) > 0)
			;
		if (access(JOURNAL, F_OK) == 0)
			assert_ok(idm_plan_undo(JOURNAL, 0, &err), &err);
	}
	snapshot_assert_same(before);
}

TEST(after_a_restart_of_the_machine)
{
	AUTO_PLAN struct idm_plan *plan = some_plan();
	AUTO_FREE char *text = NULL;
	struct snapshot *before;

	enter_image();
	before = snapshot_take(SNAPSHOT_ALL);
	apply_with_journal(plan, DEEP);
	text = read_journal();
	do_umount(DEEP); /* as a restart does it */
	memset(strstr(text, "boot ") + 5, '0', 8);
	write_journal(text, strlen(text));
	undo();
	snapshot_assert_same(before);
	assert_int_equal(access(SCRATCH "/deep", F_OK), -1);
}

static void undo_elsewhere(void *arg)
{
	struct idm_error err;

	(void)arg;
	must(unshare(CLONE_NEWNS));
	assert_error(idm_plan_undo(JOURNAL, 0, &err), -EXDEV, &err, "", "undo", "mount namespace");
}

TEST(another_mount_namespace)
{
	AUTO_PLAN struct idm_plan *plan = some_plan();

	enter_image();
	apply_with_journal(plan, DEEP);
	in_child(undo_elsewhere, NULL);
	undo();
}

/* ---- journals ---- */

TEST(a_journal_is_not_overwritten)
{
	AUTO_PLAN struct idm_plan *plan = some_plan();
	struct idm_plan_apply_options o = IDM_PLAN_APPLY_OPTIONS_INIT;
	struct snapshot *before;
	struct idm_error err;

	enter_image();
	scratch_file(JOURNAL, "");
	before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
	o.flags = IDM_PLAN_APPLY_MKDIR;
	o.journal = JOURNAL;
	assert_error(idm_plan_apply(plan, AT_FDCWD, DEEP, &o, &err), -EEXIST, &err, JOURNAL,
		     "write journal", NULL);
	o.journal = SCRATCH "/no/journal";
	assert_error(idm_plan_apply(plan, AT_FDCWD, DEEP, &o, &err), -ENOENT, &err,
		     SCRATCH "/no/journal", "write journal", NULL);
	o.journal = "";
	assert_error(idm_plan_apply(plan, AT_FDCWD, DEEP, &o, &err), -ENOENT, &err, "", "write journal",
		     "the journal's path is empty");
	assert_error(idm_plan_undo("", 0, &err), -ENOENT, &err, "", "read journal",
		     "the journal's path is empty");
	snapshot_assert_same(before);
}

#define HEAD "idmount journal 1\nboot 01234567-89ab-cdef-0123-456789abcdef\nnamespace 1\nids unique\n"

TEST(texts_that_are_no_journal)
{
	static const char *const texts[] = {
		"a file of another program",
		"idmount journal 1 ",
		"idmount journal 2\n",
		"\n",
		"{}\n",
		"idmount journal 1\nboot \n",
		"idmount journal 1\nboot 01234567-89ab-cdef-0123-456789abcdef0123456789\n",
		"idmount journal 1\nnamespace 1\n",
		"idmount journal 1\nboot x\nnamespace -1\n",
		"idmount journal 1\nboot x\nnamespace 18446744073709551616\n",
		"idmount journal 1\nboot x\nnamespace 1\nids both\n",
		HEAD "directory 1\n",
		HEAD "directory 1 2\n",
		HEAD "directory 1 /tmp\n",
		HEAD "directory x 2 /tmp\n",
		HEAD "directory 1 x /tmp\n",
		HEAD "directory 1 2 tmp\n",
		HEAD "directory 1 2 /tmp/..\n",
		HEAD "directory 1 2 /tmp/../etc\n",
		HEAD "directory 1 2 /tmp more\n",
		HEAD "directory 1 2 /tmp\\04\n",
		HEAD "directory 1 2 /tmp\\000\n",
		HEAD "directory 1 2 /tmp\\400\n",
		HEAD "directory  1 2 /tmp\n",
		HEAD "inside-directory 1 2 /tmp\n",
		HEAD "inside-directory 1 2 ../tmp\n",
		HEAD "inside-file 1 2 ..\n",
		HEAD "file 1 2 \n",
		HEAD "mount 1 2 /\n",
		HEAD "base 1 tmp\n",
		HEAD "mount 1 /\nfree 1 /\n",
		HEAD "limit\n",
		HEAD "limit x\n",
		HEAD "limit 1\nlimit 2\n",
		HEAD "end\nend\n",
		HEAD "end 1\n",
	};

	enter_image();
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		write_journal(texts[i], strlen(texts[i]));
		assert_not_undone(-EINVAL, JOURNAL, "is not valid in a journal");
	}
	write_journal(HEAD "end\n\0", sizeof(HEAD "end\n\0") - 1);
	assert_not_undone(-EINVAL, JOURNAL, "NUL");
	must(unlink(JOURNAL));
	assert_not_undone(-ENOENT, JOURNAL, NULL);
	must(mkdir(JOURNAL, 0700));
	assert_not_undone(-EINVAL, JOURNAL, "not a regular file");
	must(rmdir(JOURNAL));
	must(mkfifo(JOURNAL, 0600));
	assert_not_undone(-EINVAL, JOURNAL, "not a regular file");
}

TEST(journals_that_others_can_write)
{
	enter_image();
	write_journal(HEAD, sizeof(HEAD) - 1);
	must(chmod(JOURNAL, 0620));
	assert_not_undone(-EPERM, JOURNAL, "other users can write to it");
	must(chmod(JOURNAL, 0600));
	must(chown(JOURNAL, 1000, 0));
	assert_not_undone(-EPERM, JOURNAL, "owner 1000");
}

TEST(unknown_flags)
{
	struct idm_error err;

	assert_error(idm_plan_undo(JOURNAL, 2, &err), -EINVAL, &err, JOURNAL, "undo", "0x2");
}

/* The header says whether IDs are reused. The reader does not guess it. */
static void apply_without_answer(void *plan)
{
	struct idm_plan_apply_options o = IDM_PLAN_APPLY_OPTIONS_INIT;
	struct idm_error err;

	o.flags = IDM_PLAN_APPLY_MKDIR;
	o.journal = JOURNAL;
	refuse_call_where(SYS_statx, 0, (uint32_t)AT_FDCWD, ENOMEM); /* it asks this of "/" */
	assert_error(idm_plan_apply(plan, AT_FDCWD, DEEP, &o, &err), -ENOMEM, &err, JOURNAL,
		     "write journal", "Cannot allocate memory");
}

TEST(a_journal_that_cannot_tell_how_its_ids_are_to_be_read)
{
	AUTO_PLAN struct idm_plan *plan = some_plan();
	struct snapshot *before;

	enter_image();
	before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
	in_child(apply_without_answer, plan);
	snapshot_assert_same(before);
}

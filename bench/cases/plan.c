// SPDX-License-Identifier: MIT
/*
 * What a plan costs: 30 mounts put together and attached by idm_plan_apply(), in its ways, beside
 * mount(2) for each of them, which every process can watch: of new filesystems, of binds, and of
 * read-only binds, for which mount(2) has to be called twice. Unmounting is not timed.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/lib/measure.h"
#include "bench/lib/mount-calls.h"
#include "bench/lib/workers.h"

#define MOUNTS 30
#define ROOT PLACE "/root"
#define TARGET PLACE "/target"
#define JOURNAL PLACE "/journal"

/* ---- the ways ---- */

static struct idm_plan *plan;

static const struct kind {
	const char *name, *type, *source;
	const char *words[3];
	size_t n_words;
} kinds[] = {
	{ "tmpfs", "tmpfs", "tmpfs", { "nosuid", "nodev", "mode=0755" }, 3 },
	{ "bind", "bind", PLACE "/source", { "bind" }, 1 },
	{ "bind,ro", "bind", PLACE "/source", { "bind", "ro" }, 2 },
}, *kind;

static void apply_with(struct idm_plan_apply_options o)
{
	struct idm_error err;

	check_idm(idm_plan_apply(plan, AT_FDCWD, TARGET, &o, &err), &err);
}

static void apply(unsigned int flags, const char *journal)
{
	struct idm_plan_apply_options o = IDM_PLAN_APPLY_OPTIONS_INIT;

	o.flags = flags;
	o.journal = journal;
	apply_with(o);
}

static void detached(void)
{
	apply(IDM_PLAN_APPLY_DETACHED, NULL);
}

static void recorded(void)
{
	apply(IDM_PLAN_APPLY_DETACHED, JOURNAL);
}

static void undo(void)
{
	struct idm_error err;

	check_idm(idm_plan_undo(JOURNAL, 0, &err), &err);
}

/* Detached, and gone when the descriptor is closed. */
static void opened(void)
{
	struct idm_plan_apply_options o = IDM_PLAN_APPLY_OPTIONS_INIT;
	struct idm_error err;

	o.flags = IDM_PLAN_APPLY_DETACHED;
	close(check_idm(idm_plan_open(plan, &o, &err), &err));
}

static void in_namespace(void)
{
	apply(IDM_PLAN_APPLY_IN_NAMESPACE, NULL);
}

static void recorded_in_namespace(void)
{
	apply(IDM_PLAN_APPLY_IN_NAMESPACE, JOURNAL);
}

static void in_staging(void)
{
	struct idm_plan_apply_options o = IDM_PLAN_APPLY_OPTIONS_INIT;

	o.flags = IDM_PLAN_APPLY_IN_NAMESPACE;
	o.staging_fd = kept_staging();
	apply_with(o);
}

static int mount_one(const char *target)
{
	if (kind == &kinds[0])
		return mount("tmpfs", target, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755");
	if (mount(kind->source, target, NULL, MS_BIND, NULL) < 0)
		return -1;
	return kind == &kinds[1] ? 0 : mount(NULL, target, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL);
}

static void one_by_one(void)
{
	char target[64];

	check(mount(ROOT, TARGET, NULL, MS_BIND, NULL), "bind");
	for (int i = 1; i < MOUNTS; i++) {
		snprintf(target, sizeof(target), TARGET "/%d", i);
		check(mount_one(target), target);
	}
}

/* ---- the calls that a detached plan cannot do without, nothing checked ---- */

static int bare_tree(void)
{
	struct mount_attr attr = { .propagation = MS_PRIVATE };
	int fs, tree;

	if (kind != &kinds[0]) {
		attr.attr_set = kind == &kinds[2] ? MOUNT_ATTR_RDONLY : 0;
		return (int)syscall(467 /* open_tree_attr */, AT_FDCWD, kind->source,
				    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC, &attr, sizeof(attr));
	}
	fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
	fsconfig(fs, FSCONFIG_SET_STRING, "source", "tmpfs", 0);
	fsconfig(fs, FSCONFIG_SET_STRING, "mode", "0755", 0);
	fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	tree = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	close(fs);
	return tree;
}

static void attach(int tree, int to, const char *name)
{
	check(move_mount(tree, "", to, name, MOVE_MOUNT_F_EMPTY_PATH), "move_mount");
	close(tree);
}

static void bare(void)
{
	int root = open_tree(AT_FDCWD, ROOT, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC), trees[MOUNTS];
	char target[16];

	for (int i = 1; i < MOUNTS; i++)
		trees[i] = bare_tree();
	for (int i = 1; i < MOUNTS; i++) {
		snprintf(target, sizeof(target), "%d", i);
		attach(trees[i], root, target);
	}
	attach(root, AT_FDCWD, TARGET);
}

/* ---- those of the way before Linux 6.15, with a staging namespace; for binds ---- */

struct assembly {
	int staging, trees[MOUNTS]; /* the first is the root */
	int whole;
};

/* In a child that shares the memory and the descriptors. */
static int assemble(void *data)
{
	struct assembly *a = data;
	char target[16];

	check(setns(a->staging, CLONE_NEWNS), "setns");
	check(unshare(CLONE_NEWNS), "unshare");
	check(move_mount(a->trees[0], "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH), "attach root");
	for (int i = 1; i < MOUNTS; i++) {
		snprintf(target, sizeof(target), "%d", i);
		attach(a->trees[i], a->trees[0], target);
	}
	a->whole =
		(int)check(open_tree(a->trees[0], "",
				     OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE),
			   "open_tree");
	return 0;
}

/* The child exits while the whole is attached, as with the library. */
static void bare_in_staging(void)
{
	static char stack[65536] __attribute__((aligned(16)));
	struct assembly a = { .staging = kept_staging() };
	pid_t pid;

	for (int i = 0; i < MOUNTS; i++)
		a.trees[i] = (int)check(open_tree(AT_FDCWD, i ? kind->source : ROOT,
						  OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC),
					"open_tree");
	pid = clone(assemble, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD, &a);
	check(pid, "clone");
	attach(a.whole, AT_FDCWD, TARGET);
	close(a.trees[0]);
	check(waitpid(pid, NULL, 0), "waitpid");
}

/* ---- those of an undo: one list of the mounts below, and each by its name ---- */

static void bare_undo(void)
{
	static char text[1 << 16];
	static uint64_t below[2 * MOUNTS];
	int journal = (int)check(open(JOURNAL, O_RDONLY | O_CLOEXEC), JOURNAL);
	char target[64];

	check(read(journal, text, sizeof(text)), JOURNAL);
	call_listmount(find_mount_id(AT_FDCWD, TARGET), below, COUNT(below));
	for (int i = MOUNTS - 1; i > 0; i--) {
		snprintf(target, sizeof(target), TARGET "/%d", i);
		check(umount2(target, UMOUNT_NOFOLLOW), target);
	}
	check(umount2(TARGET, UMOUNT_NOFOLLOW), TARGET);
	check(unlink(JOURNAL), JOURNAL);
	close(journal);
}

/* ---- the table ---- */

static void take_away(void)
{
	check(umount2(TARGET, MNT_DETACH), "umount");
	unlink(JOURNAL);
}

static void prepare(void)
{
	char target[64];

	mkdir_all(ROOT);
	mkdir_all(TARGET);
	mkdir_all(PLACE "/source");
	for (int i = 1; i < MOUNTS; i++) {
		snprintf(target, sizeof(target), ROOT "/%d", i);
		mkdir_all(target);
	}
}

static void make_plan(void)
{
	struct idm_plan_add_options m = IDM_PLAN_ADD_OPTIONS_INIT;
	char target[64];

	check(idm_plan_new(&plan), "plan");
	m.type = "bind";
	m.source = ROOT;
	check(idm_plan_add(plan, &m, NULL), "add");
	m.type = kind->type;
	m.source = kind->source;
	m.target = target;
	m.options = kind->words;
	m.n_options = kind->n_words;
	for (int i = 1; i < MOUNTS; i++) {
		snprintf(target, sizeof(target), "/%d", i);
		check(idm_plan_add(plan, &m, NULL), "add");
	}
}

enum { DETACHED, MOUNT, BARE, RECORDED, IN_NAMESPACE };

static void report_kind(const struct measured *m)
{
	char question[64];
	struct row row = { .question = question, .yardstick = MOUNT, .lower_bound = BARE };

	snprintf(question, sizeof(question), "plan of %d mounts (%s)", MOUNTS, kind->name);
	row.ours = DETACHED;
	row.at_most = 1.2;
	report(m, &row);
	row.lower_bound = NO_WAY;
	row.at_most = 0;
	row.yardstick = BARE;
	report(m, &row);
	row.yardstick = DETACHED;
	row.at_most = 2;
	snprintf(question, sizeof(question), "the same, with a journal for undo");
	row.ours = RECORDED;
	report(m, &row);
	row.yardstick = MOUNT;
	row.at_most = 0;
	snprintf(question, sizeof(question), "the same, as before Linux 6.15");
	row.ours = IN_NAMESPACE;
	report(m, &row);
}

static void measure_bind(void)
{
	const struct among_mounts subject = {
		.subject = "plan of 30 mounts (bind)",
		.plain = in_namespace,
		.kept = in_staging,
		.bare = bare_in_staging,
		.theirs = one_by_one,
		.theirs_name = "30 times mount(2)",
		.undo = take_away,
		.times = times(4),
		.at_most = 2,
	};
	const struct grown_host hosts[] = {
		{ .way = { .name = "plan of 30 mounts",
			   .go = detached,
			   .undo = take_away,
			   .times = times(4),
			   .absent = !is_kernel_since(6, 15) },
		  .bare = bare,
		  .at_most = 1.2 },
		{ .way = { .name = "plan of 30 mounts, copy of a staging namespace",
			   .go = in_staging,
			   .undo = take_away,
			   .times = times(4) },
		  .bare = bare_in_staging,
		  .at_most = 1.2 },
		{ .way = { .name = "undo of a plan of 30 mounts",
			   .prepare = recorded,
			   .go = undo,
			   .times = times(4),
			   .absent = !is_kernel_since(6, 15) },
		  .bare = bare_undo,
		  .at_most = 1.2 },
	};
	struct way ways[] = {
		{ .name = "plan of 30 mounts", .go = detached, .undo = take_away },
		{ .name = "plan of 30 mounts, with a journal", .go = recorded, .undo = take_away },
		{ .name = "undo of a plan of 30 mounts", .prepare = recorded, .go = undo },
		{ .name = "plan of 30 mounts, opened and closed", .go = opened },
		{ .name = "plan of 30 mounts, in a namespace", .go = in_namespace, .undo = take_away },
		{ .name = "plan of 30 mounts, in a namespace, with a journal",
		  .go = recorded_in_namespace,
		  .undo = take_away },
	};

	for (size_t w = 0; w < COUNT(ways); w++) {
		ways[w].times = times(4);
		ways[w].absent = w < 4 && !is_kernel_since(6, 15);
	}
	kind = &kinds[1];
	make_plan();
	measure_among_mounts(&subject, rounds(61));
	measure_mounts(hosts, COUNT(hosts), rounds(21));
	measure_memory(ways, COUNT(ways), rounds(61));
	idm_plan_free(plan);
}

int main(void)
{
	struct way ways[] = {
		[DETACHED] = { .name = "without a journal", .go = detached, .times = times(8) },
		[MOUNT] = { .name = "30 times mount(2)", .go = one_by_one, .times = times(8) },
		[BARE] = { .name = "bare calls", .go = bare, .times = times(8) },
		[RECORDED] = { .name = "with a journal", .go = recorded, .times = times(8) },
		[IN_NAMESPACE] = { .name = "in a namespace", .go = in_namespace },
	};
	static struct measured m;

	for (size_t w = 0; w < COUNT(ways); w++) {
		ways[w].undo = take_away;
		ways[w].absent = w != MOUNT && w != IN_NAMESPACE && !is_kernel_since(6, 15);
	}
	enter_place();
	prepare();
	for (size_t k = 0; k < COUNT(kinds); k++) {
		kind = &kinds[k];
		make_plan();
		measure(&m, ways, COUNT(ways), rounds(61));
		report_kind(&m);
		idm_plan_free(plan);
	}
	measure_bind();
	return 0;
}

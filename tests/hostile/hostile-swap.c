// SPDX-License-Identifier: MIT
/*
 * Mounts below a root directory that belongs to an attacker. The attacker exchanges directories on the
 * way, sources and layers with links that lead out, as fast as it can. The library never mounts, creates
 * or uses anything outside, and leaves nothing. The last tests prove that the same attacker beats naive
 * ways.
 */
#include <limits.h>
#include <spawn.h>

#include "hostile.h"
#include "lib/mount/umount-fd.h"
#include "tests/integration/rootfs/plans.h"

#define BOX SCRATCH "/box" /* the root directory, which belongs to the attacker */
#define OUTSIDE SCRATCH "/outside"
#define SECRET "secret"
#define PUBLIC "public"

/* Each is a directory and a link out. A mount point cannot be exchanged, so there are several. */
static const struct pair pairs[] = {
	{ BOX "/way", BOX "/absolute" },
	{ BOX "/deep/er", BOX "/deep/relative" },
	{ BOX "/way/point", BOX "/way/magic" },
	{ BOX "/source", BOX "/theft" },
	{ BOX "/l1", BOX "/l2" },
};

static uid_t user;
static int root = -1; /* BOX */

static void enter(void)
{
	char out[96];

	scratch_enter();
	user = unused_uid();
	must(chmod(SCRATCH, 0755));
	users_dir(BOX, user);
	users_dir(BOX "/way", user);
	users_dir(BOX "/deep", user);
	users_dir(BOX "/deep/er", user);
	users_dir(BOX "/way/point", user);
	users_dir(BOX "/deep/er/point", user);
	users_dir(BOX "/source", user);
	users_dir(BOX "/l1", user);
	users_link(OUTSIDE, BOX "/absolute", user);
	users_link("../../outside", BOX "/deep/relative", user);
	snprintf(out, sizeof(out), "/proc/%d/root" OUTSIDE "/point", (int)getpid());
	users_link(out, BOX "/way/magic", user);
	users_link("../outside/source", BOX "/theft", user);
	users_link(OUTSIDE "/source", BOX "/l2", user);
	scratch_file(BOX "/source/" PUBLIC, "");
	scratch_file(BOX "/l1/" PUBLIC, "");
	scratch_dir(OUTSIDE "/point");
	scratch_dir(OUTSIDE "/source");
	scratch_file(OUTSIDE "/source/" SECRET, "");
	scratch_dir(SCRATCH "/honest");
	scratch_file(SCRATCH "/honest/" PUBLIC, "");
	scratch_dir(SCRATCH "/place");
	root = (int)must(open(BOX, O_PATH | O_CLOEXEC));
}

/* All of OUTSIDE and PLACE, which the attacker cannot change, and all mounts. */
static struct snapshot *look(void)
{
	return snapshot_take(SNAPSHOT_ALL);
}

static void assert_outside_is_untouched(void)
{
	assert_int_equal(rmdir(OUTSIDE "/point"), 0); /* empty, and no mount point */
	must(unlink(OUTSIDE "/source/" SECRET));
	assert_int_equal(rmdir(OUTSIDE "/source"), 0);
	assert_int_equal(rmdir(OUTSIDE), 0);
	assert_int_equal(rmdir(SCRATCH "/place"), 0);
}

static unsigned int done[8], refused[8];

/* The mount is inside, and shows the requested files. */
static void check_and_take_away(int tree, const char *below)
{
	struct place place = place_of(tree);

	if (!is_below(place.path, below))
		fail_msg("mounted at %s", place.path);
	assert_int_equal(faccessat(tree, SECRET, F_OK, 0), -1);
	must(faccessat(tree, PUBLIC, F_OK, 0));
	idm_detach_mount(tree);
}

/* The only success of the attacker is that a path is not found. */
static bool went_well(unsigned int kind, int r, const struct idm_error *err)
{
	if (r >= 0) {
		done[kind]++;
		return true;
	}
	if (r != -ENOENT && r != -ENOTDIR && r != -ELOOP && r != -EAGAIN && r != -EXDEV)
		assert_ok(r, err);
	refused[kind]++;
	return false;
}

/* ---- the tries ---- */

static int userns;

static int honest_tree(void)
{
	struct idm_error err;

	return (int)assert_ok(idm_tree_open(AT_FDCWD, SCRATCH "/honest", userns, NULL, &err), &err);
}

static void attach(unsigned int kind, const char *target, unsigned int flags)
{
	AUTO_FD int tree = honest_tree();
	struct idm_error err;
	int r = idm_tree_attach(tree, root, target,
				ATTACH(flags | IDM_ATTACH_IN_ROOT, IDM_PROPAGATION_DEFAULT), &err);

	if (went_well(kind, r, &err))
		check_and_take_away(tree, BOX);
}

static void at_a_path(unsigned int kind)
{
	attach(kind, "way/point", 0);
}

static void at_a_path_with_dots(unsigned int kind)
{
	attach(kind, "/way/../../deep/er/../er/point", IDM_ATTACH_FOLLOW);
}

static void at_a_new_directory(unsigned int kind)
{
	static unsigned int number;
	char target[64];

	snprintf(target, sizeof(target), "%s/new%u/deep", number % 2 ? "way" : "deep/er", number % 64);
	number++;
	attach(kind, target, IDM_ATTACH_MKDIR);
}

static void in_place_of_another(unsigned int kind)
{
	AUTO_FD int first = honest_tree(), second = honest_tree();
	struct idm_error err;

	if (kernel_is_before(6, 5) ||
	    !went_well(kind,
		       idm_tree_attach(first, root, "deep/er/point",
				       ATTACH(IDM_ATTACH_IN_ROOT, IDM_PROPAGATION_DEFAULT), &err),
		       &err))
		return;
	/* It may be another directory now, without a mount to replace. */
	if (idm_tree_attach(second, root, "deep/er/point",
			    ATTACH(IDM_ATTACH_IN_ROOT | IDM_ATTACH_REPLACE, IDM_PROPAGATION_DEFAULT),
			    &err) == 0)
		check_and_take_away(second, BOX);
	else
		check_and_take_away(first, BOX);
}

/* The library opens a source that is a directory, and refuses a link. */
static void from_a_source(unsigned int kind)
{
	struct idm_tree_options o = IDM_TREE_OPTIONS_INIT;
	struct idm_error err;
	AUTO_FD int tree = -1;

	o.flags = IDM_TREE_NOFOLLOW;
	tree = idm_tree_open(root, "source", userns, &o, &err);
	if (!went_well(kind, tree, &err))
		return;
	assert_int_equal(faccessat(tree, SECRET, F_OK, 0), -1);
	must(faccessat(tree, PUBLIC, F_OK, 0));
}

/* The layers are descriptors that were opened in the root. */
static void of_layers(unsigned int kind)
{
	AUTO_FD int l1 = idm_sys_openat2(root, "l1", O_PATH | O_DIRECTORY, 0, RESOLVE_IN_ROOT);
	AUTO_FD int way = idm_sys_openat2(root, "source", O_PATH | O_DIRECTORY, 0, RESOLVE_IN_ROOT);
	struct idm_path layers[] = { { l1, "" }, { way, "" } };
	struct idm_overlay_options o = IDM_OVERLAY_OPTIONS_INIT;
	struct idm_error err;
	AUTO_FD int tree = -1;

	if (l1 < 0 || way < 0) {
		refused[kind]++;
		return;
	}
	o.flags = IDM_OVERLAY_EMPTY_PATH;
	o.lower = layers;
	o.n_lower = 2;
	tree = idm_overlay_open(&o, &err);
	assert_ok(tree, &err);
	if (went_well(kind,
		      idm_tree_attach(tree, root, "deep/er/point",
				      ATTACH(IDM_ATTACH_IN_ROOT, IDM_PROPAGATION_DEFAULT), &err),
		      &err))
		check_and_take_away(tree, BOX);
}

/* Applies a plan with mounts in the attacker's root filesystem. */
static void as_a_plan(unsigned int kind)
{
	static const char text[] =
		"[{\"Type\": \"bind\", \"Source\": \"" BOX "\", \"Options\": [\"rbind\"]},"
		" {\"Type\": \"bind\", \"Source\": \"" SCRATCH "/honest\", \"Target\": \"/way/point\"},"
		" {\"Type\": \"tmpfs\", \"Source\": \"tmpfs\", \"Target\": \"/deep/er/made/by/plan\"}]";
	struct idm_plan_read_options how = IDM_PLAN_READ_OPTIONS_INIT;
	AUTO_PLAN struct idm_plan *plan = plan_new();
	struct idm_plan_apply_options o = IDM_PLAN_APPLY_OPTIONS_INIT;
	struct idm_error err;
	int r;

	assert_ok(idm_plan_read(plan, text, strlen(text), &how, &err), &err);
	o.flags = IDM_PLAN_APPLY_MKDIR;
	o.journal = SCRATCH "/journal";
	if (!went_well(kind, idm_plan_apply(plan, AT_FDCWD, SCRATCH "/place", &o, &err), &err)) {
		assert_int_equal(access(SCRATCH "/journal", F_OK), -1);
		return;
	}
	/* The paths of its mounts change at the same time. A created directory may contain files, too.
	 */
	do {
		r = idm_plan_undo(SCRATCH "/journal", 0, &err);
		/* Before Linux 6.8 the undo requires the mount at its recorded path, too. The attacker
		 * moved its directory before, and cannot move it back. */
		if (r == -EBUSY && kernel_is_before(6, 8) && strstr(err.message, "does not name"))
			idm_umount(AT_FDCWD, PART(err, subject), IDM_UMOUNT_LAZY, NULL);
	} while (r == -EBUSY || r == -EINVAL || r == -ENOENT || r == -ENOTDIR || r == -ELOOP);
	if (r == -ENOTEMPTY) {
		must(unlink(SCRATCH "/journal"));
		return;
	}
	assert_ok(r, &err);
}

static const struct {
	const char *name;
	void (*go)(unsigned int kind);
} kinds[] = {
	{ "attach at a path", at_a_path },
	{ "attach at a path with dots", at_a_path_with_dots },
	{ "attach at a new directory", at_a_new_directory },
	{ "replace", in_place_of_another },
	{ "open a source", from_a_source },
	{ "overlay", of_layers },
	{ "plan", as_a_plan },
};

/* Each kind has to succeed at least once. Otherwise the test proves nothing. */
static bool all_done(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!done[i] && (kinds[i].go != in_place_of_another || !kernel_is_before(6, 5)))
			return false;
	return true;
}

TEST_WITHIN(nothing_leads_out_of_the_root, 300)
{
	unsigned int n = attempts(3500);
	struct snapshot *before;
	struct attack attack;

	enter();
	userns = userns_of("0:100000:65536");
	before = look();
	attack = attack_start(pairs, ARRAY_SIZE(pairs), user);
	for (unsigned int i = 0; i < n || !all_done(); i++)
		kinds[i % ARRAY_SIZE(kinds)].go(i % ARRAY_SIZE(kinds));
	attack_end(&attack);
	snapshot_assert_same(before);
	must(close(userns));
	assert_outside_is_untouched();
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		note("%s: %u times done, %u times refused", kinds[i].name, done[i], refused[i]);
	must(close(root));
	proof("hostile", n, "mounts below a root that an attacker changes");
}

/* ---- by the command ---- */

/* Finds a mount of this test by its source. */
static int find_honest(const struct idm_mount_info *mount, void *data)
{
	struct place *place = data;

	if (strcmp(mount->root, "/honest") != 0)
		return 0;
	snprintf(place->path, sizeof(place->path), "%s", mount->target);
	place->id = mount->id;
	return 1;
}

static bool find(struct place *place)
{
	return assert_ok(idm_list(0, find_honest, place, NULL), NULL) == 1;
}

static int run_quietly(const char *const argv[])
{
	posix_spawn_file_actions_t actions;
	int status;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	assert_int_equal(posix_spawn(&pid, argv[0], &actions, NULL, (char *const *)argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	must(waitpid(pid, &status, 0));
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
	return WEXITSTATUS(status);
}

TEST_WITHIN(nothing_leads_the_command_out, 300)
{
	const char *const command[] = { getenv("IDMOUNT"), "mount", "-m",      "0:100000:65536",
					"--root",	   BOX,	    "--mkdir", SCRATCH "/honest",
					"/way/point",	   NULL };
	unsigned int n = attempts(300) / (test_is_long() ? 10 : 1), mounted = 0;
	struct snapshot *before;
	struct attack attack;
	struct place place;

	if (!command[0])
		skip_test("IDMOUNT is not set: the command to be tried");
	enter();
	before = look();
	attack = attack_start(pairs, ARRAY_SIZE(pairs), user);
	for (unsigned int i = 0; i < n || !mounted; i++) {
		bool good = run_quietly(command) == 0;

		assert_int_equal(find(&place), good);
		mounted += good;
		if (good && !is_below(place.path, BOX))
			fail_msg("mounted at %s", place.path);
		while (good && find(&place)) /* its path changes at the same time */
			idm_unmount_by_id(AT_FDCWD, place.path, place.id, MNT_DETACH);
	}
	attack_end(&attack);
	snapshot_assert_same(before);
	assert_outside_is_untouched();
	must(close(root));
	note("%u of %u were mounted", mounted, n);
	proof("hostile", n, "runs of the command below a root that an attacker changes");
}

/* ---- naive ways ---- */

/* Lets other processes run between a check and its use. */
static bool and_a_moment_passes(bool good)
{
	sched_yield();
	return good;
}

static bool is_inside(const char *path)
{
	char real[PATH_MAX];

	return and_a_moment_passes(realpath(path, real) && is_below(real, BOX));
}

/* Checks that the path does not lead out, and then uses it. */
static bool mount_by_path(void)
{
	static const char path[] = BOX "/way/point";

	if (!is_inside(path))
		return false;
	return idm_sys_mount(SCRATCH "/honest", path, NULL, 4096 /* MS_BIND */, NULL) == 0;
}

/* Does the same with a descriptor that is opened without a root. */
static bool attach_by_descriptor(void)
{
	AUTO_FD int tree = -1, target = -1;

	if (!is_inside(BOX "/deep/er/point"))
		return false;
	target = openat(root, "deep/er/point", O_PATH | O_DIRECTORY | O_CLOEXEC);
	tree = idm_sys_open_tree(AT_FDCWD, SCRATCH "/honest", OPEN_TREE_CLONE);
	return idm_sys_move_mount(tree, "", target, "",
				  MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) == 0;
}

/* Opens a layer by path, after a check that it is no link. */
static bool layer_by_path(void)
{
	struct stat st;
	AUTO_FD int layer = -1;

	if (!and_a_moment_passes(lstat(BOX "/l1", &st) == 0 && S_ISDIR(st.st_mode)))
		return false;
	layer = open(BOX "/l1", O_PATH | O_CLOEXEC);
	return layer >= 0 && faccessat(layer, SECRET, F_OK, 0) == 0;
}

static int find_outside(const struct idm_mount_info *mount, void *data)
{
	(void)data;
	return is_below(mount->target, OUTSIDE);
}

static bool outside_has_a_mount(void)
{
	return assert_ok(idm_list(IDM_LIST_UNMAPPED, find_outside, NULL, NULL), NULL) == 1;
}

static void take_all_away(void)
{
	struct place place;

	while (idm_list(IDM_LIST_UNMAPPED, find_honest, &place, NULL) == 1)
		idm_unmount_by_id(AT_FDCWD, place.path, place.id, MNT_DETACH);
}

static void beat(const char *name, bool (*naive)(void), bool mounts)
{
	struct attack attack = attack_start(pairs, ARRAY_SIZE(pairs), user);
	unsigned long tries = 1;

	for (;; tries++) {
		bool went = naive();

		if (went && (!mounts || outside_has_a_mount()))
			break;
		if (mounts)
			take_all_away();
	}
	attack_end(&attack);
	take_all_away();
	note("%s: beaten at the %lu. try", name, tries);
	proof("hostile", 1, "naive ways, each of which the same attacker has to beat");
}

TEST_WITHIN(naive_ways_are_beaten, 600)
{
	enter();
	beat("mount(2) after a look at the path", mount_by_path, true);
	beat("a descriptor without RESOLVE_IN_ROOT", attach_by_descriptor, true);
	beat("a layer after a look at the path", layer_by_path, false);
	must(close(root));
}

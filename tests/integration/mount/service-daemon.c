// SPDX-License-Identifier: MIT
/* The library and the real idmountd. */
#include <sys/fsuid.h>
#include <sys/mount.h>

#include "lib/base/macros.h"
#include "service.h"

/* ---- what it maps ---- */

/* The caller's root is a seen ID, so that it can create files. */
#define ROOT_SHIFT "1500:0:1,200000:8:2"

static void map_and_use(void *unused)
{
	struct snapshot *before;
	struct idm_mount_info mount;
	struct idm_error err;
	int tree;

	(void)unused;
	enter_as_user();
	before = snapshot_take(SNAPSHOT_ALL);
	tree = (int)assert_ok(open_with(SOURCE, ROOT_SHIFT, 0, IDM_ATTR_NOEXEC, &err), &err);
	assert_owner_in(tree, "sub", 8, 9);
	attach_at(tree, TARGET);
	mount = mount_at(TARGET);
	assert_true(mount.attr & IDM_ATTR_IDMAP && mount.attr & IDM_ATTR_NOEXEC);
	scratch_file(TARGET "/new", "");
	must(chown(TARGET "/new", 8, 9));
	close_fd(&tree);
	do_umount(TARGET);
	snapshot_assert_same(before);
}

TEST(a_map_of_the_callers_ids)
{
	start_idmountd();
	in_child(map_and_use, NULL);
	assert_owner(SOURCE "/new", SUBORDINATE, SUBORDINATE + 1);
	stop_idmountd();
}

static void map_more(void *unused)
{
	AUTO_FD int recursive = -1, file = -1, same = -1;
	struct idm_error err;

	(void)unused;
	enter_as_user();
	recursive = (int)assert_ok(open_with(SOURCE, SHIFT, IDM_TREE_RECURSIVE, 0, &err), &err);
	assert_shifted(recursive);
	file = (int)assert_ok(open_with(SOURCE "/user", SHIFT, 0, 0, &err), &err);
	assert_owner_in(file, "", 7, 7);
	same = (int)assert_ok(open_with(SOURCE, ROOT_SHIFT, 0, 0, &err), &err);
	assert_owner_in(same, "", 0, 0);
	assert_owner_in(same, "sub", 8, 9);
}

TEST(a_recursive_map_a_file_and_an_owner_that_stays)
{
	start_idmountd();
	in_child(map_more, NULL);
	stop_idmountd();
}

/* ---- what it refuses ---- */

static void map_foreign(void *unused)
{
	struct snapshot *before;
	struct idm_error err;

	(void)unused;
	enter_as_user();
	before = snapshot_take(SNAPSHOT_ALL);
	assert_error(open_with(SOURCE, "1500:7:1,1600:8:1", 0, 0, &err), -EPERM, &err, SOURCE,
		     "ask idmountd", "1600");
	assert_contains(err.hint, "/etc/subuid");
	assert_error(open_with("/", SHIFT, 0, 0, &err), -EINVAL, &err, "/", NULL, NULL);
	snapshot_assert_same(before);
}

/* The hint depends on whether these IDs have names on the machine. */
static void hide_accounts(void)
{
	scratch_file(SCRATCH "/passwd", "root:x:0:0::/:/bin/sh\n");
	must(mount(SCRATCH "/passwd", "/etc/passwd", NULL, MS_BIND, NULL));
}

TEST(an_id_of_another_user)
{
	start_idmountd();
	hide_accounts();
	in_child(map_foreign, NULL);
	stop_idmountd();
}

static void map_directory_of_root(void *unused)
{
	struct idm_error err;

	(void)unused;
	enter_as_user();
	assert_error(open_with(SOURCE, SHIFT, 0, 0, &err), -EPERM, &err, SOURCE, "ask idmountd",
		     "belongs to uid 0");
}

TEST(a_directory_of_root)
{
	start_idmountd();
	must(chown(SOURCE, 0, 0));
	in_child(map_directory_of_root, NULL);
	stop_idmountd();
}

/* ---- overlays and plans ---- */

#define LAYERS SOURCE "/layers"

static void make_layers(void)
{
	static const char *const names[] = { LAYERS, LAYERS "/a", LAYERS "/b", LAYERS "/up",
					     LAYERS "/work" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		scratch_dir(names[i]);
		must(chown(names[i], USER, USER));
	}
	owned_file(LAYERS "/a/sub", SUBORDINATE, SUBORDINATE + 1);
	owned_file(LAYERS "/b/user", USER, USER);
}

static int open_overlay(const char *text, unsigned int flags, enum idm_upper_ids upper_ids,
			struct idm_error *err)
{
	static const struct idm_path lower[] = { { AT_FDCWD, LAYERS "/a" }, { AT_FDCWD, LAYERS "/b" } };
	static const struct idm_path upper = { AT_FDCWD, LAYERS "/up" };
	static const struct idm_path work = { AT_FDCWD, LAYERS "/work" };
	static const struct idm_mount_option userxattr = { "userxattr", NULL };
	AUTO_MAP struct idm_map *map = map_of(text);
	struct idm_overlay_options o = IDM_OVERLAY_OPTIONS_INIT;

	o.flags = flags;
	o.lower = lower;
	o.n_lower = 2;
	o.upper = &upper;
	o.work = &work;
	o.map = map;
	o.upper_ids = upper_ids;
	o.options = &userxattr;
	o.n_options = 1;
	return idm_overlay_open(&o, err);
}

static void overlay_layers(void *flags)
{
	struct snapshot *before;
	struct idm_error err;
	int tree;

	enter_as_user();
	before = snapshot_take(SNAPSHOT_ALL);
	tree = open_overlay(ROOT_SHIFT, 0, IDM_UPPER_SHIFTED, &err);
	assert_error(tree, -EPERM, &err, NULL, "map tree", "that mounted the filesystem");
	tree = (int)assert_ok(open_overlay(ROOT_SHIFT, *(unsigned int *)flags | IDM_OVERLAY_SERVICE,
					   IDM_UPPER_SHIFTED, &err),
			      &err);
	attach_at(tree, TARGET);
	assert_owner(TARGET "/sub", 8, 9);
	assert_owner(TARGET "/user", 0, 0);
	scratch_file(TARGET "/new", "");
	must(chown(TARGET "/new", 8, 9));
	assert_owner(LAYERS "/up/new", 8, 9);
	close_fd(&tree);
	do_umount(TARGET);
	must(unlink(LAYERS "/up/new"));
	snapshot_assert_same(before);
}

static void an_overlay_cannot(void)
{
	untried("an overlay in a user namespace refuses ID-mapped layers");
}

TEST_SINCE(5, 19, an_overlay_cannot, an_overlay_of_mapped_layers)
{
	static unsigned int ways[] = { 0, IDM_OVERLAY_IN_NAMESPACE };

	start_idmountd();
	make_layers();
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
		in_child(overlay_layers, &ways[i]);
	stop_idmountd();
}

/* The map has no disk ID 0, so the owner of the upper directory creates files in it. */
static void overlay_mapped_upper(void *flags)
{
	struct idm_error err;
	int tree;

	enter_as_user();
	tree = (int)assert_ok(
		open_overlay(SHIFT, *(unsigned int *)flags | IDM_OVERLAY_SERVICE, IDM_UPPER_DISK, &err),
		&err);
	attach_at(tree, TARGET);
	setfsgid(7);
	setfsuid(7);
	scratch_file(TARGET "/new", "");
	must(rename(TARGET "/user", TARGET "/copied"));
	setfsuid(0);
	setfsgid(0);
	assert_owner(TARGET "/new", 7, 7);
	assert_owner(LAYERS "/up/new", 0, 0); /* 1500 on the host */
	assert_owner(LAYERS "/up/copied", 0, 0);
	assert_owner(LAYERS "/up/user", 0, 0); /* a whiteout */
	close_fd(&tree);
	do_umount(TARGET);
	must(unlink(LAYERS "/up/new"));
	must(unlink(LAYERS "/up/copied"));
	must(unlink(LAYERS "/up/user"));
}

/* The map has nothing for files of the upper directory's owner. */
static void overlay_unowned_upper(void *flags)
{
	struct idm_error err;
	int tree;

	enter_as_user();
	tree = open_overlay("200000:8:2", *(unsigned int *)flags | IDM_OVERLAY_SERVICE, IDM_UPPER_DISK,
			    &err);
	assert_error(tree, -EINVAL, &err, LAYERS "/up", "open overlay", "its owner");
}

TEST_SINCE(5, 19, an_overlay_cannot, an_overlay_with_a_mapped_upper_directory)
{
	static unsigned int ways[] = { 0, IDM_OVERLAY_IN_NAMESPACE };

	start_idmountd();
	make_layers();
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		in_child(overlay_mapped_upper, &ways[i]);
		in_child(overlay_unowned_upper, &ways[i]);
	}
	stop_idmountd();
}

static void add_bind(struct idm_plan *plan, const char *target, const char *how)
{
	const char *words[] = { how, "uidmap=1500:7:1;200000:8:2", "gidmap=1500:7:1;200000:8:2",
				"idmap" };
	struct idm_plan_add_options m = IDM_PLAN_ADD_OPTIONS_INIT;
	struct idm_error err;

	m.type = "bind";
	m.source = SOURCE;
	m.target = target;
	m.options = words;
	m.n_options = strcmp(how, "bind") == 0 ? 3 : 4;
	assert_ok(idm_plan_add(plan, &m, &err), &err);
}

static void apply_plan_as_user(void *how)
{
	struct idm_plan_apply_options o = IDM_PLAN_APPLY_OPTIONS_INIT;
	struct idm_plan *plan;
	struct idm_error err;

	enter_as_user();
	assert_ok(idm_plan_new(&plan), NULL);
	if (strcmp(how, "rbind") == 0) /* the map is of the top alone */
		do_mount("below", SOURCE "/below", "tmpfs", 0, NULL);
	add_bind(plan, "/", how);
	assert_error(idm_plan_apply(plan, AT_FDCWD, TARGET, &o, &err), -EPERM, &err, SOURCE, "map tree",
		     "that mounted the filesystem");
	o.flags = IDM_PLAN_APPLY_SERVICE;
	assert_ok(idm_plan_apply(plan, AT_FDCWD, TARGET, &o, &err), &err);
	assert_owner(TARGET "/sub", 8, 9);
	if (strcmp(how, "rbind") == 0)
		assert_owner(TARGET "/below", 0, 0);
	idm_plan_free(plan);
}

TEST(a_plan_with_bind_mounts)
{
	static const char *const ways[] = { "bind", "rbind" };

	start_idmountd();
	must(mkdir(SOURCE "/below", 0755));
	must(chown(SOURCE "/below", USER, USER));
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
		in_child(apply_plan_as_user, (void *)ways[i]);
	stop_idmountd();
}

// SPDX-License-Identifier: MIT
/*
 * Every function that accepts flags, with every bit that is not its own. The flags of one object have
 * different bits, so that a flag of another function of the same object is always rejected.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/macros.h"
#include "tests/lib/maps.h"
#include "tests/lib/test.h"

/* ---- the flags ---- */

enum object {
	MAP = 1,
	USERNS = 2,
	MOUNT = 4,
	OVERLAY = 8,
	PLAN = 16,
	LOOK = 32,
	CHILD = 64,
	REAPER = 128,
	EXPLAIN = 256
};

static const struct flag {
	const char *name;
	unsigned int value, objects;
} flags[] = {
#define FLAG(name, objects)                       \
	{                                         \
		"IDM_" #name, IDM_##name, objects \
	}
	FLAG(UID, MAP),
	FLAG(GID, MAP),
	FLAG(MAP_PARSE_LOOKUP, MAP),
	FLAG(USERNS_ZOMBIE, USERNS),
	FLAG(USERNS_LIVE, USERNS),
	FLAG(USERNS_OWN_MEMORY, USERNS),
	FLAG(TREE_RECURSIVE, MOUNT),
	FLAG(TREE_NOFOLLOW, MOUNT),
	FLAG(TREE_REMAP, MOUNT),
	FLAG(TREE_ON_TOP, MOUNT),
	FLAG(TREE_EMPTY_PATH, MOUNT),
	FLAG(TREE_SERVICE, MOUNT),
	FLAG(ATTACH_MKDIR, MOUNT | CHILD),
	FLAG(ATTACH_REPLACE, MOUNT | CHILD),
	FLAG(ATTACH_IN_ROOT, MOUNT | CHILD),
	FLAG(ATTACH_FOLLOW, MOUNT | CHILD),
	FLAG(UMOUNT_RECURSIVE, MOUNT),
	FLAG(UMOUNT_LAZY, MOUNT),
	FLAG(UMOUNT_FOLLOW, MOUNT),
	FLAG(OVERLAY_BY_DESCRIPTOR, OVERLAY),
	FLAG(OVERLAY_IN_NAMESPACE, OVERLAY),
	FLAG(OVERLAY_CREATE_AS_ROOT, OVERLAY),
	FLAG(OVERLAY_UPPER_UNUSED, OVERLAY),
	FLAG(OVERLAY_EMPTY_PATH, OVERLAY),
	FLAG(OVERLAY_SERVICE, OVERLAY),
	FLAG(PLAN_ADD_MKDIR, PLAN),
	FLAG(PLAN_ADD_RDONLY_LAST, PLAN),
	FLAG(PLAN_APPLY_DETACHED, PLAN),
	FLAG(PLAN_APPLY_IN_NAMESPACE, PLAN),
	FLAG(PLAN_APPLY_MKDIR, PLAN),
	FLAG(PLAN_APPLY_UPPER_UNUSED, PLAN),
	FLAG(PLAN_APPLY_SERVICE, PLAN),
	FLAG(PLAN_UNDO_LAZY, PLAN),
	FLAG(LIST_ALL_NAMESPACES, LOOK),
	FLAG(LIST_UNMAPPED, LOOK),
	FLAG(LIST_EMPTY_PATH, LOOK),
	FLAG(CHECK_WRITE, LOOK),
	FLAG(CHECK_EMPTY_PATH, LOOK),
	FLAG(INODE_IMMUTABLE, EXPLAIN),
	FLAG(INODE_APPEND, EXPLAIN),
	FLAG(EXPLAIN_NOFOLLOW, EXPLAIN),
	FLAG(INODE_ACL, EXPLAIN),
	FLAG(NS_TIME, CHILD | REAPER),
	FLAG(NS_MOUNT, CHILD | REAPER),
	FLAG(NS_CGROUP, CHILD | REAPER),
	FLAG(NS_UTS, CHILD | REAPER),
	FLAG(NS_IPC, CHILD | REAPER),
	FLAG(NS_PID, CHILD | REAPER),
	FLAG(NS_NET, CHILD | REAPER),
	FLAG(CHILD_SEARCH_PATH, CHILD | REAPER),
	FLAG(CHILD_KEEP_FDS, CHILD | REAPER),
	FLAG(CHILD_RESET_SIGNALS, CHILD | REAPER),
	FLAG(CHILD_SESSION, CHILD | REAPER),
	FLAG(CHILD_SET_GROUPS, CHILD | REAPER),
	FLAG(CHILD_NO_NEW_PRIVS, CHILD | REAPER),
	FLAG(CHILD_UNDER_INIT, CHILD | REAPER),
	FLAG(CHILD_DIE_WITH_THREAD, CHILD | REAPER),
	FLAG(CHILD_NEW_KEYRING, CHILD | REAPER),
	FLAG(CHILD_DISABLE_USERNS, CHILD | REAPER),
	FLAG(CHILD_NO_KEYRINGS, CHILD | REAPER),
	FLAG(CHILD_MOUNT_OPTIONAL, CHILD | REAPER),
	FLAG(CHILD_MOUNT_REBIND, CHILD | REAPER),
	FLAG(CHILD_MOUNT_MKDIR, CHILD | REAPER),
	FLAG(CHILD_MOUNT_FOLLOW, CHILD | REAPER),
	FLAG(REAPER_ADD_HOLD, REAPER),
	FLAG(REAPER_ADD_SPARE, REAPER),
	FLAG(REAPER_ADOPT_INHERIT, REAPER),
	FLAG(REAPER_FORKSERVER_ORPHANS, REAPER),
};

/* ---- the functions ---- */

static struct idm_reaper *reaper;
static struct idm_map *map;
static struct idm_plan *plan;

static int map_add(unsigned int bits, struct idm_error *err)
{
	return idm_map_add(map, bits, &(struct idm_entry){ 1, 2, 3 }, 1, err);
}

static int map_keep_rest(unsigned int bits, struct idm_error *err)
{
	return idm_map_keep_rest(map, bits, err);
}

static int map_parse(unsigned int bits, struct idm_error *err)
{
	return idm_map_parse(map, "1:2:3", bits, err);
}

static int userns_open(unsigned int bits, struct idm_error *err)
{
	return idm_userns_open(map, bits, err);
}

static int tree_open(unsigned int bits, struct idm_error *err)
{
	struct idm_tree_options o = IDM_TREE_OPTIONS_INIT;

	o.flags = bits;
	return idm_tree_open(AT_FDCWD, "/", -1, &o, err);
}

static int tree_attach(unsigned int bits, struct idm_error *err)
{
	struct idm_attach_options o = IDM_ATTACH_OPTIONS_INIT;

	o.flags = bits;
	return idm_tree_attach(-1, AT_FDCWD, "/no/such/target", &o, err);
}

static int mount_at_once(unsigned int bits, struct idm_error *err)
{
	struct idm_mount_options o = IDM_MOUNT_OPTIONS_INIT;

	o.flags = bits;
	return idm_mount("1:2:3", "/no/such/source", "/no/such/target", &o, err);
}

static int mount_map_flags(unsigned int bits, struct idm_error *err)
{
	struct idm_mount_options o = IDM_MOUNT_OPTIONS_INIT;

	o.map_flags = bits;
	return idm_mount("1:2:3", "/no/such/source", "/no/such/target", &o, err);
}

static int unmount(unsigned int bits, struct idm_error *err)
{
	return idm_umount(AT_FDCWD, "/nothing", bits, err);
}

static int unmount_fd(unsigned int bits, struct idm_error *err)
{
	return idm_umount_fd(-1, bits, err);
}

static int staging_open(unsigned int bits, struct idm_error *err)
{
	return idm_staging_open(bits, err);
}

static int overlay_open(unsigned int bits, struct idm_error *err)
{
	struct idm_overlay_options o = IDM_OVERLAY_OPTIONS_INIT;

	o.flags = bits;
	return idm_overlay_open(&o, err);
}

static int plan_add(unsigned int bits, struct idm_error *err)
{
	struct idm_plan_add_options m = IDM_PLAN_ADD_OPTIONS_INIT;

	m.flags = bits;
	return idm_plan_add(plan, &m, err);
}

static int plan_open(unsigned int bits, struct idm_error *err)
{
	struct idm_plan_apply_options o = IDM_PLAN_APPLY_OPTIONS_INIT;

	o.flags = bits;
	return idm_plan_open(plan, &o, err);
}

static int plan_apply(unsigned int bits, struct idm_error *err)
{
	struct idm_plan_apply_options o = IDM_PLAN_APPLY_OPTIONS_INIT;

	o.flags = bits;
	return idm_plan_apply(plan, AT_FDCWD, "/nothing", &o, err);
}

static int plan_undo(unsigned int bits, struct idm_error *err)
{
	return idm_plan_undo("/nothing", bits, err);
}

static int each_mount(const struct idm_mount_info *mount, void *data)
{
	(void)mount;
	(void)data;
	return 1;
}

static int list(unsigned int bits, struct idm_error *err)
{
	return idm_list(bits, each_mount, NULL, err);
}

static int list_iter(unsigned int bits, struct idm_error *err)
{
	struct idm_list_iter *iter = NULL;
	int r = idm_list_iter_new(bits, &iter, err);

	idm_list_iter_free(iter);
	return r;
}

static int list_path_iter(unsigned int bits, struct idm_error *err)
{
	struct idm_list_iter *iter = NULL;
	int r = idm_list_path_iter_new(AT_FDCWD, "/", bits, &iter, err);

	idm_list_iter_free(iter);
	return r;
}

static int feature_iter(unsigned int bits, struct idm_error *err)
{
	struct idm_feature_iter *iter = NULL;
	int r = idm_feature_iter_new(bits, &iter, err);

	idm_feature_iter_free(iter);
	return r;
}

static int explain_iter(unsigned int bits, struct idm_error *err)
{
	struct idm_explain_iter *iter = NULL;
	int r = idm_explain_iter_new(0, "/", bits, &iter, err);

	idm_explain_iter_free(iter);
	return r;
}

static int list_path(unsigned int bits, struct idm_error *err)
{
	return idm_list_path(AT_FDCWD, "/", bits, each_mount, NULL, err);
}

static int check_path(unsigned int bits, struct idm_error *err)
{
	struct idm_check_result check = IDM_CHECK_RESULT_INIT;

	return idm_check_path(AT_FDCWD, "/", bits, &check, NULL, err);
}

static int stop_at_once(const struct idm_feature_info *feature, void *data)
{
	(void)feature;
	(void)data;
	return 1;
}

static int features(unsigned int bits, struct idm_error *err)
{
	return idm_features(bits, stop_at_once, NULL, err);
}

static int explain_inode(unsigned int bits, struct idm_error *err)
{
	struct idm_explain_inode inode = IDM_EXPLAIN_INODE_INIT;
	struct idm_explain_options o = IDM_EXPLAIN_OPTIONS_INIT;
	struct idm_explain_result result = IDM_EXPLAIN_RESULT_INIT;

	inode.flags = bits;
	o.inode = &inode;
	return idm_explain(&o, &result, err);
}

static int visit_explained(const struct idm_explain_info *place, void *data)
{
	(void)place;
	(void)data;
	return 0;
}

static int explain_path(unsigned int bits, struct idm_error *err)
{
	return idm_explain_path(0, "/", bits, visit_explained, NULL, err);
}

static const char *const argv[] = { "nothing", NULL };

static struct idm_child_options child_options(void)
{
	struct idm_child_options o = IDM_CHILD_OPTIONS_INIT;

	o.path = "/nothing";
	o.argv = argv;
	return o;
}

static int child_start(unsigned int bits, struct idm_error *err)
{
	struct idm_child_options o = child_options();

	o.flags = bits;
	return idm_child_start(&o, err);
}

static int child_namespaces(unsigned int bits, struct idm_error *err)
{
	struct idm_child_options o = child_options();

	o.namespaces = bits;
	return idm_child_start(&o, err);
}

static int child_mount(unsigned int bits, struct idm_error *err)
{
	struct idm_child_mount mount = {
		.target = "/mnt", .fstype = "tmpfs", .flags = bits, .tree_fd = -1
	};
	struct idm_child_options o = child_options();

	o.namespaces = IDM_NS_MOUNT;
	o.mounts = &mount;
	o.n_mounts = 1;
	return idm_child_start(&o, err);
}

static int reaper_add(unsigned int bits, struct idm_error *err)
{
	return idm_reaper_add(reaper, -1, bits, NULL, err);
}

static int reaper_adopt(unsigned int bits, struct idm_error *err)
{
	return idm_reaper_adopt(reaper, bits, NULL, err);
}

static int reaper_keep(unsigned int bits, struct idm_error *err)
{
	return idm_reaper_start_forkserver(reaper, bits, NULL, err);
}

static int reaper_start(unsigned int bits, struct idm_error *err)
{
	struct idm_child_options o = IDM_CHILD_OPTIONS_INIT;

	o.path = argv[0];
	o.argv = argv;
	return idm_reaper_start(reaper, &o, bits, NULL, err);
}

static const struct function {
	const char *name;
	int (*call)(unsigned int bits, struct idm_error *err);
	unsigned int known;
	enum object object;
} functions[] = {
	{ "idm_map_add", map_add, IDM_BOTH, MAP },
	{ "idm_map_keep_rest", map_keep_rest, IDM_BOTH, MAP },
	{ "idm_map_parse", map_parse, IDM_MAP_PARSE_LOOKUP, MAP },
	{ "idm_userns_open", userns_open, IDM_USERNS_ZOMBIE | IDM_USERNS_LIVE | IDM_USERNS_OWN_MEMORY,
	  USERNS },
	{ "idm_tree_open", tree_open,
	  IDM_TREE_RECURSIVE | IDM_TREE_NOFOLLOW | IDM_TREE_REMAP | IDM_TREE_ON_TOP |
		  IDM_TREE_EMPTY_PATH | IDM_TREE_SERVICE,
	  MOUNT },
	{ "idm_tree_attach", tree_attach,
	  IDM_ATTACH_MKDIR | IDM_ATTACH_REPLACE | IDM_ATTACH_IN_ROOT | IDM_ATTACH_FOLLOW, MOUNT },
	{ "idm_mount", mount_at_once,
	  IDM_TREE_RECURSIVE | IDM_TREE_NOFOLLOW | IDM_TREE_REMAP | IDM_TREE_ON_TOP |
		  IDM_TREE_EMPTY_PATH | IDM_TREE_SERVICE | IDM_ATTACH_MKDIR | IDM_ATTACH_REPLACE |
		  IDM_ATTACH_IN_ROOT | IDM_ATTACH_FOLLOW,
	  MOUNT },
	{ "idm_mount_options.map_flags", mount_map_flags, IDM_MAP_PARSE_LOOKUP, MAP },
	{ "idm_umount", unmount, IDM_UMOUNT_RECURSIVE | IDM_UMOUNT_LAZY | IDM_UMOUNT_FOLLOW, MOUNT },
	{ "idm_umount_fd", unmount_fd, IDM_UMOUNT_LAZY, MOUNT },
	{ "idm_staging_open", staging_open, 0, MOUNT },
	{ "idm_overlay_open", overlay_open,
	  IDM_OVERLAY_BY_DESCRIPTOR | IDM_OVERLAY_IN_NAMESPACE | IDM_OVERLAY_CREATE_AS_ROOT |
		  IDM_OVERLAY_EMPTY_PATH | IDM_OVERLAY_UPPER_UNUSED | IDM_OVERLAY_SERVICE,
	  OVERLAY },
	{ "idm_plan_add", plan_add, IDM_PLAN_ADD_MKDIR | IDM_PLAN_ADD_RDONLY_LAST, PLAN },
	{ "idm_plan_open", plan_open,
	  IDM_PLAN_APPLY_DETACHED | IDM_PLAN_APPLY_IN_NAMESPACE | IDM_PLAN_APPLY_MKDIR |
		  IDM_PLAN_APPLY_UPPER_UNUSED | IDM_PLAN_APPLY_SERVICE,
	  PLAN },
	{ "idm_plan_apply", plan_apply,
	  IDM_PLAN_APPLY_DETACHED | IDM_PLAN_APPLY_IN_NAMESPACE | IDM_PLAN_APPLY_MKDIR |
		  IDM_PLAN_APPLY_UPPER_UNUSED | IDM_PLAN_APPLY_SERVICE,
	  PLAN },
	{ "idm_plan_undo", plan_undo, IDM_PLAN_UNDO_LAZY, PLAN },
	{ "idm_list", list, IDM_LIST_ALL_NAMESPACES | IDM_LIST_UNMAPPED, LOOK },
	{ "idm_list_path", list_path, IDM_LIST_EMPTY_PATH, LOOK },
	{ "idm_list_iter_new", list_iter, IDM_LIST_ALL_NAMESPACES | IDM_LIST_UNMAPPED, LOOK },
	{ "idm_list_path_iter_new", list_path_iter, IDM_LIST_EMPTY_PATH, LOOK },
	{ "idm_feature_iter_new", feature_iter, 0, LOOK },
	{ "idm_explain_iter_new", explain_iter, IDM_EXPLAIN_NOFOLLOW, EXPLAIN },
	{ "idm_check_path", check_path, IDM_CHECK_WRITE | IDM_CHECK_EMPTY_PATH, LOOK },
	{ "idm_features", features, 0, LOOK },
	{ "idm_explain_path", explain_path, IDM_EXPLAIN_NOFOLLOW, EXPLAIN },
	{ "idm_explain_inode", explain_inode, IDM_INODE_IMMUTABLE | IDM_INODE_APPEND | IDM_INODE_ACL,
	  EXPLAIN },
	{ "idm_child_start", child_start,
	  IDM_CHILD_SEARCH_PATH | IDM_CHILD_KEEP_FDS | IDM_CHILD_RESET_SIGNALS | IDM_CHILD_SESSION |
		  IDM_CHILD_SET_GROUPS | IDM_CHILD_NO_NEW_PRIVS | IDM_CHILD_UNDER_INIT |
		  IDM_CHILD_DIE_WITH_THREAD | IDM_CHILD_NEW_KEYRING | IDM_CHILD_DISABLE_USERNS |
		  IDM_CHILD_NO_KEYRINGS,
	  CHILD },
	{ "idm_child_options.namespaces", child_namespaces,
	  IDM_NS_TIME | IDM_NS_MOUNT | IDM_NS_CGROUP | IDM_NS_UTS | IDM_NS_IPC | IDM_NS_PID | IDM_NS_NET,
	  CHILD },
	{ "idm_child_mount", child_mount,
	  IDM_CHILD_MOUNT_OPTIONAL | IDM_CHILD_MOUNT_REBIND | IDM_CHILD_MOUNT_MKDIR |
		  IDM_CHILD_MOUNT_FOLLOW,
	  CHILD },
	{ "idm_reaper_add", reaper_add, IDM_REAPER_ADD_HOLD | IDM_REAPER_ADD_SPARE, REAPER },
	{ "idm_reaper_adopt", reaper_adopt, IDM_REAPER_ADOPT_INHERIT, REAPER },
	{ "idm_reaper_start_forkserver", reaper_keep, IDM_REAPER_FORKSERVER_ORPHANS, REAPER },
	{ "idm_reaper_start", reaper_start, IDM_REAPER_ADD_HOLD, REAPER },
};

static void make_objects(void)
{
	assert_ok(idm_map_new(&map), NULL);
	assert_ok(idm_plan_new(&plan), NULL);
	assert_ok(idm_reaper_new(&reaper, NULL), NULL);
}

static void free_objects(void)
{
	idm_map_free(map);
	idm_plan_free(plan);
	idm_reaper_free(reaper);
}

/* ---- what is rejected ---- */

static void assert_rejected(const struct function *f, unsigned int bits)
{
	struct idm_error err;
	char hex[32];

	snprintf(hex, sizeof(hex), " 0x%x", bits);
	assert_error(f->call(bits, &err), -EINVAL, &err, NULL, NULL, "unknown ");
	if (!strstr(err.message, hex))
		fail_msg("%s with 0x%x: %s", f->name, bits, err.message);
	assert_int_equal(f->call(bits, NULL), -EINVAL);
}

TEST(unknown_bits_are_rejected_and_named)
{
	make_objects();
	for (const struct function *f = functions; f < functions + ARRAY_SIZE(functions); f++) {
		note("%s", f->name);
		for (unsigned int bit = 1; bit; bit <<= 1)
			if (!(f->known & bit))
				assert_rejected(f, bit);
		assert_rejected(f, ~f->known);
	}
	free_objects();
}

TEST(the_upper_half_of_64_bits_is_rejected)
{
	struct idm_child_options o = child_options();
	struct idm_error err;

	o.flags = 1ULL << 63 | IDM_CHILD_SESSION;
	assert_error(idm_child_start(&o, &err), -EINVAL, &err, NULL, "start program",
		     "unknown flags 0x8000000000000000");
}

TEST(flags_of_another_function_of_the_object_are_rejected)
{
	make_objects();
	for (const struct function *f = functions; f < functions + ARRAY_SIZE(functions); f++)
		for (const struct flag *flag = flags; flag < flags + ARRAY_SIZE(flags); flag++) {
			if (!(flag->objects & f->object) || flag->value & f->known)
				continue;
			note("%s: %s", f->name, flag->name);
			assert_rejected(f, flag->value);
		}
	free_objects();
}

TEST(flags_of_an_object_have_different_bits)
{
	for (const struct flag *a = flags; a < flags + ARRAY_SIZE(flags); a++)
		for (const struct flag *b = flags; b < a; b++)
			if (a->objects & b->objects && a->value & b->value)
				fail_msg("%s and %s", a->name, b->name);
}

/* ---- all of them ---- */

static bool is_listed(const char *name)
{
	for (const struct flag *flag = flags; flag < flags + ARRAY_SIZE(flags); flag++)
		if (strcmp(flag->name, name) == 0)
			return true;
	return false;
}

/* "#define IDM_NAME 0x1U" */
static bool is_constant(const char *line, char name[64])
{
	char unsigned_sign;
	int value;

	return sscanf(line, "#define %63[A-Z_] %i%c", name, &value, &unsigned_sign) == 3 &&
	       unsigned_sign == 'U';
}

static bool is_flag(const char *name)
{
	return strncmp(name, "IDM_ATTR_", 9) != 0 && strncmp(name, "IDM_UNSEEN_", 11) != 0 &&
	       strcmp(name, "IDM_CHILD_KEEP_ID") != 0 && strcmp(name, "IDM_EXPLAIN_NO_ID") != 0;
}

TEST(none_is_forgotten_and_all_are_hexadecimal)
{
	char path[4096], line[512], name[64];
	FILE *header;

	snprintf(path, sizeof(path), "%s/include/idmount.h", getenv("IDM_SOURCE_ROOT"));
	header = fopen(path, "re");
	assert_non_null(header);
	while (fgets(line, sizeof(line), header)) {
		if (!is_constant(line, name))
			continue;
		if (!strstr(line, " 0x"))
			fail_msg("%s is not written in hexadecimal", name);
		if (is_flag(name) && !is_listed(name))
			fail_msg("%s is not tested here", name);
	}
	fclose(header);
}

// SPDX-License-Identifier: MIT
/*
 * Every allocation fails once. The operation fails with ENOMEM, or does without, and frees all memory
 * that it has allocated. All runs are in one process.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "failing-memory.h"
#include "lib/base/error.h"
#include "lib/overlay/upper-cache.h"
#include "lib/sys/fail-errno.h"
#include "tests/integration/rootfs/plans.h"

#define MAP_TEXT "u:0:100000:65536,g:0:100000:65536"
#define SOURCE SCRATCH "/source"
#define JOURNAL SCRATCH "/journal"

/* ---- the rounds ---- */

struct operation {
	const char *name;
	int (*go)(struct idm_error *err);
	void (*undo)(void); /* undoes what success has left */
};

static int go_counting(const struct operation *op, unsigned long nth, struct idm_error *err)
{
	int r;

	memory_begin(nth);
	r = op->go(err);
	memory->counts = false;
	return r;
}

static void try_each(const struct operation *op)
{
	unsigned long n = 0;

	for (bool more = true; more; n++) {
		struct snapshot *before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
		struct idm_error err;
		int r = go_counting(op, n, &err);

		more = memory->failed;
		if (memory->live)
			fail_msg("%s: after allocation %lu failed, %ld are left", op->name, n,
				 memory->live);
		if (r < 0) {
			if (getenv("IDM_FAULTS"))
				note("%s, allocation %lu: %s", op->name, n, err.message);
			assert_error(r, -ENOMEM, &err, NULL, NULL, NULL);
			assert_true(memory->failed);
		} else if (op->undo) {
			op->undo();
		}
		snapshot_assert_same(before);
	}
	note("%s: %lu allocations", op->name, n - 1);
	proof("faults", n - 1, "failed allocations survived");
}

/* ---- operations ---- */

static struct idm_map *map;
static int userns;

static int parse(struct idm_error *err)
{
	struct idm_map *m;
	int r = idm_map_new(&m);

	if (r < 0)
		return idm_fail_errno(err, r, IDM_STEP_PARSE_MAP, NULL);
	r = idm_map_parse(m, "u:0:100000:1000,u:5000:1:1,g:7:8,b:200000:300000:10", 0, err);
	if (r == 0)
		r = idm_map_keep_rest(m, IDM_BOTH, err);
	if (r == 0 && (r = idm_map_compose(m, m)) < 0)
		idm_fail_errno(err, r, IDM_STEP_CHECK_MAP, NULL);
	idm_map_free(m);
	return r;
}

static int ask_cache(struct idm_error *err)
{
	struct idm_userns_cache *cache;
	int fd, r = idm_userns_cache_new(2, &cache, err);

	if (r < 0)
		return r;
	fd = idm_userns_cache_open(cache, map, err);
	idm_userns_cache_free(cache);
	if (fd >= 0)
		close(fd);
	return fd;
}

static int read_userns(struct idm_error *err)
{
	struct idm_map *m;
	int r = idm_map_new(&m);

	if (r < 0)
		return idm_fail_errno(err, r, IDM_STEP_READ_PLAN, NULL);
	r = idm_map_add_userns(m, userns, err);
	idm_map_free(m);
	return r;
}

static int bind(struct idm_error *err)
{
	AUTO_FD int tree = idm_tree_open(AT_FDCWD, SOURCE, userns, NULL, err);

	return tree < 0 ? tree
			: idm_tree_attach(tree, AT_FDCWD, TARGET "/a/b",
					  ATTACH(IDM_ATTACH_MKDIR, IDM_PROPAGATION_DEFAULT), err);
}

static void unbind(void)
{
	do_umount(TARGET "/a/b");
	must(rmdir(TARGET "/a/b"));
	must(rmdir(TARGET "/a"));
}

static int count(const struct idm_mount_info *mount, void *data)
{
	(void)mount;
	++*(int *)data;
	return 0;
}

static int list(struct idm_error *err)
{
	int n = 0;

	return idm_list(IDM_LIST_UNMAPPED, count, &n, err);
}

static int list_path(struct idm_error *err)
{
	int n = 0;

	return idm_list_path(AT_FDCWD, SOURCE, 0, count, &n, err);
}

static int unmount_recursively(struct idm_error *err)
{
	int r;

	memory->counts = false;
	do_mount("to go", TARGET, "tmpfs", 0, "size=1m");
	scratch_dir(TARGET "/below");
	do_mount("to go", TARGET "/below", "tmpfs", 0, "size=1m");
	memory->counts = true;
	r = idm_umount(AT_FDCWD, TARGET, IDM_UMOUNT_RECURSIVE, err);
	memory->counts = false;
	if (r < 0)
		do_umount(TARGET);
	memory->counts = true;
	return r;
}

static int open_overlay(struct idm_error *err)
{
	static const struct idm_path lowers[] = { { AT_FDCWD, ROOT "/etc" }, { AT_FDCWD, ROOT "/bin" } };
	struct idm_overlay_options o = IDM_OVERLAY_OPTIONS_INIT;
	int tree;

	o.lower = lowers;
	o.n_lower = ARRAY_SIZE(lowers);
	o.map = map;
	tree = idm_overlay_open(&o, err);
	if (tree >= 0)
		close(tree);
	return tree;
}

/* A search of many mounts, without memory for a part of them. */
static int fill_upper_cache(struct idm_error *err)
{
	struct idm_upper_cache *cache;
	struct idm_plain_mounts plain;
	int r = idm_upper_cache_new(&cache, err);

	for (int round = 0; r == 0 && round < 2; round++) {
		idm_plain_mounts_begin(&plain, cache);
		for (uint64_t id = 100; id > 0; id--)
			if (!idm_plain_mounts_find(&plain, id))
				idm_plain_mounts_add(&plain, id);
		idm_plain_mounts_end(&plain, true);
	}
	idm_upper_cache_free(cache);
	return r;
}

static int iterate_mounts(struct idm_error *err)
{
	struct idm_list_iter *iter = NULL;
	int r = idm_list_iter_new(IDM_LIST_UNMAPPED, &iter, err);

	idm_list_iter_free(iter);
	return r;
}

static int iterate_features(struct idm_error *err)
{
	struct idm_feature_iter *iter = NULL;
	int r = idm_feature_iter_new(0, &iter, err);

	idm_feature_iter_free(iter);
	return r;
}

static int iterate_places(struct idm_error *err)
{
	struct idm_explain_iter *iter = NULL;
	int r = idm_explain_iter_new(0, SOURCE, 0, &iter, err);

	idm_explain_iter_free(iter);
	return r;
}

static int mount_at_once(struct idm_error *err)
{
	struct idm_mount_options o = IDM_MOUNT_OPTIONS_INIT;

	o.flags = IDM_ATTACH_MKDIR;
	o.keep_rest = IDM_BOTH;
	return idm_mount(MAP_TEXT, SOURCE, TARGET "/a/b", &o, err);
}

static int check(struct idm_error *err)
{
	struct idm_check_result c = IDM_CHECK_RESULT_INIT;
	struct idm_error why;
	int r = idm_check_path(AT_FDCWD, SOURCE, IDM_CHECK_WRITE, &c, &why, err);

	if (r < 0 || c.writable)
		return r;
	*err = why;
	return -why.errnum;
}

static int start(struct idm_error *err)
{
	struct idm_child_options o = IDM_CHILD_OPTIONS_INIT;
	int pidfd;

	o.path = "true";
	o.argv = (const char *const[]){ "true", NULL };
	o.flags = IDM_CHILD_SEARCH_PATH;
	pidfd = idm_child_start(&o, err);
	if (pidfd < 0)
		return pidfd;
	assert_ok(idm_child_wait(pidfd, -1, NULL, NULL), NULL);
	close(pidfd);
	return 0;
}

static int keep(struct idm_error *err)
{
	static const char *const argv[] = { "/bin/true", NULL };
	struct idm_child_options o = IDM_CHILD_OPTIONS_INIT;
	struct idm_reaper *reaper;
	struct idm_exit_info exit;
	int r = idm_reaper_new(&reaper, err);

	if (r < 0)
		return r;
	o.path = argv[0];
	o.argv = argv;
	r = idm_reaper_start_forkserver(reaper, 0, NULL, err);
	if (r == 0)
		r = idm_reaper_start(reaper, &o, 0, NULL, err);
	if (r >= 0) {
		close(r);
		r = idm_reaper_next(reaper, -1, &exit, NULL, err);
	}
	idm_reaper_free(reaper);
	return r;
}

static int add(struct idm_plan *plan, const char *type, const char *source, const char *where,
	       const char *word, struct idm_error *err)
{
	struct idm_plan_add_options m = IDM_PLAN_ADD_OPTIONS_INIT;

	m.type = type;
	m.source = source;
	m.target = where;
	m.options = &word;
	m.n_options = 1;
	m.map = source ? map : NULL;
	return idm_plan_add(plan, &m, err);
}

static int make_plan(struct idm_plan **plan, struct idm_error *err)
{
	int r = idm_plan_new(plan);

	if (r < 0)
		return idm_fail_errno(err, r, IDM_STEP_PLAN_MOUNT, NULL);
	r = add(*plan, "bind", ROOT, "/", "private", err);
	return r < 0 ? r : add(*plan, "tmpfs", NULL, "/made", "size=1m", err);
}

static int read_plan(const char *text, struct idm_error *err)
{
	AUTO_PLAN struct idm_plan *plan = NULL;
	int r = idm_plan_new(&plan);

	if (r < 0)
		return idm_fail_errno(err, r, IDM_STEP_PLAN_MOUNT, NULL);
	return idm_plan_read(plan, text, strlen(text), NULL, err);
}

static int read_list(struct idm_error *err)
{
	return read_plan("[{\"Type\": \"bind\", \"Source\": \"" ROOT "\", \"Options\":"
			 " [\"rbind\", \"uidmap=0:1000:5\", \"gidmap=0:1000:5\"]},"
			 " {\"Type\": \"tmpfs\", \"Target\": \"/made\", \"Options\": [\"size=1m\"]}]",
			 err);
}

static int read_bundle(struct idm_error *err)
{
	return read_plan(
		"{\"ociVersion\": \"1.0.2\", \"root\": {\"path\": \"" ROOT "\"},"
		" \"mounts\": [{\"destination\": \"/a\", \"type\": \"bind\","
		" \"source\": \"" ROOT "\", \"options\": [\"rbind\"],"
		" \"uidMappings\": [{\"containerID\": 0, \"hostID\": 9, \"size\": 1}],"
		" \"gidMappings\": [{\"containerID\": 0, \"hostID\": 9, \"size\": 1}]}],"
		" \"annotations\": {\"a\": \"b\"}, \"linux\": {\"namespaces\": [{\"type\": \"pid\"}]}}",
		err);
}

static int apply(struct idm_error *err)
{
	struct idm_plan_apply_options o = IDM_PLAN_APPLY_OPTIONS_INIT;
	AUTO_PLAN struct idm_plan *plan = NULL;
	int r = make_plan(&plan, err);

	o.journal = JOURNAL;
	o.flags = IDM_PLAN_APPLY_MKDIR;
	return r < 0 ? r : idm_plan_apply(plan, AT_FDCWD, TARGET "/new", &o, err);
}

static int undo(struct idm_error *err)
{
	int r;

	memory->counts = false;
	assert_ok(apply(err), err);
	memory->counts = true;
	r = idm_plan_undo(JOURNAL, 0, err);
	memory->counts = false;
	if (r < 0)
		assert_ok(idm_plan_undo(JOURNAL, 0, NULL), NULL);
	memory->counts = true;
	return r;
}

static void undo_applied(void)
{
	assert_ok(idm_plan_undo(JOURNAL, 0, NULL), NULL);
}

static void try_all(const struct operation *ops, size_t n)
{
	if (TEST_SANITIZED) {
		note("sanitizers have a malloc of their own");
		return;
	}
	enter_image();
	scratch_dir(SOURCE);
	map = map_of(MAP_TEXT);
	userns = userns_of(MAP_TEXT);
	for (size_t i = 0; i < n; i++)
		try_each(&ops[i]);
	close(userns);
	idm_map_free(map);
}

TEST(of_maps_and_mounts)
{
	static const struct operation ops[] = {
		{ "parse", parse, NULL },
		{ "cache", ask_cache, NULL },
		{ "read userns", read_userns, NULL },
		{ "bind", bind, unbind },
		{ "mount at once", mount_at_once, unbind },
		{ "iterate mounts", iterate_mounts, NULL },
		{ "iterate features", iterate_features, NULL },
		{ "iterate places", iterate_places, NULL },
		{ "list", list, NULL },
		{ "list path", list_path, NULL },
		{ "unmount", unmount_recursively, NULL },
		{ "overlay", open_overlay, NULL },
		{ "upper cache", fill_upper_cache, NULL },
		{ "check", check, NULL },
	};

	try_all(ops, ARRAY_SIZE(ops));
}

TEST(of_children)
{
	static const struct operation ops[] = { { "child", start, NULL },
						{ "fork server", keep, NULL } };

	try_all(ops, ARRAY_SIZE(ops));
}

TEST(of_plans)
{
	static const struct operation ops[] = { { "read list", read_list, NULL },
						{ "read bundle", read_bundle, NULL },
						{ "apply", apply, undo_applied },
						{ "undo", undo, NULL } };

	try_all(ops, ARRAY_SIZE(ops));
}

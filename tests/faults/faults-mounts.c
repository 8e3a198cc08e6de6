// SPDX-License-Identifier: MIT
/*
 * Namespaces, trees, overlays and the listing survive the failure of every system call. They survive the
 * death of their process at every system call, too: see faults.h.
 */
#include <sys/stat.h>
#include <sys/syscall.h>

#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/sys/fail-errno.h"
#include "tests/integration/mount/trees.h"
#include "tests/lib/faults.h"

#define MAP_TEXT "0:100000:65536"
#define SOURCE SCRATCH "/source"
#define TARGET SCRATCH "/target"
#define MISSING SCRATCH "/not/yet"

static struct idm_map *map;
static unsigned int way;

static void enter(void)
{
	faults_enter();
	map = map_of(MAP_TEXT);
	scratch_dir(SOURCE "/below");
	scratch_dir(TARGET);
	owned_file(SOURCE "/file", 1000, 1001);
	mount_mappable(SOURCE "/below");
	owned_file(SOURCE "/below/file", 8, 12);
}

static void leave(void)
{
	idm_map_free(map);
}

static void survive(const struct operation *op)
{
	faults_survived(op);
	kills_survived(op);
}

/* Counts the mounts at a path, one on the other. */
static unsigned int mounts_at(const char *path)
{
	AUTO_FREE char *line = NULL;
	FILE *file = fopen("/proc/self/mountinfo", "re");
	unsigned int n = 0;
	size_t size = 0;
	char point[512];

	assert_non_null(file);
	while (getline(&line, &size, file) > 0)
		n += sscanf(line, "%*s %*s %*s %*s %511s", point) == 1 && strcmp(point, path) == 0;
	fclose(file);
	return n;
}

/* ---- user namespaces ---- */

static int open_userns(struct idm_error *err)
{
	return idm_userns_open(map, way, err);
}

static void check_userns(int userns)
{
	assert_userns(userns, map);
	close(userns);
}

static void user_namespaces(const char *name, unsigned int flags)
{
	enter();
	way = flags;
	survive(&(struct operation){ name, .go = open_userns, .check = check_userns });
	leave();
}

/* Each way is tried alone. Otherwise the second way could hide a fault of the first. */
TEST_OF_RUNS(a_user_namespace_by_a_zombie)
{
	user_namespaces("zombie", IDM_USERNS_ZOMBIE);
}

TEST_OF_RUNS(a_user_namespace_by_a_live_child)
{
	user_namespaces("live child", IDM_USERNS_LIVE);
}

TEST_OF_RUNS(a_user_namespace_by_a_child_with_its_own_memory)
{
	user_namespaces("own memory", IDM_USERNS_OWN_MEMORY);
}

TEST_OF_RUNS(a_user_namespace_by_either)
{
	user_namespaces("either", 0);
}

/* Each call finds the result of the one before. A failure is not kept. */
static int ask_cache(struct idm_error *err)
{
	struct idm_userns_cache *cache;
	int first, second, r = idm_userns_cache_new(2, &cache, err);

	if (r < 0)
		return r;
	first = idm_userns_cache_open(cache, map, err);
	second = idm_userns_cache_open(cache, map, first < 0 ? NULL : err);
	idm_userns_cache_free(cache);
	if (first >= 0)
		close(first);
	if (first < 0 && second >= 0)
		close(second);
	return first < 0 ? first : second;
}

TEST_OF_RUNS(a_cached_user_namespace)
{
	enter();
	survive(&(struct operation){ "cache", .go = ask_cache, .check = check_userns });
	leave();
}

static struct idm_map *read_map;

static int read_userns(struct idm_error *err)
{
	AUTO_FD int userns = idm_userns_open(map, 0, NULL);
	int r;

	if (userns < 0)
		return idm_fail_errno(err, userns, IDM_STEP_MAKE_USERNS, NULL);
	read_map = map_of("");
	r = idm_map_add_userns(read_map, userns, err);
	if (r < 0)
		assert_map(read_map, "");
	if (r < 0)
		idm_map_free(read_map);
	return r;
}

static void check_read_map(int unused)
{
	(void)unused;
	assert_same_map(read_map, map);
	idm_map_free(read_map);
}

TEST_OF_RUNS(the_map_of_a_user_namespace)
{
	enter();
	survive(&(struct operation){ "read map", .go = read_userns, .check = check_read_map });
	leave();
}

/* Else the copy is there for the failures of the program alone. */
TEST_OF_RUNS(the_map_of_a_user_namespace_by_a_copy)
{
	enter();
	refuse_call(SYS_execveat, EPERM);
	survive(&(struct operation){ "read map by a copy", .go = read_userns, .check = check_read_map });
	leave();
}

/* ---- trees ---- */

static int tree_userns;

static int open_tree(struct idm_error *err)
{
	struct idm_tree_options o = IDM_TREE_OPTIONS_INIT;

	o.flags = way;
	o.attr_set = IDM_ATTR_NOSUID;
	return idm_tree_open(AT_FDCWD, SOURCE, tree_userns, &o, err);
}

static void check_tree(int tree)
{
	assert_owner_in(tree, "file", 101000, 101001);
	if (way & IDM_TREE_RECURSIVE)
		assert_owner_in(tree, "below/file", 100008, 100012);
	close(tree);
}

static void trees(const char *name, unsigned int flags)
{
	enter();
	way = flags;
	tree_userns = userns_of(MAP_TEXT);
	survive(&(struct operation){ name, .go = open_tree, .check = check_tree });
	close(tree_userns);
	leave();
}

TEST_OF_RUNS(a_tree)
{
	trees("tree", 0);
}

TEST_OF_RUNS(a_tree_not_through_a_link)
{
	trees("tree, nofollow", IDM_TREE_NOFOLLOW);
}

TEST_OF_RUNS(a_recursive_tree)
{
	trees("recursive tree", IDM_TREE_RECURSIVE);
}

/*
 * A request that the library refuses stays refused when a system call fails on the way. The error may
 * then state another reason, but the library never fulfils the request.
 */
static int refusal(int r, const struct idm_error *err)
{
	if (r >= 0)
		fail_msg("it was not refused");
	assert_error(r, -err->errnum, err, NULL, NULL, NULL);
	return 0;
}

static int open_proc(struct idm_error *err)
{
	return refusal(idm_tree_open(AT_FDCWD, "/proc", tree_userns, NULL, err), err);
}

static int open_link(struct idm_error *err)
{
	struct idm_tree_options o = IDM_TREE_OPTIONS_INIT;

	o.flags = IDM_TREE_NOFOLLOW;
	return refusal(idm_tree_open(AT_FDCWD, SCRATCH "/link", tree_userns, &o, err), err);
}

static int attach_to_link(struct idm_error *err)
{
	AUTO_FD int tree = idm_tree_open(AT_FDCWD, SOURCE, -1, NULL, err);

	if (tree < 0)
		return refusal(tree, err);
	return refusal(idm_tree_attach(tree, AT_FDCWD, SCRATCH "/link", NULL, err), err);
}

static int replace_nothing(struct idm_error *err)
{
	AUTO_FD int tree = idm_tree_open(AT_FDCWD, SOURCE, -1, NULL, err);

	if (tree < 0)
		return refusal(tree, err);
	return refusal(idm_tree_attach(tree, AT_FDCWD, SOURCE,
				       ATTACH(IDM_ATTACH_REPLACE, IDM_PROPAGATION_DEFAULT), err),
		       err);
}

static int unmount_link(struct idm_error *err)
{
	return refusal(idm_umount(AT_FDCWD, SCRATCH "/link", 0, err), err);
}

static int unmount_below_no_mount(struct idm_error *err)
{
	return refusal(idm_umount(AT_FDCWD, SOURCE, IDM_UMOUNT_RECURSIVE, err), err);
}

TEST_OF_RUNS(a_refusal_is_one)
{
	static const struct operation ops[] = {
		{ "source cannot be mapped", .go = open_proc },
		{ "source is a link", .go = open_link },
		{ "target is a link", .go = attach_to_link },
		{ "nothing to replace", .go = replace_nothing },
		{ "unmount through a link", .go = unmount_link },
		{ "unmount what is no mount", .go = unmount_below_no_mount },
	};

	enter();
	must(symlink("source", SCRATCH "/link"));
	tree_userns = userns_of(MAP_TEXT);
	for (size_t i = 0; i < ARRAY_SIZE(ops); i++)
		survive(&ops[i]);
	close(tree_userns);
	leave();
}

/* ---- attaching ---- */

static unsigned int attach_flags;
static enum idm_propagation propagation;
static const char *target;

static int bind(struct idm_error *err)
{
	AUTO_FD int userns = idm_userns_open(map, 0, err), tree = -1;
	struct idm_tree_options o = IDM_TREE_OPTIONS_INIT;

	if (userns < 0)
		return userns;
	o.flags = way;
	tree = idm_tree_open(AT_FDCWD, SOURCE, userns, &o, err);
	return tree < 0
		       ? tree
		       : idm_tree_attach(tree, AT_FDCWD, target, ATTACH(attach_flags, propagation), err);
}

static void assert_bound(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/file", target);
	assert_owner(path, 101000, 101001);
	snprintf(path, sizeof(path), "%s/below/file", target);
	if (way & IDM_TREE_RECURSIVE)
		assert_owner(path, 100008, 100012);
	assert_int_equal(mount_at(target).map_state,
			 kernel_is_before(6, 15) ? IDM_MAP_UNREADABLE : IDM_MAP_READ);
}

/* No process can remove the directory of a killed process, because nothing records it. */
static void remove_missing(void)
{
	rmdir(MISSING);
	rmdir(SCRATCH "/not");
}

/* After a kill of its process, the mount may be there or not. */
static void unbind(enum outcome outcome)
{
	unsigned int before = attach_flags & IDM_ATTACH_REPLACE ? 1 : 0;

	if (outcome == FAULT_REFUSED)
		return;
	if (outcome == FAULT_DONE)
		assert_int_equal(mounts_at(target), 1);
	if (outcome == FAULT_DONE || mounts_at(target) > before) {
		assert_bound();
		do_umount(target);
	}
	remove_missing();
}

static void binds(const char *name, const char *where, unsigned int tree_flags, unsigned int flags)
{
	enter();
	way = tree_flags;
	attach_flags = flags;
	target = where;
	survive(&(struct operation){ name, .go = bind, .finish = unbind });
	leave();
}

TEST_OF_RUNS(a_bind)
{
	binds("bind", TARGET, 0, 0);
}

static int mount_at_once(struct idm_error *err)
{
	return idm_mount(MAP_TEXT, SOURCE, target, NULL, err);
}

TEST_OF_RUNS(a_mount_in_one_call)
{
	enter();
	way = attach_flags = 0;
	target = TARGET;
	survive(&(struct operation){ "mount", .go = mount_at_once, .finish = unbind });
	leave();
}

TEST_OF_RUNS(a_recursive_bind)
{
	binds("recursive bind", TARGET, IDM_TREE_RECURSIVE, 0);
}

TEST_OF_RUNS(a_bind_to_a_new_directory)
{
	binds("bind, mkdir", MISSING, 0, IDM_ATTACH_MKDIR);
}

TEST_OF_RUNS(a_bind_below_a_shared_mount)
{
	enter();
	way = attach_flags = 0;
	target = TARGET "/at";
	do_mount("shared", TARGET, "tmpfs", 0, NULL);
	do_mount(NULL, TARGET, NULL, MS_SHARED, NULL);
	scratch_dir(target);
	propagation = IDM_PROPAGATION_PRIVATE;
	survive(&(struct operation){ "bind, private", .go = bind, .finish = unbind });
	leave();
}

/* Attaches on top of an existing mount, which stays untouched. */
static void unbind_top(enum outcome outcome)
{
	if (outcome == FAULT_REFUSED)
		return;
	if (outcome == FAULT_DONE)
		assert_int_equal(mounts_at(TARGET), 2);
	if (mounts_at(TARGET) == 2) {
		assert_bound();
		do_umount(TARGET);
	}
}

TEST_OF_RUNS(a_bind_on_a_mount)
{
	enter();
	way = attach_flags = 0;
	target = TARGET;
	do_mount("old", TARGET, "tmpfs", 0, "size=1m");
	owned_file(TARGET "/old", 1, 1);
	survive(&(struct operation){ "bind on a mount", .go = bind, .finish = unbind_top });
	leave();
}

static void mount_old(void)
{
	do_mount("old", TARGET, "tmpfs", 0, "size=1m");
	owned_file(TARGET "/old", 1, 1);
}

/* After a kill of its process, the new mount may be beneath the old one. A mount was there all the time.
 */
static void unreplace(enum outcome outcome)
{
	if (access(TARGET "/old", F_OK) == 0) {
		assert_int_not_equal(outcome, FAULT_DONE);
		do_umount(TARGET);
	} else {
		assert_int_not_equal(outcome, FAULT_REFUSED);
	}
	if (mounts_at(TARGET)) {
		assert_bound();
		do_umount(TARGET);
	}
}

static void replacement_is_refused(void)
{
	struct idm_error err;

	if (kernel_is_before(5, 12)) {
		mounts_are_refused();
		return;
	}
	enter();
	way = 0;
	attach_flags = IDM_ATTACH_REPLACE;
	target = TARGET;
	mount_old();
	assert_error(bind(&err), -EOPNOTSUPP, &err, TARGET, NULL, "Linux 6.5");
	leave();
}

TEST_OF_RUNS_SINCE(6, 5, replacement_is_refused, a_replacement)
{
	enter();
	way = 0;
	attach_flags = IDM_ATTACH_REPLACE;
	target = TARGET;
	survive(&(struct operation){ "replace", .prepare = mount_old, .go = bind, .finish = unreplace });
	leave();
}

/* ---- unmounting ---- */

static void mount_to_go(void)
{
	do_mount("to go", TARGET, "tmpfs", 0, "size=1m");
	if (way & IDM_UMOUNT_RECURSIVE) {
		scratch_dir(TARGET "/below");
		do_mount("to go", TARGET "/below", "tmpfs", 0, "size=1m");
	}
}

static int unmount(struct idm_error *err)
{
	return idm_umount(AT_FDCWD, TARGET, way, err);
}

static void unmount_rest(enum outcome outcome)
{
	if (outcome == FAULT_DONE)
		assert_int_equal(mounts_at(TARGET), 0);
	if (mounts_at(TARGET))
		do_umount(TARGET);
}

static void unmounts(const char *name, unsigned int flags)
{
	enter();
	way = flags;
	survive(&(struct operation){ name, .prepare = mount_to_go, .go = unmount, .finish = unmount_rest,
				     .partly = flags & IDM_UMOUNT_RECURSIVE });
	leave();
}

TEST_OF_RUNS(an_unmount)
{
	unmounts("unmount", 0);
}

TEST_OF_RUNS(a_lazy_unmount)
{
	unmounts("unmount, lazy", IDM_UMOUNT_LAZY);
}

TEST_OF_RUNS(a_recursive_unmount)
{
	unmounts("unmount, recursive", IDM_UMOUNT_RECURSIVE);
}

/* ---- overlays ---- */

#define L1 SCRATCH "/store/l1"
#define L2 SCRATCH "/store/l2"
#define UP SCRATCH "/store/up"
#define WORK SCRATCH "/store/work"

static enum idm_upper_ids upper_ids;
static int staging = -1;

static int open_overlay(struct idm_error *err)
{
	static const struct idm_path lowers[] = { { AT_FDCWD, L2 }, { AT_FDCWD, L1 } };
	static const struct idm_path upper = { AT_FDCWD, UP }, work = { AT_FDCWD, WORK };
	struct idm_overlay_options o = IDM_OVERLAY_OPTIONS_INIT;

	o.flags = way;
	o.lower = lowers;
	o.n_lower = ARRAY_SIZE(lowers);
	o.upper = &upper;
	o.work = &work;
	o.map = map;
	o.upper_ids = upper_ids;
	o.staging_fd = staging;
	return idm_overlay_open(&o, err);
}

static void check_overlay(int tree)
{
	assert_owner_in(tree, "etc/mail", 100008, 100012);
	assert_owner_in(tree, "bin/sh", 100000, 100000);
	close(tree);
}

/* The kernel creates a directory in the work directory. A kill may come before that. */
static void empty_work(enum outcome outcome)
{
	(void)outcome;
	rmdir(WORK "/work/incompat");
	rmdir(WORK "/work");
	rmdir(WORK "/index");
}

static void make_layers(void)
{
	scratch_dir(L1 "/etc");
	scratch_dir(L2 "/bin");
	scratch_dir(UP);
	scratch_dir(WORK);
	owned_file(L1 "/etc/mail", 8, 12);
	owned_file(L2 "/bin/sh", 0, 0);
}

static void overlays(const char *name, unsigned int flags, enum idm_upper_ids ids)
{
	enter();
	way = flags;
	upper_ids = ids;
	make_layers();
	if (ids == IDM_UPPER_SHIFTED)
		must(chown(UP, 100000, 100000));
	survive(&(struct operation){ name, .go = open_overlay, .check = check_overlay,
				     .finish = empty_work });
	leave();
}

static int open_used(struct idm_error *err)
{
	return refusal(open_overlay(err), err);
}

/* The kernel would accept the same upper directory for a second overlay. */
static void overlays_on_used(const char *name)
{
	AUTO_FD int tree = -1;
	struct idm_error err;

	enter();
	way = 0;
	upper_ids = IDM_UPPER_DISK;
	make_layers();
	tree = (int)assert_ok(open_overlay(&err), &err);
	attach_at(tree, TARGET);
	survive(&(struct operation){ name, .go = open_used });
	leave();
}

static void no_mapped_layers(void)
{
	struct snapshot *before;
	struct idm_error err;

	if (kernel_is_before(5, 12)) {
		mounts_are_refused();
		return;
	}
	enter();
	way = 0;
	upper_ids = IDM_UPPER_DISK;
	make_layers();
	before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
	assert_true(open_overlay(&err) < 0);
	assert_contains(err.message, "Linux 5.19");
	snapshot_assert_same(before);
	leave();
}

static void not_by_descriptor(void)
{
	struct snapshot *before;
	struct idm_error err;

	if (kernel_is_before(5, 19)) {
		no_mapped_layers();
		return;
	}
	enter();
	way = IDM_OVERLAY_BY_DESCRIPTOR;
	upper_ids = IDM_UPPER_DISK;
	make_layers();
	before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
	assert_error(open_overlay(&err), -EOPNOTSUPP, &err, NULL, NULL, "Linux 6.15");
	snapshot_assert_same(before);
	leave();
}

TEST_OF_RUNS_SINCE(6, 15, not_by_descriptor, an_overlay_by_descriptor)
{
	overlays("overlay", IDM_OVERLAY_BY_DESCRIPTOR, IDM_UPPER_SHIFTED);
}

TEST_OF_RUNS_SINCE(6, 15, not_by_descriptor, an_overlay_with_owners_of_the_disk)
{
	overlays("overlay, disk IDs", IDM_OVERLAY_BY_DESCRIPTOR, IDM_UPPER_DISK);
}

TEST_OF_RUNS_SINCE(6, 15, not_by_descriptor, an_overlay_with_owners_of_the_disk_by_a_copy)
{
	refuse_call(SYS_execveat, EPERM);
	overlays("overlay, disk IDs, copy", IDM_OVERLAY_BY_DESCRIPTOR, IDM_UPPER_DISK);
}

TEST_OF_RUNS_SINCE(6, 15, not_by_descriptor, an_overlay_created_as_root)
{
	overlays("overlay, as root", IDM_OVERLAY_BY_DESCRIPTOR | IDM_OVERLAY_CREATE_AS_ROOT,
		 IDM_UPPER_DISK);
}

TEST_OF_RUNS_SINCE(5, 19, no_mapped_layers, an_overlay_in_a_namespace)
{
	overlays("overlay in namespace", IDM_OVERLAY_IN_NAMESPACE, IDM_UPPER_SHIFTED);
}

TEST_OF_RUNS_SINCE(5, 19, no_mapped_layers, an_overlay_with_owners_of_the_disk_in_a_namespace)
{
	overlays("overlay in namespace, disk IDs", IDM_OVERLAY_IN_NAMESPACE, IDM_UPPER_DISK);
}

static int open_staging(struct idm_error *err)
{
	return idm_staging_open(0, err);
}

static void close_it(int fd)
{
	close(fd);
}

TEST_OF_RUNS(a_staging_namespace)
{
	enter();
	survive(&(struct operation){ "staging", .go = open_staging, .check = close_it });
	leave();
}

TEST_OF_RUNS_SINCE(5, 19, no_mapped_layers, an_overlay_in_a_staging_namespace)
{
	struct idm_error err;

	scratch_enter();
	staging = (int)assert_ok(idm_staging_open(0, &err), &err);
	overlays("overlay in staging", IDM_OVERLAY_IN_NAMESPACE, IDM_UPPER_SHIFTED);
	overlays("overlay in staging, disk IDs", IDM_OVERLAY_IN_NAMESPACE, IDM_UPPER_DISK);
	close(staging);
}

TEST_OF_RUNS_SINCE(5, 19, no_mapped_layers, an_overlay_on_a_directory_in_use)
{
	overlays_on_used("overlay, in use");
}

/* Answers like a seccomp filter that is older than the calls. */
static void without_statmount(void)
{
	refuse_call(SYS_statmount, EPERM);
	refuse_call(SYS_listmount, EPERM);
}

TEST_OF_RUNS_SINCE(5, 19, no_mapped_layers, an_overlay_on_a_directory_in_use_by_mountinfo)
{
	scratch_enter();
	without_statmount();
	overlays_on_used("overlay, in use, mountinfo");
}

/* ---- listing ---- */

static unsigned int listed;
static uint64_t our_namespace;

static uint64_t inode_of_namespace(void)
{
	struct stat st;

	must(stat("/proc/self/ns/mnt", &st));
	return st.st_ino;
}

static bool has_our_map(const struct idm_mount_info *mount)
{
	/* PARTLY: the library could not find out whether the caller sees all existing IDs. */
	if (mount->map_state == IDM_MAP_READ || mount->map_state == IDM_MAP_PARTLY)
		return idm_map_equal(mount->map, map);
	/* Without statmount(2) nothing shows the map. */
	return mount->map_state == IDM_MAP_UNREADABLE;
}

/* Another test can mount at the same place, in its own namespace. 0: the library could not find out. */
static int count_if_mapped(const struct idm_mount_info *mount, void *data)
{
	(void)data;
	if (strcmp(mount->target, TARGET) != 0)
		return 0;
	if (mount->namespace_inode == our_namespace) {
		assert_int_equal(mount->attr & IDM_ATTR_IDMAP, IDM_ATTR_IDMAP);
		assert_true(has_our_map(mount));
		listed++;
	} else if (mount->namespace_inode == 0) {
		listed += has_our_map(mount);
	}
	return 0;
}

static int list(struct idm_error *err)
{
	listed = 0;
	return idm_list(way, count_if_mapped, NULL, err);
}

static int list_path(struct idm_error *err)
{
	listed = 0;
	return idm_list_path(AT_FDCWD, TARGET "/file", 0, count_if_mapped, NULL, err);
}

static void assert_listed(int unused)
{
	(void)unused;
	assert_true(listed > 0);
}

static int iterate(struct idm_error *err)
{
	struct idm_list_iter *iter;
	const struct idm_mount_info *mount;
	int r = idm_list_iter_new(way, &iter, err);

	listed = 0;
	if (r < 0)
		return r;
	while ((mount = idm_list_iter_next(iter)))
		count_if_mapped(mount, NULL);
	idm_list_iter_free(iter);
	return 0;
}

static void list_with_faults(const char *name, int (*go)(struct idm_error *err), unsigned int flags)
{
	enter();
	mount_mapped(SOURCE, TARGET, MAP_TEXT);
	our_namespace = inode_of_namespace();
	way = flags;
	survive(&(struct operation){ name, .go = go, .check = assert_listed });
	leave();
}

TEST_OF_RUNS(the_list_of_mounts)
{
	list_with_faults("list", list, 0);
}

TEST_OF_RUNS(the_list_of_mounts_by_an_iterator)
{
	list_with_faults("list iterator", iterate, 0);
}

TEST_OF_RUNS(the_mount_of_a_path)
{
	list_with_faults("list path", list_path, 0);
}

TEST_OF_RUNS(the_list_of_mounts_by_mountinfo)
{
	scratch_enter();
	without_statmount();
	list_with_faults("list, mountinfo", list, 0);
}

TEST_OF_RUNS(the_list_of_all_namespaces)
{
	struct idm_error err;

	need_root();
	if (idm_list(IDM_LIST_ALL_NAMESPACES, count_if_mapped, NULL, &err) >= 0)
		list_with_faults("list all", list, IDM_LIST_ALL_NAMESPACES);
	else
		assert_contains(err.hint, "PID namespace");
}

static int check(struct idm_error *err)
{
	struct idm_check_result c = IDM_CHECK_RESULT_INIT;
	struct idm_error why;
	int r = idm_check_path(AT_FDCWD, SOURCE, IDM_CHECK_WRITE, &c, &why, err);

	if (r < 0)
		return r;
	if (c.mappable && c.writable)
		return 0;
	assert_error(-why.errnum, -why.errnum, &why, NULL, NULL, NULL);
	*err = why;
	return -why.errnum;
}

TEST_OF_RUNS(a_check_of_a_path)
{
	enter();
	survive(&(struct operation){ "check", .go = check });
	leave();
}

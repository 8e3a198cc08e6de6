// SPDX-License-Identifier: MIT
/* Overlays of many layers: they have a way of their own, which must lead to the same directories. */
#include <pthread.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#include "overlays.h"

#define STORE SCRATCH "/store"
#define MANY 40
#define MOST 60

static struct idm_path layers[MOST];
static size_t n_layers;

/* A layer with one file, which belongs to root and is named as the layer's number. */
static void make_layer(const char *path)
{
	char file[8192];

	scratch_dir(path);
	snprintf(file, sizeof(file), "%s/file-%zu", path, n_layers);
	owned_file(file, 0, 0);
	layers[n_layers++] = AT(strdup(path));
}

static void enter(void)
{
	scratch_enter();
	scratch_dir(TARGET);
	n_layers = 0;
	for (int i = 0; i < MANY; i++) {
		char path[64];

		snprintf(path, sizeof(path), STORE "/%d/fs", i);
		make_layer(path);
	}
}

static struct idm_overlay_options request(const struct idm_map *map, unsigned int flags)
{
	struct idm_overlay_options o = IDM_OVERLAY_OPTIONS_INIT;

	o.flags = flags;
	o.lower = layers;
	o.n_lower = n_layers;
	o.map = map;
	return o;
}

static void assert_all_mapped(void)
{
	for (size_t i = 0; i < n_layers; i++) {
		char file[64];

		snprintf(file, sizeof(file), TARGET "/file-%zu", i);
		assert_owner(file, 100000, 100000);
	}
}

/* Fills in the line of the target in the mount table. */
static void read_mount_line(char *line, size_t size)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");

	assert_non_null(f);
	while (fgets(line, (int)size, f) && !strstr(line, " " TARGET " "))
		;
	fclose(f);
	assert_contains(line, " " TARGET " ");
}

static void assert_layers_have_paths(bool expected)
{
	char line[65536];

	read_mount_line(line, sizeof(line));
	assert_int_equal(!!strstr(line, "lowerdir+=7/fs"), expected);
}

/* In a namespace they are in one string, below the first copy. */
static void assert_string_has_paths(bool expected)
{
	char line[65536];

	read_mount_line(line, sizeof(line));
	assert_int_equal(!!strstr(line, "c0/7/fs"), expected);
}

/* ---- layers in odd places ---- */

static void make_odd_layers(void)
{
	static const char *const names[] = { "a:b", "a,b",     "a\\b",	"a\\:b",     "a b",
					     " a",  "a\nb",    "::a",	"a\\",	     "a\\\\",
					     "..a", "a\\054b", "\"a\"", "x/y/z/deep" };
	char path[1024];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), STORE "/%s", names[i]);
		make_layer(path);
	}
	for (int length = 255; length <= 256; length++) {
		snprintf(path, sizeof(path), STORE "/%0200d/%0*d", 0, length - 201, 0);
		make_layer(path);
	}
	make_layer(STORE "//twice/fs");
	make_layer(STORE "/end/fs/");
	make_layer(STORE "/dot/fs/.");
}

TEST(odd_names)
{
	AUTO_MAP struct idm_map *map = map_of(MAP);

	enter();
	make_odd_layers();
	EACH_WAY(way)
	{
		struct snapshot *before = snapshot_take(SNAPSHOT_ALL);
		struct idm_overlay_options o = request(map, way);

		attach_overlay(&o);
		assert_all_mapped();
		assert_layers_have_paths(way != IDM_OVERLAY_IN_NAMESPACE && !kernel_is_before(6, 16));
		assert_string_has_paths(way == IDM_OVERLAY_IN_NAMESPACE || kernel_is_before(6, 15));
		do_umount(TARGET);
		snapshot_assert_same(before);
	}
}

/* The rest of such a path is an absolute one. There is a directory of that name without a map. */
TEST(a_rest_that_begins_with_a_slash)
{
	AUTO_MAP struct idm_map *map = map_of(MAP);
	struct idm_overlay_options o;

	enter();
	for (size_t i = 0; i < n_layers; i++) {
		char path[64];

		snprintf(path, sizeof(path), STORE "//%zu/fs", i);
		free((char *)layers[i].path);
		layers[i].path = strdup(path);
	}
	free((char *)layers[1].path);
	layers[1].path = STORE "///tmp";
	scratch_dir(STORE "/tmp");
	owned_file(STORE "/tmp/file-1", 0, 0);
	o = request(map, 0);
	attach_overlay(&o);
	assert_all_mapped();
}

TEST(links_in_layers_are_followed)
{
	AUTO_MAP struct idm_map *map = map_of(MAP);
	char line[65536];

	enter();
	must(symlink("file-7", STORE "/3/fs/link"));
	scratch_dir(STORE "/4/fs/directory");
	owned_file(STORE "/4/fs/directory/inside", 5, 5);
	must(symlink("directory", STORE "/5/fs/link-to-directory"));
	EACH_WAY(way)
	{
		struct idm_overlay_options o = request(map, (unsigned int)way);

		attach_overlay(&o);
		assert_owner(TARGET "/link", 100000, 100000);
		assert_owner(TARGET "/link-to-directory/inside", 100005, 100005);
		read_mount_line(line, sizeof(line));
		assert_null(strstr(line, "nosymfollow"));
		do_umount(TARGET);
	}
}

TEST(layers_of_several_mounts_and_behind_links)
{
	AUTO_MAP struct idm_map *map = map_of(MAP);

	enter();
	mount_mappable(STORE "/6/fs");
	mount_mappable(STORE "/other");
	owned_file(STORE "/6/fs/file-6", 0, 0);
	for (int i = 0; i < 6; i++) {
		char path[64];

		snprintf(path, sizeof(path), STORE "/other/%d/fs", i);
		make_layer(path);
	}
	free((char *)layers[0].path);
	layers[0].path = STORE "/link";
	must(symlink("0/fs", STORE "/link"));
	free((char *)layers[1].path);
	layers[1].path = STORE "/link-1/fs";
	must(symlink("1", STORE "/link-1"));
	EACH_WAY(way)
	{
		struct idm_overlay_options o = request(map, way);

		attach_overlay(&o);
		assert_all_mapped();
		do_umount(TARGET);
	}
}

/* A path that leaves the mount and comes back by a link: in a copy of the mount it leads elsewhere. */
static void make_detour(const char *mount_point, const char *wrong, const char *link, const char *to)
{
	char file[256];

	scratch_dir(wrong);
	snprintf(file, sizeof(file), "%s/wrong", wrong);
	scratch_file(file, "");
	do_mount("detour", mount_point, "tmpfs", 0, NULL);
	must(symlink(to, link));
}

TEST(layers_behind_another_mount)
{
	AUTO_MAP struct idm_map *map = map_of(MAP);
	static const char *const detours[] = { STORE "/one/link", STORE "/two/link/inside",
					       STORE "/three/link/" };

	enter();
	scratch_dir(STORE "/way");
	for (int i = 0; i < 3; i++) {
		char real[64];

		snprintf(real, sizeof(real), STORE "/way/real-%d/inside", i);
		scratch_dir(real);
	}
	make_detour(STORE "/one", STORE "/one/link", STORE "/one/link", "../way/real-0");
	make_detour(STORE "/two", STORE "/two/link/inside", STORE "/two/link", "../way/real-1");
	make_detour(STORE "/three", STORE "/three/link", STORE "/three/link", "../way/real-2");
	owned_file(STORE "/way/real-0/file-10", 0, 0);
	owned_file(STORE "/way/real-1/inside/file-11", 0, 0);
	owned_file(STORE "/way/real-2/file-12", 0, 0);
	for (size_t i = 0; i < 3; i++) {
		free((char *)layers[10 + i].path);
		layers[10 + i].path = detours[i];
	}
	EACH_WAY(way)
	{
		struct idm_overlay_options o = request(map, way);

		attach_overlay(&o);
		assert_all_mapped();
		assert_int_equal(access(TARGET "/wrong", F_OK), -1);
		do_umount(TARGET);
	}
}

/* ---- where the kernel refuses a path ---- */

/* Even root may not pass it when it is mapped. */
TEST(a_directory_on_the_way_that_the_map_leaves_out)
{
	AUTO_MAP struct idm_map *map = map_of(MAP);
	struct snapshot *before;

	enter();
	must(chmod(STORE "/9", 0700));
	must(chown(STORE "/9", 80000, 80000));
	before = snapshot_take(SNAPSHOT_ALL);
	EACH_WAY(way)
	{
		struct idm_overlay_options o = request(map, way);

		attach_overlay(&o);
		assert_all_mapped();
		assert_layers_have_paths(false);
		do_umount(TARGET);
	}
	snapshot_assert_same(before);
}

/* ---- while the paths change ---- */

static bool done;

/* A component is a directory or a link to one that must not become a layer. */
static void *swap_component(void *unused)
{
	(void)unused;
	while (!__atomic_load_n(&done, __ATOMIC_RELAXED)) {
		syscall(SYS_renameat2, AT_FDCWD, STORE "/8", AT_FDCWD, STORE "/8-link",
			2 /* RENAME_EXCHANGE */);
		sched_yield();
	}
	return NULL;
}

TEST(a_component_that_becomes_a_link)
{
	AUTO_MAP struct idm_map *map = map_of(MAP);
	int n = test_is_slow() ? 50 : 300;
	pthread_t thread;

	enter();
	scratch_dir(SCRATCH "/outside/fs");
	owned_file(SCRATCH "/outside/fs/secret", 0, 0);
	must(symlink(SCRATCH "/outside", STORE "/8-link"));
	assert_int_equal(pthread_create(&thread, NULL, swap_component, NULL), 0);
	for (int i = 0; i < n; i++) {
		struct idm_overlay_options o = request(map, i % 2 ? IDM_OVERLAY_IN_NAMESPACE : 0);
		int tree = idm_overlay_open(&o, NULL);
		struct stat st;

		if (tree < 0)
			continue;
		if (fstatat(tree, "secret", &st, 0) == 0)
			assert_int_equal(st.st_uid, 100000);
		must(fstatat(tree, "file-7", &st, 0));
		assert_int_equal(st.st_uid, 100000);
		close(tree);
	}
	__atomic_store_n(&done, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
}

/* ---- a promise of the kernel ---- */

/* A copy without the mounts below it gets none later, although its source is shared. */
TEST(mounts_do_not_propagate_into_detached_copies)
{
	AUTO_FD int tree = -1, fd = -1;

	enter();
	must(mount(NULL, SCRATCH, NULL, MS_SHARED, NULL));
	tree = (int)assert_ok(idm_sys_open_tree(AT_FDCWD, STORE, OPEN_TREE_CLONE), NULL);
	do_mount("later", STORE "/8/fs", "tmpfs", 0, NULL);
	fd = idm_sys_openat2(tree, "8/fs", O_PATH, 0, RESOLVE_NO_XDEV);
	assert_true(fd >= 0);
}

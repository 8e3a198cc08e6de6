// SPDX-License-Identifier: MIT
/* idmount-overlayfs without an engine: whiteouts in a storage, and mounts with a map by each way. */
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "cli/common/report.h"
#include "cli/overlayfs/mount-overlay.h"
#include "cli/overlayfs/storage.h"
#include "cli/overlayfs/whiteouts.h"
#include "overlays.h"

#define STORE SCRATCH "/store"
#define HOME STORE "/overlay"
#define BASE HOME "/1/diff"
#define TOP HOME "/2/diff"
#define BOX HOME "/3/diff"
#define MERGED HOME "/3/merged"
#define MARKER ".idmount-kernel-whiteouts"

static void make_layer(const char *id)
{
	char path[128];

	snprintf(path, sizeof(path), HOME "/%s/diff", id);
	scratch_dir(path);
	snprintf(path, sizeof(path), HOME "/%s/work", id);
	scratch_dir(path);
	snprintf(path, sizeof(path), HOME "/%s/merged", id);
	scratch_dir(path);
	snprintf(path, sizeof(path), HOME "/%s/link", id);
	scratch_file(path, id);
}

static void make_storage(void)
{
	scratch_enter();
	scratch_dir(HOME "/l");
	make_layer("1");
	make_layer("2");
	make_layer("3");
}

/* As before a mount of the third layer. */
static int convert(const char *path, bool upper)
{
	struct storage_home home;

	find_storage_home(MERGED, &home);
	assert_true(home.is_known);
	return convert_layer(&home, path, upper);
}

static bool exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static bool is_whiteout_node(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0);
}

/* tmpfs has attributes user.* since Linux 6.6. */
static bool has_attributes(void)
{
	bool has = setxattr(SCRATCH, "user.test", "", 0, 0) == 0;

	if (!has)
		untried("this filesystem has no attributes user.*");
	return has;
}

/* ---- conversion ---- */

TEST(whiteouts_get_the_kernels_form)
{
	make_storage();
	scratch_dir(TOP "/a/b");
	scratch_file(TOP "/.wh.gone", "");
	scratch_file(TOP "/a/b/.wh.old", "");
	scratch_file(TOP "/a/new", "new");
	scratch_file(TOP "/a/.wh.new", "");
	scratch_file(TOP "/a/.wh..wh.aufs", "");
	scratch_file(TOP "/a/.wh..", "");
	scratch_file(TOP "/a/.wh...", "");
	scratch_file(TOP "/a/.wh.", "");
	scratch_dir(TOP "/.wh.directory");
	scratch_file(TOP "/.wh.directory/.wh.deep", "");
	assert_int_equal(convert(TOP, false), DONE);
	assert_true(is_whiteout_node(TOP "/gone"));
	assert_false(exists(TOP "/.wh.gone"));
	assert_true(is_whiteout_node(TOP "/a/b/old"));
	assert_false(exists(TOP "/a/b/.wh.old"));
	/* A file of the same layer stays. */
	assert_false(is_whiteout_node(TOP "/a/new"));
	assert_false(exists(TOP "/a/.wh.new"));
	assert_false(exists(TOP "/a/.wh..wh.aufs"));
	/* These name no file. */
	assert_true(exists(TOP "/a/.wh..") && exists(TOP "/a/.wh...") && exists(TOP "/a/.wh."));
	/* A directory is no whiteout. */
	assert_true(is_whiteout_node(TOP "/.wh.directory/deep"));
	assert_false(exists(TOP "/directory"));
	assert_true(exists(HOME "/2/" MARKER));
}

TEST(opaque_directories)
{
	make_storage();
	if (!has_attributes())
		return;
	scratch_dir(TOP "/a");
	scratch_file(TOP "/a/.wh..wh..opq", "");
	scratch_dir(TOP "/b");
	scratch_file(TOP "/.wh.b", "");
	assert_int_equal(convert(TOP, false), DONE);
	assert_true(is_opaque(TOP "/a") && is_opaque(TOP "/b"));
	assert_false(exists(TOP "/a/.wh..wh..opq") || exists(TOP "/.wh.b"));
	assert_false(is_opaque(TOP));
}

TEST(a_conversion_keeps_the_times_of_directories)
{
	const struct timespec times[] = { { 1000, 5 }, { 2000, 7 } };
	struct stat st;

	make_storage();
	scratch_dir(TOP "/a");
	scratch_file(TOP "/a/.wh.x", "");
	must(utimensat(AT_FDCWD, TOP "/a", times, 0));
	assert_int_equal(convert(TOP, false), DONE);
	must(stat(TOP "/a", &st));
	assert_int_equal(st.st_mtim.tv_sec, 2000);
	assert_int_equal(st.st_mtim.tv_nsec, 7);
}

/* The state after a cut: the node is there, and the file is, too. */
TEST(a_conversion_that_was_cut_is_repeated)
{
	make_storage();
	scratch_file(TOP "/.wh.x", "");
	must(mknod(TOP "/x", S_IFCHR, makedev(0, 0)));
	scratch_file(HOME "/2/" MARKER, "1");
	assert_int_equal(convert(TOP, false), DONE);
	assert_true(is_whiteout_node(TOP "/x"));
	assert_false(exists(TOP "/.wh.x"));
}

TEST(a_layer_is_converted_once_but_a_new_directory_again)
{
	make_storage();
	assert_int_equal(convert(TOP, false), DONE);
	scratch_file(TOP "/.wh.x", "");
	assert_int_equal(convert(TOP, false), DONE);
	assert_true(exists(TOP "/.wh.x"));
	/* containers/storage renames another directory to this name. */
	scratch_dir(HOME "/2/staging");
	scratch_file(HOME "/2/staging/.wh.y", "");
	must(rename(TOP, HOME "/2/old"));
	must(rename(HOME "/2/staging", TOP));
	assert_int_equal(convert(TOP, false), DONE);
	assert_true(is_whiteout_node(TOP "/y"));
}

/* Later it is a layer of a read-only mount, which shows the container's changes. */
TEST(an_upper_directory_is_converted_before_its_first_mount_only)
{
	make_storage();
	scratch_file(BOX "/.wh.of-fuse-overlayfs", "");
	assert_int_equal(convert(BOX, true), DONE);
	assert_true(is_whiteout_node(BOX "/of-fuse-overlayfs"));
	scratch_file(BOX "/.wh.mine", "");
	assert_int_equal(convert(BOX, true), DONE);
	assert_int_equal(convert(BOX, false), DONE);
	assert_int_equal(convert_storage(STORE), DONE);
	assert_true(exists(BOX "/.wh.mine"));
}

/* ---- what it leaves alone ---- */

TEST(other_directories_are_no_layers)
{
	static const char *const others[] = { SCRATCH "/volume", HOME "/4/other", HOME "/5/diff" };

	make_storage();
	scratch_dir(HOME "/4");
	scratch_file(HOME "/4/link", ""); /* but not "diff" */
	scratch_dir(HOME "/5");		  /* but no link */
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		char file[128];

		scratch_dir(others[i]);
		snprintf(file, sizeof(file), "%s/.wh.x", others[i]);
		scratch_file(file, "");
		assert_int_equal(convert(others[i], false), DONE);
		assert_int_equal(convert(others[i], true), DONE);
		assert_true(exists(file));
	}
	assert_false(exists(SCRATCH "/" MARKER) || exists(HOME "/4/" MARKER) ||
		     exists(HOME "/5/" MARKER));
}

TEST(homes)
{
	static const char *const targets[] = { SCRATCH "/none", SCRATCH "/merge", HOME "/l",
					       HOME "/3/diff" };
	struct storage_home home;

	make_storage();
	scratch_dir(SCRATCH "/merge");
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		find_storage_home(targets[i], &home);
		assert_false(home.is_known);
	}
	/* A second mount of a container's layer hides the first one. */
	do_mount("none", MERGED, "tmpfs", 0, NULL);
	find_storage_home(MERGED, &home);
	assert_true(home.is_known);
}

#define OTHER SCRATCH "/other-store"
#define OTHER_LAYER OTHER "/overlay/1/diff"

static void make_other_storage(void)
{
	make_storage();
	scratch_dir(OTHER_LAYER "/sub");
	scratch_dir(OTHER "/overlay/l");
	scratch_file(OTHER "/overlay/1/link", "1");
}

/* As an additional image store. */
TEST(layers_of_another_storage)
{
	make_other_storage();
	assert_int_equal(convert(OTHER_LAYER, false), DONE);
	assert_false(exists(OTHER "/overlay/1/" MARKER));
	scratch_file(OTHER_LAYER "/sub/.wh.x", "");
	assert_int_equal(convert(OTHER_LAYER, false), FAILED);
	assert_true(exists(OTHER_LAYER "/sub/.wh.x"));
	assert_false(exists(OTHER_LAYER "/sub/x"));
	assert_int_equal(convert_storage(OTHER), DONE);
	assert_int_equal(convert(OTHER_LAYER, false), DONE);
	assert_true(is_whiteout_node(OTHER_LAYER "/sub/x"));
}

TEST(a_directory_of_another_storage_that_the_engine_cannot_read)
{
	make_other_storage();
	must(chmod(OTHER_LAYER "/sub", 0700));
	become_user(1500, 1500);
	assert_int_equal(convert(OTHER_LAYER, false), DONE);
}

TEST(symbolic_links_lead_nowhere)
{
	make_storage();
	scratch_dir(SCRATCH "/victim/sub");
	scratch_file(SCRATCH "/victim/.wh.x", "");
	scratch_file(SCRATCH "/victim/sub/.wh..wh..opq", "");
	scratch_file(SCRATCH "/file", "victim");
	must(symlink(SCRATCH "/victim", TOP "/link"));
	must(symlink("../../../../victim", TOP "/relative"));
	scratch_file(TOP "/.wh.relative", "");
	must(symlink(SCRATCH "/victim/sub", TOP "/.wh.opaque"));
	must(symlink(SCRATCH "/victim", TOP "/opaque"));
	must(symlink(SCRATCH "/created", TOP "/dangling"));
	scratch_file(TOP "/.wh.dangling", "");
	must(symlink(SCRATCH "/file", TOP "/.wh..wh..opq"));
	must(symlink(SCRATCH "/file", HOME "/2/" MARKER));
	/* The marker cannot be written, and that is an error. */
	assert_int_equal(convert(TOP, false), FAILED);
	must(unlink(HOME "/2/" MARKER));
	if (has_attributes())
		assert_int_equal(convert(TOP, false), DONE);
	assert_true(exists(SCRATCH "/victim/.wh.x") && exists(SCRATCH "/victim/sub/.wh..wh..opq"));
	assert_false(exists(SCRATCH "/victim/x") || exists(SCRATCH "/created"));
	assert_false(is_opaque(SCRATCH "/victim") || is_opaque(SCRATCH "/victim/sub") ||
		     is_opaque(SCRATCH "/file"));
	assert_true(exists(TOP "/link") && exists(TOP "/relative"));
}

static void make_fifo(const char *path)
{
	must(mkfifo(path, 0600));
}

static void make_directory(const char *path)
{
	must(mkdir(path, 0700));
}

static void make_file_with_two_links(const char *path)
{
	scratch_file(path, "");
	must(link(path, SCRATCH "/second-link"));
}

static void make_file_of_another_user(const char *path)
{
	owned_file(path, 1500, 1500);
}

static void (*const make_wrong_marker[])(const char *path) = {
	make_fifo,
	make_directory,
	make_file_with_two_links,
	make_file_of_another_user,
};

/* None of them lets the program wait, or is believed. */
TEST(markers_of_another_kind)
{
	static const char *const markers[] = { HOME "/2/" MARKER, HOME "/2/.idmount-upper" };

	for (size_t i = 0; i < ARRAY_SIZE(make_wrong_marker) * ARRAY_SIZE(markers); i++) {
		make_storage();
		scratch_file(TOP "/.wh.x", "");
		make_wrong_marker[i / 2](markers[i % 2]);
		assert_int_equal(convert(TOP, true), FAILED);
		/* The first one is locked before anything is converted. */
		assert_int_equal(exists(TOP "/.wh.x"), i % 2 == 0);
	}
}

/* More levels than descriptors, at first. */
TEST(deep_directories)
{
	const struct rlimit few = { 64, 1024 };
	char path[1024] = TOP;

	make_storage();
	for (size_t i = 0; i < 200; i++)
		strcat(path, "/d");
	scratch_dir(path);
	strcat(path, "/.wh.x");
	scratch_file(path, "");
	must(setrlimit(RLIMIT_NOFILE, &few));
	assert_int_equal(convert(TOP, false), DONE);
	assert_false(exists(path));
}

TEST(a_storage_as_a_whole)
{
	make_storage();
	scratch_file(BASE "/.wh.x", "");
	scratch_file(TOP "/.wh.x", "");
	scratch_dir(HOME "/5");
	assert_int_equal(convert_storage(STORE), DONE);
	assert_true(is_whiteout_node(BASE "/x") && is_whiteout_node(TOP "/x"));
	assert_int_equal(convert_storage(STORE "/none"), FAILED);
}

TEST(a_read_only_storage)
{
	make_storage();
	scratch_file(TOP "/.wh.x", "");
	do_mount(STORE, STORE, NULL, MS_BIND, NULL);
	do_mount(NULL, STORE, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL);
	assert_int_equal(convert(BASE, false), DONE);
	assert_int_equal(convert(TOP, false), FAILED);
}

/* ---- mounts ---- */

typedef int mount_function(struct overlay_request *q, const char *target);

static const struct {
	mount_function *mount;
} program_ways[] = { { mount_requested_overlay }, { mount_overlay_as_before_615 } };

static int mount_at_target(mount_function *mount, const char *options, const char *target)
{
	char list[1024];
	struct overlay_request q;
	int status;

	snprintf(list, sizeof(list), "%s", options);
	assert_int_equal(overlay_request_init(&q), DONE);
	status = add_overlay_options(&q, list);
	if (status == DONE)
		status = mount(&q, target);
	overlay_request_free(&q);
	return status;
}

static int mount_by(mount_function *mount, const char *options)
{
	return mount_at_target(mount, options, MERGED);
}

#define DIRECTORIES "lowerdir=" HOME "/l/TOP:" HOME "/l/BASE,upperdir=" BOX ",workdir=" HOME "/3/work"
#define MAPPINGS "uidmapping=:0:1000:10,gidmapping=:0:2000:10"

static void make_image(void)
{
	make_storage();
	must(symlink("../1/diff", HOME "/l/BASE"));
	must(symlink("../2/diff", HOME "/l/TOP"));
	owned_file(BASE "/root", 0, 0);
	owned_file(BASE "/nine", 9, 9);
	owned_file(BASE "/deleted", 0, 0);
	owned_file(TOP "/.wh.deleted", 0, 0);
}

static void assert_mapped(void)
{
	assert_owner(MERGED, 1000, 2000);
	assert_owner(MERGED "/root", 1000, 2000);
	assert_owner(MERGED "/nine", 1009, 2009);
	assert_false(exists(MERGED "/deleted"));
}

/* As the container's root, and as the engine's, which the map of the container lacks. */
static void change_files(void)
{
	owned_file(MERGED "/new", 1003, 2003);
	must(unlink(MERGED "/root"));
	scratch_file(MERGED "/of-the-engine", "");
	assert_owner(MERGED "/of-the-engine", 0, 0);
}

static void assert_stored(void)
{
	assert_owner(BOX "/new", 3, 3);
	assert_true(is_whiteout_node(BOX "/root"));
	assert_owner(BOX "/root", 0, 0);
	assert_owner(BOX "/of-the-engine", 65534, 65534);
	assert_owner(HOME "/3/work/work", 0, 0);
}

static void mount_and_use(size_t way)
{
	struct snapshot *before;
	char cwd[64];

	make_image();
	must(chdir(STORE));
	before = snapshot_take(SNAPSHOT_ALL);
	assert_int_equal(mount_by(program_ways[way].mount, DIRECTORIES ",volatile," MAPPINGS), DONE);
	assert_mapped();
	change_files();
	assert_stored();
	do_umount(MERGED);
	snapshot_assert_same(before);
	assert_non_null(getcwd(cwd, sizeof(cwd)));
	assert_string_equal(cwd, STORE);
}

static void mounts_below_519(void)
{
	make_image();
	assert_int_equal(mount_by(mount_requested_overlay, DIRECTORIES "," MAPPINGS), FAILED);
	assert_false(exists(MERGED "/root"));
}

TEST_SINCE(5, 19, mounts_below_519, a_map)
{
	mount_and_use(0);
}

TEST_SINCE(5, 19, mounts_below_519, a_map_as_before_615)
{
	mount_and_use(1);
}

TEST(no_map_and_a_map_that_changes_nothing)
{
	static const char *const options[] = { DIRECTORIES,
					       DIRECTORIES ",uidmapping=:0:0:100,gidmapping=:0:0:100" };

	make_image();
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		assert_int_equal(mount_by(mount_requested_overlay, options[i]), DONE);
		assert_owner(MERGED "/nine", 9, 9);
		assert_false(exists(MERGED "/deleted"));
		do_umount(MERGED);
	}
}

TEST_SINCE(5, 19, mounts_below_519, without_an_upper_directory)
{
	for (size_t way = 0; way < ARRAY_SIZE(program_ways); way++) {
		struct idm_mount_info mount;

		make_image();
		assert_int_equal(mount_by(program_ways[way].mount,
					  "lowerdir=" HOME "/l/TOP:" HOME "/l/BASE,nosuid," MAPPINGS),
				 DONE);
		assert_mapped();
		assert_int_equal(open(MERGED "/new", O_CREAT | O_WRONLY, 0600), -1);
		assert_int_equal(errno, EROFS);
		mount = mount_at(MERGED);
		assert_true(mount.attr & IDM_ATTR_NOSUID);
		do_umount(MERGED);
	}
}

/* A storage's home has one copy. Other layers have their own. */
TEST_SINCE(5, 19, mounts_below_519, layers_outside_of_the_storage)
{
	for (size_t way = 0; way < ARRAY_SIZE(program_ways); way++) {
		make_image();
		scratch_dir(SCRATCH "/other:place");
		owned_file(SCRATCH "/other:place/five", 5, 5);
		do_mount("none", HOME "/1/diff", "tmpfs", 0, NULL);
		owned_file(BASE "/six", 6, 6);
		assert_int_equal(mount_by(program_ways[way].mount,
					  "lowerdir=" SCRATCH "/other\\:place:" HOME "/l/TOP:" HOME
					  "/l/BASE," MAPPINGS),
				 kernel_is_before(6, 3) ? FAILED : DONE);
		if (kernel_is_before(6, 3)) /* which maps no tmpfs */
			continue;
		assert_owner(MERGED "/five", 1005, 2005);
		assert_owner(MERGED "/six", 1006, 2006);
		do_umount(MERGED);
	}
}

#define LAYERS "lowerdir=" HOME "/l/TOP:" HOME "/l/BASE"
#define WITH_UPPER LAYERS ",upperdir=" BOX ",workdir=" HOME "/3/work"

/* The kernel reads no attribute of the top directories. */
static const struct {
	const char *opaque, *options, *seen, *hidden;
} opaque_layers[] = {
	{ TOP, WITH_UPPER, MERGED "/of-top", MERGED "/root" },
	{ TOP, LAYERS, MERGED "/of-top", MERGED "/root" },
	{ TOP, WITH_UPPER "," MAPPINGS, MERGED "/of-top", MERGED "/root" },
	{ BASE, WITH_UPPER, MERGED "/root", NULL },
	{ BOX, WITH_UPPER, MERGED "/of-box", MERGED "/of-top" },
	{ BOX, WITH_UPPER "," MAPPINGS, MERGED "/of-box", MERGED "/of-top" },
};

static void make_opaque_layer(const char *directory)
{
	char file[128];

	make_image();
	owned_file(TOP "/of-top", 0, 0);
	owned_file(BOX "/of-box", 0, 0);
	snprintf(file, sizeof(file), "%s/.wh..wh..opq", directory);
	scratch_file(file, "");
}

static bool needs_map_before_519(const char *options)
{
	return kernel_is_before(5, 19) && strstr(options, "mapping=");
}

TEST(a_layer_that_hides_all_lower_ones)
{
	scratch_enter();
	if (!has_attributes())
		return;
	for (size_t i = 0; i < ARRAY_SIZE(opaque_layers); i++) {
		if (needs_map_before_519(opaque_layers[i].options))
			continue;
		make_opaque_layer(opaque_layers[i].opaque);
		for (size_t way = 0; way < ARRAY_SIZE(program_ways); way++) {
			assert_int_equal(mount_by(program_ways[way].mount, opaque_layers[i].options),
					 DONE);
			assert_true(exists(opaque_layers[i].seen));
			assert_false(opaque_layers[i].hidden && exists(opaque_layers[i].hidden));
			do_umount(MERGED);
		}
	}
}

/* podman mounts the overlay over a volume elsewhere. */
TEST(a_volume_that_looks_like_a_storage)
{
	scratch_enter();
	scratch_dir(SCRATCH "/volume/x/diff/sub");
	scratch_dir(SCRATCH "/volume/l");
	scratch_file(SCRATCH "/volume/x/link", "");
	scratch_file(SCRATCH "/volume/x/diff/sub/.wh.keep", "");
	make_fifo(SCRATCH "/volume/x/" MARKER);
	scratch_dir(SCRATCH "/o/upper");
	scratch_dir(SCRATCH "/o/work");
	scratch_dir(SCRATCH "/o/merge");
	assert_int_equal(mount_at_target(mount_requested_overlay,
					 "lowerdir=" SCRATCH "/volume/x/diff,upperdir=" SCRATCH
					 "/o/upper,workdir=" SCRATCH "/o/work,private",
					 SCRATCH "/o/merge"),
			 DONE);
	assert_true(exists(SCRATCH "/o/merge/sub/.wh.keep"));
	assert_true(exists(SCRATCH "/volume/x/diff/sub/.wh.keep"));
	assert_false(exists(SCRATCH "/volume/x/diff/sub/keep") || exists(SCRATCH "/o/.idmount-upper"));
}

TEST(failures_leave_nothing)
{
	static const char *const lists[] = {
		DIRECTORIES ",unknown=1," MAPPINGS,
		DIRECTORIES ",unknown",
		"lowerdir=" BASE ":" SCRATCH "/none," MAPPINGS,
		"lowerdir=" BASE ":" TOP ",upperdir=" BOX ",workdir=" SCRATCH "/elsewhere," MAPPINGS,
		"lowerdir=" BASE ":" SCRATCH "/none",
	};

	make_image();
	scratch_dir(SCRATCH "/elsewhere");
	for (size_t i = 0; i < ARRAY_SIZE(lists) * ARRAY_SIZE(program_ways); i++) {
		struct snapshot *before = snapshot_take(SNAPSHOT_ALL);

		assert_int_equal(mount_by(program_ways[i % ARRAY_SIZE(program_ways)].mount,
					  lists[i / ARRAY_SIZE(program_ways)]),
				 FAILED);
		snapshot_assert_same(before);
	}
}

/* Fails, with this in its report. */
static void assert_reported(mount_function *mount, const char *options, const char *report)
{
	AUTO_CLOSE int output = (int)must(memfd_create("stderr", MFD_CLOEXEC)),
		       old = (int)must(dup(STDERR_FILENO));
	char text[1024] = "";
	int status;

	must(dup2(output, STDERR_FILENO));
	status = mount_by(mount, options);
	must(dup2(old, STDERR_FILENO));
	assert_int_equal(status, FAILED);
	must(pread(output, text, sizeof(text) - 1, 0));
	assert_contains(text, report);
}

static void options_have_no_names_below_65(void)
{
	untried("the kernel does not check the options of an overlay one by one");
}

/* With a map there are two ways to an overlay. The second one must not hide the reason of the first. */
TEST_SINCE(6, 5, options_have_no_names_below_65, a_wrong_option_is_named)
{
	static const char *const options[] = { ",colour=1", ",colour=1," MAPPINGS };

	make_image();
	for (size_t i = 0; i < ARRAY_SIZE(options) * ARRAY_SIZE(program_ways); i++) {
		char list[1024];

		snprintf(list, sizeof(list), DIRECTORIES "%s", options[i / ARRAY_SIZE(program_ways)]);
		assert_reported(
			program_ways[i % ARRAY_SIZE(program_ways)].mount, list,
			"colour: open overlay: this kernel's overlayfs does not accept the option "
			"(kernel: overlay: Unknown parameter 'colour')");
	}
}

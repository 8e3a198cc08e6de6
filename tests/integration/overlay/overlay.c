// SPDX-License-Identifier: MIT
/* Overlays from ID-mapped layers: the right IDs at both ends, by each way to mount one. */
#include <pthread.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "lib/sys/syscall.h"
#include "overlays.h"
#include "tests/lib/neighbour.h"

#define L1 SCRATCH "/store/l1"
#define L2 SCRATCH "/store/l2"
#define UP SCRATCH "/store/up"
#define WORK SCRATCH "/store/work"

static const struct idm_path lowers[] = { { AT_FDCWD, L2 }, { AT_FDCWD, L1 } };
static const struct idm_path upper = { AT_FDCWD, UP }, work = { AT_FDCWD, WORK };

static void enter(void)
{
	scratch_enter();
	scratch_dir(L1 "/etc");
	scratch_dir(L2 "/bin");
	scratch_dir(UP);
	scratch_dir(WORK);
	scratch_dir(TARGET);
	owned_file(L1 "/etc/passwd", 0, 0);
	owned_file(L1 "/etc/mail", 8, 12);
	owned_file(L2 "/bin/sh", 0, 0);
	owned_file(L2 "/bin/alien", 70000, 70000);
}

static struct idm_overlay_options request(const struct idm_map *map, unsigned int flags)
{
	struct idm_overlay_options o = IDM_OVERLAY_OPTIONS_INIT;

	o.flags = flags;
	o.lower = lowers;
	o.n_lower = 2;
	o.map = map;
	return o;
}

/* ---- every way ---- */

TEST(lowers_show_mapped_ids)
{
	AUTO_MAP struct idm_map *map = map_of(MAP);

	enter();
	EACH_WAY(way)
	{
		struct snapshot *before = snapshot_take(SNAPSHOT_ALL);
		struct idm_overlay_options o = request(map, way);

		attach_overlay(&o);
		assert_owner(TARGET "/etc/passwd", 100000, 100000);
		assert_owner(TARGET "/etc/mail", 100008, 100012);
		assert_owner(TARGET "/bin/sh", 100000, 100000);
		assert_owner(TARGET "/bin/alien", 65534, 65534);
		assert_int_equal(open(TARGET "/new", O_CREAT | O_WRONLY, 0600), -1);
		assert_int_equal(errno, EROFS);
		do_umount(TARGET);
		snapshot_assert_same(before);
	}
}

/*
 * In a namespace the overlay may be mounted over the top layer for a moment. That mount is gone, and the
 * layers are as free as before: to be removed, renamed, and used once more.
 */
TEST(the_layers_are_free_afterwards)
{
	AUTO_MAP struct idm_map *map = map_of(MAP);

	enter();
	EACH_WAY(way)
	{
		const struct idm_path two[] = { AT(SCRATCH "/store/top"), AT(SCRATCH "/store/low") };
		struct idm_overlay_options o = request(map, way);

		scratch_dir(SCRATCH "/store/top");
		scratch_dir(SCRATCH "/store/low/kept");
		o.lower = two;
		o.n_lower = 2;
		attach_overlay(&o);
		must(access(TARGET "/kept", F_OK));
		assert_int_equal(access(SCRATCH "/store/top/kept", F_OK), -1);
		do_umount(TARGET);
		must(rename(SCRATCH "/store/top", SCRATCH "/store/new"));
		must(rmdir(SCRATCH "/store/new"));
	}
}

static void options_have_no_names_below_65(void)
{
	untried("the kernel does not check the options of an overlay one by one");
}

/* mount(2) reports no reason, which the other way shows. */
TEST_SINCE(6, 5, options_have_no_names_below_65, a_wrong_option_is_named)
{
	static const struct idm_mount_option wrong[] = { { "volatile", NULL }, { "colour", "1" } };

	enter();
	EACH_WAY(way)
	{
		struct idm_overlay_options o = request(NULL, way);
		struct idm_error err;

		o.options = wrong;
		o.n_options = 2;
		assert_int_equal(idm_overlay_open(&o, &err), -EINVAL);
		assert_string_equal(PART(err, subject), "colour");
		assert_contains(PART(err, kernel), "Unknown parameter 'colour'");
	}
}

/* The optional fields of the mount's line. */
static bool is_private(const char *target)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	char line[4096], *found = NULL;

	assert_non_null(file);
	while (!found && fgets(line, sizeof(line), file))
		found = strstr(line, target);
	fclose(file);
	assert_non_null(found);
	return !strstr(found, " shared:") && !strstr(found, " master:");
}

TEST(an_overlay_is_private_among_shared_mounts)
{
	AUTO_MAP struct idm_map *map = map_of(MAP);

	enter();
	must(mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL));
	must(mount("alone", TARGET, "tmpfs", 0, NULL));
	must(mount(NULL, TARGET, NULL, MS_PRIVATE, NULL));
	scratch_dir(TARGET "/overlay");
	EACH_WAY(way)
	{
		struct idm_overlay_options o = request(map, way);
		AUTO_FD int tree = -1;
		struct idm_error err;

		tree = (int)assert_ok(idm_overlay_open(&o, &err), &err);
		attach_at(tree, TARGET "/overlay");
		assert_true(is_private(" " TARGET "/overlay "));
		assert_false(is_private(" " SCRATCH " "));
		do_umount(TARGET "/overlay");
	}
}

TEST(without_a_map_nothing_is_mapped)
{
	enter();
	EACH_WAY(way)
	{
		struct idm_overlay_options o = request(NULL, way);

		o.upper = &upper;
		o.work = &work;
		attach_overlay(&o);
		assert_owner(TARGET "/etc/mail", 8, 12);
		scratch_file(TARGET "/new", "");
		assert_owner(UP "/new", 0, 0);
		do_umount(TARGET);
		must(unlink(UP "/new"));
	}
}

/* What the container's root does, in a child with those IDs and all capabilities about files. */
static void as_mapped_root(void *data)
{
	struct stat st;
	int fd;

	(void)data;
	must(setgid(100000));
	must(setuid(100000)); /* an ordinary user to the host, and the owner of it all */
	fd = (int)must(open(TARGET "/new", O_CREAT | O_EXCL | O_WRONLY, 0640));
	close(fd);
	must(stat(TARGET "/new", &st));
	assert_int_equal(st.st_uid, 100000);
	fd = (int)must(open(TARGET "/etc/passwd", O_WRONLY | O_APPEND)); /* copied up */
	must(write(fd, "more", 4));
	close(fd);
	must(unlink(TARGET "/bin/sh")); /* a whiteout */
	must(mkdir(TARGET "/var", 0755));
}

TEST(an_upper_with_disk_ids_stores_the_containers)
{
	static const unsigned int ways[] = {
		0,
		IDM_OVERLAY_IN_NAMESPACE,
		IDM_OVERLAY_BY_DESCRIPTOR,
		IDM_OVERLAY_BY_DESCRIPTOR | IDM_OVERLAY_CREATE_AS_ROOT,
	};
	size_t n = kernel_is_before(6, 15) ? 2 : ARRAY_SIZE(ways);
	AUTO_MAP struct idm_map *map = map_of(MAP);

	enter();
	for (size_t i = 0; i < n; i++) {
		struct snapshot *before = snapshot_take(SNAPSHOT_FDS | SNAPSHOT_PROCESSES |
							SNAPSHOT_MOUNTS);
		struct idm_overlay_options o = request(map, ways[i]);
		struct stat st;

		o.upper = &upper;
		o.work = &work;
		o.upper_ids = IDM_UPPER_DISK;
		attach_overlay(&o);
		assert_owner(TARGET, 100000, 100000);
		in_child(as_mapped_root, NULL);
		do_umount(TARGET);
		snapshot_assert_same(before);

		assert_owner(UP "/new", 0, 0);
		assert_owner(UP "/etc", 0, 0);
		assert_owner(UP "/etc/passwd", 0, 0);
		assert_owner(UP "/var", 0, 0);
		assert_owner(UP "/bin/sh", 0, 0);
		must(lstat(UP "/bin/sh", &st));
		assert_true(S_ISCHR(st.st_mode) && st.st_rdev == 0);
		assert_owner(WORK "/work", 0, 0);
		assert_owner(L1 "/etc/passwd", 0, 0);

		assert_int_equal(RUN("rm", "-rf", UP, WORK), 0);
		scratch_dir(UP);
		scratch_dir(WORK);
	}
}

TEST(a_shifted_upper_stores_the_seen_ids)
{
	AUTO_MAP struct idm_map *map = map_of(MAP);

	enter();
	EACH_WAY(way)
	{
		struct idm_overlay_options o = request(map, way);

		must(chown(UP, 100000, 100000));
		o.upper = &upper;
		o.work = &work;
		attach_overlay(&o);
		in_child(as_mapped_root, NULL);
		do_umount(TARGET);
		assert_owner(UP "/new", 100000, 100000);
		assert_owner(UP "/etc/passwd", 100000, 100000);
		assert_int_equal(RUN("rm", "-rf", UP, WORK), 0);
		scratch_dir(UP);
		scratch_dir(WORK);
	}
}

TEST(an_upper_with_disk_ids_is_a_layer_under_another_map)
{
	AUTO_MAP struct idm_map *map = map_of(MAP), *other = map_of("0:300000:65536");
	static const struct idm_path committed[] = { { AT_FDCWD, UP },
						     { AT_FDCWD, L2 },
						     { AT_FDCWD, L1 } };
	struct idm_overlay_options o;

	enter();
	o = request(map, 0);
	o.upper = &upper;
	o.work = &work;
	o.upper_ids = IDM_UPPER_DISK;
	attach_overlay(&o);
	in_child(as_mapped_root, NULL);
	do_umount(TARGET);

	o = request(other, 0);
	o.lower = committed;
	o.n_lower = 3;
	attach_overlay(&o);
	assert_owner(TARGET "/new", 300000, 300000);
	assert_owner(TARGET "/etc/passwd", 300000, 300000);
	assert_owner(TARGET "/etc/mail", 300008, 300012);
	assert_int_equal(access(TARGET "/bin/sh", F_OK), -1);
}

/* ---- many layers ---- */

#define LONG_NAME                                                                                 \
	"a-name-that-makes-the-whole-path-two-hundred-characters-long-as-they-are-in-the-stores-" \
	"of-real-container-engines-which-put-digests-into-them-so-that-a-page-holds-only-a-score-of-them-in-all"

static struct idm_path *make_layers(size_t n)
{
	struct idm_path *layers = calloc(n, sizeof(*layers));

	for (size_t i = 0; i < n; i++) {
		char *path, file[512];

		assert_true(asprintf(&path, SCRATCH "/store/" LONG_NAME "-%zu/fs", i) > 200);
		scratch_dir(path);
		snprintf(file, sizeof(file), "%s/file-%zu", path, i);
		owned_file(file, (uid_t)i, 0);
		layers[i] = AT(path);
	}
	return layers;
}

TEST(five_hundred_layers_with_long_paths)
{
	AUTO_MAP struct idm_map *map = map_of(MAP);
	struct idm_path *layers;

	enter();
	layers = make_layers(501);
	EACH_WAY(way)
	{
		struct idm_overlay_options o = request(map, way);
		struct snapshot *before = snapshot_take(SNAPSHOT_ALL);
		struct idm_error err;

		o.lower = layers;
		o.n_lower = 500;
		attach_overlay(&o);
		assert_owner(TARGET "/file-0", 100000, 100000);
		assert_owner(TARGET "/file-499", 100499, 100000);
		do_umount(TARGET);
		o.n_lower = 501;
		assert_error(idm_overlay_open(&o, &err), -E2BIG, &err, "", "open overlay",
			     "501 layers are 1 more than the 500");
		snapshot_assert_same(before);
	}
	for (size_t i = 0; i < 501; i++)
		free((char *)layers[i].path);
	free(layers);
}

static struct idm_overlay_options data_only_request(const struct idm_map *map, unsigned int way)
{
	static const struct idm_mount_option metacopy[] = { { "metacopy", "on" },
							    { "redirect_dir", "on" } };
	static const struct idm_path data[] = { { AT_FDCWD, SCRATCH "/store/data" } };
	struct idm_overlay_options o = request(map, way);

	scratch_dir(SCRATCH "/store/data");
	o.data = data;
	o.n_data = 1;
	o.options = metacopy;
	o.n_options = 2;
	return o;
}

static void data_only_layers_are_refused(void)
{
	AUTO_MAP struct idm_map *map = map_of(MAP);
	struct idm_overlay_options o;
	struct idm_error err;

	if (kernel_is_before(5, 12)) {
		mounts_are_refused();
		return;
	}
	enter();
	o = data_only_request(map, 0);
	assert_error(idm_overlay_open(&o, &err), -EINVAL, &err, L2, "open overlay", "rejects");
	assert_contains(err.hint, "needs Linux 6.8");
}

TEST_SINCE(6, 8, data_only_layers_are_refused, data_only_layers)
{
	AUTO_MAP struct idm_map *map = map_of(MAP);

	enter();
	EACH_WAY(way)
	{
		struct idm_overlay_options o = data_only_request(map, way);

		attach_overlay(&o);
		assert_owner(TARGET "/etc/passwd", 100000, 100000);
		do_umount(TARGET);
	}
}

/* ---- layers in odd places ---- */

TEST(layers_of_several_mounts_behind_links_and_by_descriptor)
{
	AUTO_MAP struct idm_map *map = map_of(MAP);
	struct idm_path odd[5];

	enter();
	mount_mappable(SCRATCH "/store/other");
	scratch_dir(SCRATCH "/store/other/a,b:c\\d");
	owned_file(SCRATCH "/store/other/a,b:c\\d/comma", 1, 1);
	scratch_dir(SCRATCH "/store/real");
	owned_file(SCRATCH "/store/real/linked", 2, 2);
	must(symlink("real", SCRATCH "/store/link"));
	scratch_dir(SCRATCH "/store/x/y");
	owned_file(SCRATCH "/store/x/y/dots", 3, 3);
	scratch_dir(SCRATCH "/store/by-fd");
	owned_file(SCRATCH "/store/by-fd/descriptor", 4, 4);
	odd[0] = AT(SCRATCH "/store/other/a,b:c\\d");
	odd[1] = AT(SCRATCH "/store/link");
	odd[2] = AT(SCRATCH "/store/l1/../x/y");
	odd[3] = (struct idm_path){ (int)must(open(SCRATCH "/store/by-fd", O_PATH | O_CLOEXEC)), "" };
	odd[4] = AT(L1);
	EACH_WAY(way)
	{
		struct idm_overlay_options o = request(map, way);

		o.flags |= IDM_OVERLAY_EMPTY_PATH;
		o.lower = odd;
		o.n_lower = 5;
		attach_overlay(&o);
		assert_owner(TARGET "/comma", 100001, 100001);
		assert_owner(TARGET "/linked", 100002, 100002);
		assert_owner(TARGET "/dots", 100003, 100003);
		assert_owner(TARGET "/descriptor", 100004, 100004);
		assert_owner(TARGET "/etc/passwd", 100000, 100000);
		do_umount(TARGET);
	}
	close(odd[3].dirfd);
}

/* A path that leaves the mount and comes back by a link: in a copy of the mount it leads elsewhere. */
TEST(a_layer_behind_another_mount)
{
	AUTO_MAP struct idm_map *map = map_of(MAP);
	struct idm_path odd[] = { AT(SCRATCH "/store/detour/link"), AT(L1) };

	enter();
	scratch_dir(SCRATCH "/store/real");
	scratch_file(SCRATCH "/store/real/right", "");
	scratch_dir(SCRATCH "/store/detour/link");
	scratch_file(SCRATCH "/store/detour/link/wrong", "");
	do_mount("detour", SCRATCH "/store/detour", "tmpfs", 0, NULL);
	must(symlink("../real", SCRATCH "/store/detour/link"));
	EACH_WAY(way)
	{
		struct idm_overlay_options o = request(map, way);

		o.lower = odd;
		attach_overlay(&o);
		assert_owner(TARGET "/right", 100000, 100000);
		assert_owner(TARGET "/etc/passwd", 100000, 100000);
		assert_int_equal(access(TARGET "/wrong", F_OK), -1);
		do_umount(TARGET);
	}
}

TEST(relative_paths)
{
	AUTO_MAP struct idm_map *map = map_of(MAP);
	struct idm_path relative[] = { AT("l2"), AT("l1") }, up = AT("up"), wk = AT("work");

	enter();
	must(chdir(SCRATCH "/store"));
	EACH_WAY(way)
	{
		struct idm_overlay_options o = request(map, way);

		o.lower = relative;
		o.upper = &up;
		o.work = &wk;
		o.upper_ids = IDM_UPPER_DISK;
		attach_overlay(&o);
		assert_owner(TARGET "/etc/passwd", 100000, 100000);
		do_umount(TARGET);
	}
}

TEST(a_directory_on_the_way_that_the_map_leaves_out)
{
	AUTO_MAP struct idm_map *map = map_of(MAP);

	enter();
	must(chmod(SCRATCH "/store", 0700));
	must(chown(SCRATCH "/store", 80000, 80000)); /* not even root may pass through it when mapped */
	EACH_WAY(way)
	{
		struct idm_overlay_options o = request(map, way);

		attach_overlay(&o);
		assert_owner(TARGET "/etc/passwd", 100000, 100000);
		do_umount(TARGET);
	}
}

/* ---- options ---- */

TEST(options_reach_the_kernel)
{
	static const struct idm_mount_option options[] = { { "volatile", NULL }, { "xino", "off" } };
	AUTO_MAP struct idm_map *map = map_of(MAP);

	enter();
	EACH_WAY(way)
	{
		struct idm_overlay_options o = request(map, way);

		o.upper = &upper;
		o.work = &work;
		o.options = options;
		o.n_options = 2;
		o.attr = IDM_ATTR_NOSUID | IDM_ATTR_NOEXEC;
		o.source = "box";
		attach_overlay(&o);
		assert_int_equal(mount_at(TARGET).attr, o.attr);
		assert_int_equal(RUN("grep", "-q", "overlay box .*volatile", "/proc/self/mountinfo"), 0);
		do_umount(TARGET);
		assert_int_equal(RUN("rm", "-rf", WORK), 0);
		scratch_dir(WORK);
	}
}

/* The access times are one field, and mount_setattr(2) has to clear all of it with each change. */
TEST(access_times_reach_the_mount)
{
	static const uint32_t attributes[] = { IDM_ATTR_NOATIME, IDM_ATTR_STRICTATIME,
					       IDM_ATTR_NODIRATIME | IDM_ATTR_NOATIME };

	enter();
	EACH_WAY(way)
	{
		for (size_t i = 0; i < ARRAY_SIZE(attributes); i++) {
			struct idm_overlay_options o = request(NULL, way);

			o.attr = attributes[i];
			attach_overlay(&o);
			assert_int_equal(mount_at(TARGET).attr, o.attr);
			do_umount(TARGET);
		}
	}
}

/* ---- refusals ---- */

static void assert_refused(const struct idm_overlay_options *o, int code, const char *subject,
			   const char *reason)
{
	struct snapshot *before = snapshot_take(SNAPSHOT_ALL);
	struct idm_error err;

	assert_error(idm_overlay_open(o, &err), code, &err, subject, NULL, reason);
	snapshot_assert_same(before);
}

TEST(a_way_that_is_not_there)
{
	struct idm_overlay_options o = request(NULL,
					       IDM_OVERLAY_BY_DESCRIPTOR | IDM_OVERLAY_IN_NAMESPACE);

	enter();
	assert_refused(&o, -EINVAL, "",
		       "expected IDM_OVERLAY_BY_DESCRIPTOR or IDM_OVERLAY_IN_NAMESPACE, got both");
	o.flags = IDM_OVERLAY_BY_DESCRIPTOR;
	if (kernel_is_before(6, 15))
		assert_refused(&o, -EOPNOTSUPP, "", "needs Linux 6.15");
}

TEST(an_unused_upper_that_is_not_there)
{
	struct idm_overlay_options o = request(NULL, IDM_OVERLAY_UPPER_UNUSED);

	enter();
	assert_refused(&o, -EINVAL, "", "IDM_OVERLAY_UPPER_UNUSED requires an upper directory");
}

TEST(attributes_are_checked_as_those_of_a_tree)
{
	enter();
	EACH_WAY(way)
	{
		struct idm_overlay_options o = request(NULL, way);

		o.attr = IDM_ATTR_IDMAP;
		assert_refused(&o, -EINVAL, "", "unknown attributes 0x100000");
		o.attr = 0x80000000;
		assert_refused(&o, -EINVAL, "", "unknown attributes 0x80000000");
		o.attr = IDM_ATTR_NOATIME | IDM_ATTR_STRICTATIME;
		assert_refused(&o, -EINVAL, "", "expected at most one attribute for access times");
	}
}

TEST(what_is_null_is_refused_by_name)
{
	const struct idm_mount_option options[] = { { "volatile", NULL }, { NULL, "x" } };
	struct idm_overlay_options o = request(NULL, 0);

	enter();
	o.lower = NULL;
	o.n_lower = 3;
	assert_refused(&o, -EINVAL, "", "lower: expected 3 layers, got NULL");
	o = request(NULL, 0);
	o.data = NULL;
	o.n_data = 2;
	assert_refused(&o, -EINVAL, "", "data: expected 2 layers, got NULL");
	o = request(NULL, 0);
	o.n_options = 1;
	assert_refused(&o, -EINVAL, "", "options: expected 1 options, got NULL");
	o.options = options;
	o.n_options = 2;
	assert_refused(&o, -EINVAL, "", "options[1].name: expected a name, got NULL");
}

/* Not even where an empty path would be the descriptor itself. */
TEST(a_path_that_is_null_is_refused)
{
	const char *const reason = "expected a path, got NULL";
	struct idm_path null = { AT_FDCWD, NULL }, layers[] = { AT(L1), { AT_FDCWD, NULL } };

	enter();
	for (int i = 0; i < 2; i++) {
		struct idm_overlay_options o = request(NULL, i ? IDM_OVERLAY_EMPTY_PATH : 0);

		o.lower = layers;
		o.n_lower = ARRAY_SIZE(layers);
		assert_refused(&o, -EINVAL, "", reason);
		o = request(NULL, o.flags);
		o.data = &null;
		o.n_data = 1;
		assert_refused(&o, -EINVAL, "", reason);
		o = request(NULL, o.flags);
		o.upper = &null;
		o.work = &work;
		assert_refused(&o, -EINVAL, "", reason);
		o.upper = &upper;
		o.work = &null;
		assert_refused(&o, -EINVAL, "", reason);
	}
}

TEST(refusals_name_the_directory)
{
	AUTO_MAP struct idm_map *map = map_of(MAP), *no_root = map_of("1:100001:65535");
	static const struct idm_mount_option nonsense = { "nonsense", "1" };
	struct idm_path missing[] = { AT(L1), AT(SCRATCH "/store/none") };
	struct idm_path twice[] = { AT(L1), AT(L2), AT(SCRATCH "/store/../store/l1") };
	struct idm_path file[] = { AT(L1), AT(L1 "/etc/passwd") };
	struct idm_path elsewhere = AT(SCRATCH "/other/work");
	struct idm_overlay_options o, good;

	enter();
	scratch_dir(SCRATCH "/other");
	do_mount("other", SCRATCH "/other", "tmpfs", 0, NULL);
	scratch_dir(SCRATCH "/other/work");
	EACH_WAY(way)
	{
		good = request(map, way);
		good.upper = &upper;
		good.work = &work;

		o = good;
		o.lower = missing;
		assert_refused(&o, -ENOENT, SCRATCH "/store/none", "No such file");
		o = good;
		o.lower = twice;
		o.n_lower = 3;
		assert_refused(&o, -ELOOP, "l1", "duplicate layer");
		o = good;
		o.lower = file;
		assert_refused(&o, -ENOTDIR, L1 "/etc/passwd", "Not a directory");
		o = good;
		o.work = &elsewhere;
		assert_refused(&o, -EXDEV, SCRATCH "/other/work", "are on different mounts");
		o = good;
		o.work = NULL;
		assert_refused(&o, -EINVAL, "", "requires a work directory");
		o = good;
		o.n_lower = 0;
		assert_refused(&o, -EINVAL, "", "a lower layer is missing");
		o = good;
		o.upper = o.work = NULL;
		o.n_lower = 1;
		assert_refused(&o, -EINVAL, L2, "got one lower layer");
		o = good;
		o.map = no_root;
		o.upper_ids = IDM_UPPER_DISK;
		assert_refused(&o, -EINVAL, UP, "disk uid and gid 0");
		o = good;
		o.options = &nonsense;
		o.n_options = 1;
		assert_refused(&o, -EINVAL, NULL, NULL);
	}
	o = good;
	o.flags = 0x100;
	assert_refused(&o, -EINVAL, "", "unknown flags 0x100");
	o.size = 0;
	assert_refused(&o, -EINVAL, "", "size");
}

TEST(an_upper_in_use_is_refused)
{
	AUTO_MAP struct idm_map *map = map_of(MAP);
	struct idm_path other_work = AT(SCRATCH "/store/work2"), other_upper = AT(SCRATCH "/store/up2");
	struct idm_overlay_options o;

	enter();
	scratch_dir(SCRATCH "/store/work2");
	scratch_dir(SCRATCH "/store/up2");
	EACH_WAY(way)
	{
		o = request(map, way);
		o.upper = &upper;
		o.work = &work;
		o.upper_ids = IDM_UPPER_DISK;
		attach_overlay(&o);
		o.work = &other_work;
		assert_refused(&o, -EBUSY, UP, "in use");
		do_umount(TARGET);
	}
	EACH_WAY(way)
	{
		o = request(map, way);
		o.upper = &upper;
		o.work = &work;
		attach_overlay(&o);
		o.work = &other_work;
		assert_refused(&o, -EBUSY, UP, "in use");
		o.upper = &other_upper;
		o.work = &work;
		assert_refused(&o, -EBUSY, WORK, "in use");
		do_umount(TARGET);
	}
}

/* The kernel allows the second one, and writes a warning into its log. */
TEST(an_upper_that_the_caller_calls_unused_is_not_searched_for)
{
	AUTO_MAP struct idm_map *map = map_of(MAP);
	struct idm_path other_work = AT(SCRATCH "/store/work2");

	enter();
	scratch_dir(SCRATCH "/store/work2");
	EACH_WAY(way)
	{
		struct idm_overlay_options o = request(map, way);
		AUTO_FD int tree = -1;
		struct idm_error err;

		o.upper = &upper;
		o.work = &work;
		attach_overlay(&o);
		o.work = &other_work;
		assert_refused(&o, -EBUSY, UP, "in use");
		o.flags |= IDM_OVERLAY_UPPER_UNUSED;
		tree = (int)assert_ok(idm_overlay_open(&o, &err), &err);
		do_umount(TARGET);
	}
}

/* Whatever either is to be this time, and whether or not the overlay's options tell where they are. */
static void assert_all_in_use(struct idm_overlay_options o)
{
	struct idm_path other = AT(SCRATCH "/store/other");

	scratch_dir(SCRATCH "/store/other");
	o.upper = &work;
	o.work = &other;
	assert_refused(&o, -EBUSY, WORK, "in use");
	o.upper = &other;
	o.work = &upper;
	assert_refused(&o, -EBUSY, UP, "in use");
	o.work = &work;
	assert_refused(&o, -EBUSY, WORK, "in use");
}

TEST(an_upper_in_use_is_refused_as_work_too)
{
	AUTO_MAP struct idm_map *map = map_of(MAP);
	static const enum idm_upper_ids ids[] = { IDM_UPPER_SHIFTED, IDM_UPPER_DISK };

	enter();
	EACH_WAY(way)
	{
		for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
			struct idm_overlay_options o = request(map, way);

			o.upper = &upper;
			o.work = &work;
			o.upper_ids = ids[i];
			attach_overlay(&o);
			assert_all_in_use(o);
			do_umount(TARGET);
		}
	}
}

TEST(an_upper_in_use_is_refused_where_its_path_does_not_tell)
{
	AUTO_MAP struct idm_map *map = map_of(MAP);
	struct idm_path in = AT(SCRATCH "/closed/in/up"), in_work = AT(SCRATCH "/closed/in/work");
	struct idm_path other = AT(SCRATCH "/closed/in/other");

	enter();
	scratch_dir(in.path);
	scratch_dir(in_work.path);
	scratch_dir(other.path);
	/* Not to be passed through a mapped copy: so that is made of the directory below. */
	must(chown(SCRATCH "/closed", 80000, 80000));
	must(chmod(SCRATCH "/closed", 0700));
	EACH_WAY(way)
	{
		struct idm_overlay_options o = request(map, way);

		o.upper = &in;
		o.work = &in_work;
		o.upper_ids = IDM_UPPER_DISK;
		attach_overlay(&o);
		o.work = &other;
		assert_refused(&o, -EBUSY, in.path, "in use");
		o.upper = &other;
		o.work = &in;
		assert_refused(&o, -EBUSY, in.path, "in use");
		do_umount(TARGET);
	}
}

TEST(an_overlay_that_would_be_read_only_is_refused)
{
	struct idm_overlay_options o;
	struct idm_path up = AT(SCRATCH "/ro/up"), wk = AT(SCRATCH "/ro/work");

	enter();
	scratch_dir(SCRATCH "/ro");
	do_mount("ro", SCRATCH "/ro", "tmpfs", 0, NULL);
	scratch_dir(SCRATCH "/ro/up");
	scratch_dir(SCRATCH "/ro/work");
	do_mount(NULL, SCRATCH "/ro", NULL, 32 | 1 /* MS_REMOUNT | MS_RDONLY */, NULL);
	o = request(NULL, 0);
	o.upper = &up;
	o.work = &wk;
	/* The kernel refuses, or makes it read-only without a word: never that. */
	{
		struct snapshot *before = snapshot_take(SNAPSHOT_ALL);
		struct idm_error err;
		long r = idm_overlay_open(&o, &err);

		assert_true(r < 0);
		note("%s", err.message);
		assert_contains(PART(err, subject), SCRATCH "/ro/");
		snapshot_assert_same(before);
	}
}

/* ---- overlays of other mount namespaces ---- */

/* Under a name that leads to it only there. */
static void mount_elsewhere(void *data)
{
	const struct idm_overlay_options *o = data;

	must(unshare(CLONE_NEWNS));
	must(mount("there", "/", NULL, MS_REC | MS_PRIVATE, NULL));
	scratch_dir(SCRATCH "/moved");
	must(mount(SCRATCH "/store", SCRATCH "/moved", NULL, MS_BIND | MS_REC, NULL));
	must(mount("hidden", SCRATCH "/store", "tmpfs", 0, NULL));
	attach_overlay(o);
}

/* The other namespace has the same names. */
static void mount_others_there(void *data)
{
	const struct idm_overlay_options *o = data;

	must(unshare(CLONE_NEWNS));
	must(mount("there", "/", NULL, MS_REC | MS_PRIVATE, NULL));
	must(mount("others", SCRATCH "/store", "tmpfs", 0, NULL));
	scratch_dir(L1);
	scratch_dir(L2);
	scratch_dir(UP);
	scratch_dir(WORK);
	attach_overlay(o);
}

static struct neighbour start_elsewhere(void)
{
	static const struct idm_path there[] = { { AT_FDCWD, SCRATCH "/moved/l1" },
						 { AT_FDCWD, SCRATCH "/moved/up" },
						 { AT_FDCWD, SCRATCH "/moved/work" } };
	struct idm_overlay_options o = request(NULL, 0);

	enter();
	scratch_dir(SCRATCH "/store/other");
	o.lower = &there[0];
	o.n_lower = 1;
	o.upper = &there[1];
	o.work = &there[2];
	return neighbour_start(mount_elsewhere, &o);
}

/* The kernel does not tell which namespaces there are. */
static void only_ones_own(void)
{
	struct idm_path other = AT(SCRATCH "/store/other");
	struct idm_overlay_options o = request(NULL, 0);
	struct neighbour n;

	if (kernel_is_before(5, 12)) {
		mounts_are_refused();
		return;
	}
	n = start_elsewhere();
	o.upper = &upper;
	o.work = &other;
	attach_overlay(&o);
	do_umount(TARGET);
	neighbour_end(&n);
}

TEST_SINCE(6, 12, only_ones_own, an_upper_in_use_elsewhere_is_refused)
{
	struct neighbour n = start_elsewhere();
	struct idm_path other = AT(SCRATCH "/store/other");
	struct idm_overlay_options o = request(NULL, 0);

	o.upper = &upper;
	o.work = &other;
	assert_refused(&o, -EBUSY, UP, "in use");
	o.upper = &other;
	o.work = &work;
	assert_refused(&o, -EBUSY, WORK, "in use");
	neighbour_end(&n);
	o.upper = &upper;
	attach_overlay(&o);
	do_umount(TARGET);
}

/* A thread that opens a path of which the kernel's cache has no name. */
struct opener {
	int listener, result, calls;
	bool done;
};

static void *open_uncached(void *data)
{
	struct opener *opener = data;

	__atomic_store_n(&opener->listener, hold_call(SYS_openat2), __ATOMIC_RELEASE);
	opener->result = idm_sys_openat2(AT_FDCWD, SCRATCH "/no-such-name", O_PATH, 0, RESOLVE_CACHED);
	__atomic_store_n(&opener->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static void count_call(const struct seccomp_notif *call, void *data)
{
	(void)call;
	++*(int *)data;
}

TEST(a_path_that_is_not_in_the_kernels_cache_is_not_tried_often)
{
	struct opener opener = { .listener = -1 };
	pthread_t thread;

	enter();
	assert_int_equal(pthread_create(&thread, NULL, open_uncached, &opener), 0);
	while (__atomic_load_n(&opener.listener, __ATOMIC_ACQUIRE) < 0)
		sched_yield();
	while (!__atomic_load_n(&opener.done, __ATOMIC_ACQUIRE))
		answer_call(opener.listener, 10, count_call, &opener.calls);
	pthread_join(thread, NULL);
	close(opener.listener);
	assert_int_equal(opener.result, -EAGAIN);
	assert_true(opener.calls <= 10);
}

TEST(an_upper_of_that_name_elsewhere_is_none)
{
	struct idm_overlay_options o = request(NULL, 0);
	struct neighbour n;

	enter();
	o.upper = &upper;
	o.work = &work;
	n = neighbour_start(mount_others_there, &o);
	attach_overlay(&o);
	do_umount(TARGET);
	neighbour_end(&n);
}

/* Its options tell names that lead nowhere from another directory. */
static void mount_with_relative_names(void *unused)
{
	(void)unused;
	must(unshare(CLONE_NEWNS));
	must(mount("there", "/", NULL, MS_REC | MS_PRIVATE, NULL));
	must(chdir(SCRATCH "/store"));
	must(mount("there", TARGET, "overlay", 0, "lowerdir=l1,upperdir=up,workdir=work"));
}

/* So do those of the caller: they are looked up before the other namespace is joined. */
TEST_SINCE(6, 12, only_ones_own, an_upper_in_use_elsewhere_by_relative_names_is_refused)
{
	struct idm_path relative[] = { AT("l2") }, up = AT("up"), other = AT("other");
	struct idm_overlay_options o = request(NULL, 0);
	struct neighbour n;

	enter();
	scratch_dir(SCRATCH "/store/other");
	must(chdir(SCRATCH "/store"));
	n = neighbour_start(mount_with_relative_names, NULL);
	o.lower = relative;
	o.n_lower = 1;
	o.upper = &up;
	o.work = &other;
	assert_refused(&o, -EBUSY, "up", "in use");
	o.upper = &other;
	o.work = &up;
	assert_refused(&o, -EBUSY, "up", "in use");
	neighbour_end(&n);
	o.upper = &up;
	o.work = &other;
	attach_overlay(&o);
	do_umount(TARGET);
}

/* ---- canceling ---- */

static int cancel_at(size_t done, size_t all, void *data)
{
	const size_t *at = data;

	assert_int_equal(all, 4);
	return done == *at;
}

TEST(a_canceled_overlay_leaves_nothing_behind)
{
	AUTO_MAP struct idm_map *map = map_of("0:100000:65536");

	enter();
	for (size_t at = 1; at <= 4; at++) {
		struct idm_overlay_options o = request(map, at % 2 ? IDM_OVERLAY_IN_NAMESPACE : 0);
		struct snapshot *before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
		struct idm_error err;

		o.upper = &upper;
		o.work = &work;
		o.progress = cancel_at;
		o.progress_data = &at;
		assert_error(idm_overlay_open(&o, &err), -ECANCELED, &err, "", "open layer", "canceled");
		snapshot_assert_same(before);
	}
}

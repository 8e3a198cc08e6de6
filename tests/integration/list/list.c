// SPDX-License-Identifier: MIT
/* A mount is told whole and as it is, by every way that the kernel has of telling. */
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "listing.h"

/* ---- the map ---- */

TEST(maps_are_read_back)
{
	static const char *const maps[] = {
		"0:100000:65536",
		"0:0:4294967295",
		"0:1000:1",
		"u:0:100000:65536,g:0:200000:1",
		"u:4294967294:0,g:5:4294967294",
		"0:1000:1,1:5000:1,2:7000:10,4294967290:3:5",
		"u:7:0:1,u:0:7:1,g:1000:0:1,g:0:1000:1",
	};
	char name[16];

	listing_enter();
	for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
		snprintf(name, sizeof(name), "m%zu", i);
		put(name, maps[i]);
	}
	FOR_EACH_LEVEL(level)
	{
		AUTO_LISTING struct listing list = list_of(level, 0);

		assert_int_equal(count_ours(&list), ARRAY_SIZE(maps));
		for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
			snprintf(name, sizeof(name), "m%zu", i);
			assert_mapped(find(&list, at(name)), level, maps[i]);
		}
	}
}

/* A map of n entries that cannot be merged, with IDs from these on. */
static char *long_map(size_t n, size_t disk, size_t seen)
{
	char *text = malloc(n * 64), *p = text;

	assert_non_null(text);
	for (size_t i = 0; i < n; i++)
		p += sprintf(p, "%s%zu:%zu:1", i ? "," : "", disk + 2 * i, seen + 3 * i);
	return text;
}

/* They do not fit into one answer together. */
TEST(the_longest_maps)
{
	AUTO_FREE char *longest = long_map(340, 0, 1000);
	AUTO_FREE char *wide = long_map(162, 1000000000, 2000000000);

	listing_enter();
	put("longest", longest);
	put("wide", wide);
	FOR_EACH_LEVEL(level)
	{
		AUTO_LISTING struct listing list = list_of(level, 0);

		assert_mapped(find(&list, at("longest")), level, longest);
		assert_mapped(find(&list, at("wide")), level, wide);
	}
}

/* ---- strings ---- */

static bool ends_with(const char *s, const char *end)
{
	return strlen(s) >= strlen(end) && strcmp(s + strlen(s) - strlen(end), end) == 0;
}

#define DEEP 20

/* Descends a chain of directories that is longer than a path may be. Returns the last of them. */
static int deep(const char *top, const char *name)
{
	int dir = (int)must(open(top, O_PATH | O_CLOEXEC));

	for (int i = 0; i < DEEP; i++) {
		int next;

		must(mkdirat(dir, name, 0755));
		next = (int)must(openat(dir, name, O_PATH | O_CLOEXEC));
		close(dir);
		dir = next;
	}
	return dir;
}

static void mount_between(int from, int to, const char *map)
{
	AUTO_FD int userns = userns_of(map);
	AUTO_FD int tree = ownership_clone(from, userns);

	assert_ok(idm_sys_move_mount_fd(tree, to, 0), NULL);
}

/* The one whose target is longer than a path may be. */
static const struct idm_mount_info *find_deep(const struct listing *list)
{
	const struct idm_mount_info *found = NULL;

	for (size_t i = 0; i < list->n; i++)
		if (strlen(list->mounts[i].target) > 5000)
			found = &list->mounts[i];
	return found;
}

TEST(the_longest_strings)
{
	AUTO_FREE char *map = long_map(340, 0, 1000);
	char part[251] = "", device[4001] = "";
	AUTO_FD int from = -1, to = -1;
	bool choose; /* the source. Before Linux 6.3 no tmpfs can be mapped, and elsewhere one cannot */

	listing_enter();
	choose = can_be_mapped(at(""));
	memset(part, 'x', sizeof(part) - 1);
	memset(device, 'd', sizeof(device) - 1);
	if (choose)
		do_mount(device, made("device"), "tmpfs", 0, NULL);
	from = deep(choose ? at("device") : SOURCE, part);
	to = deep(made("target"), part);
	mount_between(from, to, map);
	FOR_EACH_LEVEL(level)
	{
		AUTO_LISTING struct listing list = list_of(level, 0);
		const struct idm_mount_info *m = find_deep(&list);

		assert_mapped(m, level, map);
		assert_int_equal(strlen(m->target), strlen(at("target")) + DEEP * sizeof(part));
		assert_true(strlen(m->root) >= DEEP * sizeof(part) && ends_with(m->root, part));
		if (choose)
			assert_string_equal(m->source, device);
	}
}

TEST(odd_names)
{
	static const char *const names[] = {
		"a b",
		" ",
		"new\nline",
		"tab\tand\\backslash",
		"\\040",
		"\\",
		"\\\\134",
		"hash#mark",
		"gr\xc3\xbc\xc3\x9f\xe2\x82\xac",
		"\xff\xfe\x80",
		"\"quoted\"",
		"bell\a\033",
		"comma,a=b - -",
		"\\1",
		"mnt:[1]",
		"%s%n",
	};

	listing_enter();
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		do_mount(names[i], made(names[i]), "tmpfs", 0, NULL);
	FOR_EACH_LEVEL(level)
	{
		AUTO_LISTING struct listing list = list_of(level, UNMAPPED);

		assert_int_equal(count_ours(&list), 1 + ARRAY_SIZE(names));
		for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
			const struct idm_mount_info *m = find(&list, at(names[i]));

			assert_non_null(m);
			assert_string_equal(m->source, names[i]);
			assert_string_equal(m->fstype, "tmpfs");
			assert_string_equal(m->root, "/");
			assert_int_equal(m->map_state, IDM_MAP_NONE);
			assert_null(m->map);
		}
	}
}

TEST(the_root_of_a_part)
{
	static const char part[] = SOURCE "/sub \\dir\n#";

	listing_enter();
	scratch_dir(part);
	scratch_file(SOURCE "/sub \\dir\n#/file", "");
	scratch_file(at("file"), "");
	mount_mapped(part, made("dir"), "0:5:10");
	mount_mapped(SOURCE "/sub \\dir\n#/file", at("file"), "0:6:10");
	FOR_EACH_LEVEL(level)
	{
		AUTO_LISTING struct listing list = list_of(level, 0);
		const struct idm_mount_info *dir = find(&list, at("dir")),
					    *file = find(&list, at("file"));

		assert_int_equal(count_ours(&list), 2);
		assert_mapped(dir, level, "0:5:10");
		assert_mapped(file, level, "0:6:10");
		assert_true(ends_with(dir->root, "/sub \\dir\n#"));
		assert_true(ends_with(file->root, "/sub \\dir\n#/file"));
	}
}

static void assert_device(const struct idm_mount_info *mount, const char *path)
{
	struct stat st;

	must(stat(path, &st));
	assert_non_null(mount);
	assert_int_equal(mount->dev_major, major(st.st_dev));
	assert_int_equal(mount->dev_minor, minor(st.st_dev));
}

/* Filesystems can have the same name. The device tells which one it is, also of a part of it. */
TEST(the_device_of_the_filesystem)
{
	struct idm_error err;

	listing_enter();
	do_mount("same name", made("one"), "tmpfs", 0, NULL);
	do_mount("same name", made("other"), "tmpfs", 0, NULL);
	made("one/part");
	do_mount(at("one/part"), made("part"), NULL, MS_BIND, NULL);
	FOR_EACH_LEVEL(level)
	{
		AUTO_LISTING struct listing list = list_of(level, UNMAPPED);
		AUTO_LISTING struct listing of_path = { 0 };

		assert_device(find(&list, at("one")), at("one"));
		assert_device(find(&list, at("other")), at("other"));
		assert_device(find(&list, at("part")), at("one"));
		assert_ok(list_path_by(level, AT_FDCWD, at("part"), listing_keep, &of_path, &err), &err);
		assert_device(&of_path.mounts[0], at("one"));
	}
}

static void assert_source_and_type(const char *name, const char *source, const char *fstype)
{
	FOR_EACH_LEVEL(level)
	{
		AUTO_LISTING struct listing list = list_of(level, UNMAPPED);
		const struct idm_mount_info *m = find(&list, at(name));

		assert_non_null(m);
		assert_string_equal(m->source, source);
		assert_string_equal(m->fstype, fstype);
	}
}

TEST(an_empty_source)
{
	listing_enter();
	do_mount("", made("empty"), "tmpfs", 0, NULL);
	assert_source_and_type("empty", "", "tmpfs");
}

/* No server answers this filesystem, and none needs to. */
TEST(a_subtype)
{
	AUTO_FD int fd = -1;
	char options[96];

	listing_enter();
	fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		skip_test("no /dev/fuse: %s", strerror(errno));
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);
	do_mount("some:where", made("fuse"), "fuse.idmount test", 0, options);
	assert_source_and_type("fuse", "some:where", "fuse.idmount test");
	do_umount(at("fuse"));
}

/* ---- the rest ---- */

static void set_attr(const char *name, uint64_t set, uint64_t clear, uint64_t propagation)
{
	struct mount_attr attr = { .attr_set = set, .attr_clr = clear, .propagation = propagation };

	assert_ok(idm_sys_mount_setattr(AT_FDCWD, at(name), 0, &attr), NULL);
}

TEST(attributes)
{
	static const uint32_t attrs[] = {
		IDM_ATTR_RDONLY,
		IDM_ATTR_NOSUID,
		IDM_ATTR_NODEV,
		IDM_ATTR_NOEXEC,
		IDM_ATTR_RELATIME,
		IDM_ATTR_NOATIME,
		IDM_ATTR_STRICTATIME,
		IDM_ATTR_NODIRATIME,
		IDM_ATTR_NOSYMFOLLOW,
		IDM_ATTR_RDONLY | IDM_ATTR_NOSUID | IDM_ATTR_NODEV | IDM_ATTR_NOEXEC | IDM_ATTR_NOATIME |
			IDM_ATTR_NODIRATIME | IDM_ATTR_NOSYMFOLLOW,
	};
	char name[16];

	listing_enter();
	for (size_t i = 0; i < ARRAY_SIZE(attrs); i++) {
		snprintf(name, sizeof(name), "a%zu", i);
		put(name, "0:1:1");
		set_attr(name, attrs[i], IDM_ATTR_ATIME, 0);
	}
	FOR_EACH_LEVEL(level)
	{
		AUTO_LISTING struct listing list = list_of(level, 0);

		for (size_t i = 0; i < ARRAY_SIZE(attrs); i++) {
			snprintf(name, sizeof(name), "a%zu", i);
			assert_non_null(find(&list, at(name)));
			assert_int_equal(find(&list, at(name))->attr, attrs[i] | IDM_ATTR_IDMAP);
		}
	}
}

static void assert_propagation(const struct listing *list, const char *name,
			       enum idm_propagation propagation)
{
	const struct idm_mount_info *m = find(list, at(name));

	assert_non_null(m);
	assert_int_equal(m->propagation, propagation);
}

TEST(propagation)
{
	static const struct {
		const char *name;
		uint64_t flags;
		enum idm_propagation propagation;
	} table[] = {
		{ "private", MS_PRIVATE, IDM_PROPAGATION_PRIVATE },
		{ "shared", MS_SHARED, IDM_PROPAGATION_SHARED },
		{ "unbindable", MS_UNBINDABLE, IDM_PROPAGATION_UNBINDABLE },
	};

	listing_enter();
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		put(table[i].name, "0:1:1");
		set_attr(table[i].name, 0, 0, table[i].flags);
	}
	do_mount(at("shared"), made("slave"), NULL, MS_BIND, NULL);
	set_attr("slave", 0, 0, MS_SLAVE);
	do_mount(at("shared"), made("both"), NULL, MS_BIND, NULL);
	set_attr("both", 0, 0, MS_SLAVE);
	set_attr("both", 0, 0, MS_SHARED);
	FOR_EACH_LEVEL(level)
	{
		AUTO_LISTING struct listing list = list_of(level, 0);

		for (size_t i = 0; i < ARRAY_SIZE(table); i++)
			assert_propagation(&list, table[i].name, table[i].propagation);
		assert_propagation(&list, "slave", IDM_PROPAGATION_SLAVE);
		assert_propagation(&list, "both", IDM_PROPAGATION_SHARED);
	}
}

/* Ids, parents and the namespace, against what statx and stat say. */
TEST(ids)
{
	struct stat ns;

	listing_enter();
	scratch_dir(SOURCE "/inner");
	put("outer", "0:1:1");
	put("outer/inner", "0:1:1");
	must(stat("/proc/self/ns/mnt", &ns));
	FOR_EACH_LEVEL(level)
	{
		bool is_short = really(level) == IDM_LIST_MOUNTINFO;
		AUTO_LISTING struct listing list = list_of(level, 0);
		const struct idm_mount_info *outer = find(&list, at("outer"));
		const struct idm_mount_info *inner = find(&list, at("outer/inner"));
		struct statx st;

		assert_true(outer && inner);
		assert_ok(idm_sys_statx(AT_FDCWD, at("outer/inner"), 0,
					is_short ? STATX_MNT_ID : STATX_MNT_ID_UNIQUE, &st),
			  NULL);
		assert_int_equal(inner->id, st.stx_mnt_id);
		assert_int_equal(inner->parent_id, outer->id);
		assert_int_equal(inner->namespace_inode, ns.st_ino);
		assert_int_equal(inner->namespace_id != 0, !kernel_is_before(6, 12));
	}
}

/* ---- trouble ---- */

/* Whether a mount is still there is the smallest question, with room for the answer's head alone. */
static void refuse_small_questions(void)
{
	listing_enter();
	refuse_call_where(457 /* statmount */, 2, sizeof(struct idm_statmount), ENOMEM);
}

static int pass_by(const struct idm_mount_info *mount, void *unused)
{
	(void)mount;
	(void)unused;
	return 0;
}

static void asked_by_nobody(void)
{
	struct idm_error err;

	refuse_small_questions();
	assert_ok(list_by(IDM_LIST_STATMOUNT, UNMAPPED, pass_by, NULL, &err), &err);
}

/* As before Linux 6.13, where a mount's source is looked up in mountinfo. */
TEST_SINCE(6, 8, asked_by_nobody, a_mount_that_cannot_be_looked_at_again_is_not_left_out)
{
	struct idm_error err;

	refuse_small_questions();
	for (enum idm_list_level level = IDM_LIST_STATMOUNT; level < IDM_LIST_NEWEST; level++)
		assert_error(list_by(level, UNMAPPED, listing_never, NULL, &err), -ENOMEM, &err,
			     "mount id ", "list mounts", "Cannot allocate memory");
}

// SPDX-License-Identifier: MIT
/*
 * The listing: whatever is mounted is told, whole and as it is, by every way the kernel has of telling
 * it. Needs root. All mounts are made in a mount namespace of the test's own.
 */
#include "listing.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- one mount, as it is ---- */

static void test_maps_read_back(void **state)
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

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
		snprintf(name, sizeof(name), "m%zu", i);
		assert_int_equal(put(source, made(name), maps[i]), 0);
	}
	FOR_EACH_LEVEL(level)
	{
		struct list list = list_at(level, 0);

		assert_int_equal(ours(&list), ARRAY_SIZE(maps));
		for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
			snprintf(name, sizeof(name), "m%zu", i);
			assert_true(has_map(find(&list, at(name)), level, maps[i]));
		}
		forget(&list);
	}
}

/* A map of n entries that cannot be merged, as long as text can be. */
static char *long_map(size_t n)
{
	char *text = malloc(n * 64), *p = text;

	for (size_t i = 0; i < n; i++)
		p += sprintf(p, "%s%zu:%zu:1", i ? "," : "", 2 * i, 1000 + 3 * i);
	return text;
}

/* The longest maps do not fit into one answer together. */
static void test_longest_maps(void **state)
{
	char *longest = long_map(340), *wide = malloc(170 * 64), *p = wide;

	(void)state;
	for (size_t i = 0; i < 162; i++)
		p += sprintf(p, "%s%zu:%zu:1", i ? "," : "", 1000000000 + 2 * i, 2000000000 + 3 * i);
	assert_int_equal(put(source, made("longest"), longest), 0);
	assert_int_equal(put(source, made("wide"), wide), 0);
	FOR_EACH_LEVEL(level)
	{
		struct list list = list_at(level, 0);

		assert_true(has_map(find(&list, at("longest")), level, longest));
		assert_true(has_map(find(&list, at("wide")), level, wide));
		forget(&list);
	}
	free(longest);
	free(wide);
}

/* Goes down a chain of directories that is longer than a path may be; returns the last. */
static int deep(int dirfd, const char *name, int times)
{
	for (int i = 0; i < times; i++) {
		int next;

		idm_sys_mkdirat(dirfd, name, 0755);
		next = idm_sys_openat(dirfd, name, O_PATH, 0);
		close(dirfd);
		dirfd = next;
	}
	return dirfd;
}

static void test_longest_strings(void **state)
{
	char part[251], *map = long_map(340), device[4001];
	const struct idm_mount *m = NULL;
	int root, target, tree;
	struct idm_map *parsed = map_of(map);

	(void)state;
	memset(part, 'x', sizeof(part) - 1);
	part[sizeof(part) - 1] = '\0';
	memset(device, 'd', sizeof(device) - 1);
	device[sizeof(device) - 1] = '\0';
	/* Before Linux 6.3 no tmpfs can be mapped, and elsewhere one does not choose the source. */
	if (kernel_is(6, 3))
		assert_int_equal(do_mount(device, made("device"), "tmpfs", 0, NULL), 0);
	root = deep(idm_sys_openat(AT_FDCWD, kernel_is(6, 3) ? at("device") : source, O_PATH, 0), part,
		    20);
	target = deep(idm_sys_openat(AT_FDCWD, made("target"), O_PATH, 0), part, 20);
	assert_true(root >= 0 && target >= 0);
	tree = tree_of_map(root, "", parsed);
	assert_true(tree >= 0);
	assert_int_equal(idm_sys_move_mount(tree, "", target, "",
					    MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH),
			 0);
	close(tree);
	close(root);
	close(target);
	idm_map_free(parsed);

	FOR_EACH_LEVEL(level)
	{
		struct list list = list_at(level, 0);

		m = NULL;
		for (size_t i = 0; i < list.n; i++)
			if (strlen(list.seen[i].m.target) > 5000)
				m = &list.seen[i].m;
		assert_true(has_map(m, level, map));
		assert_int_equal(strlen(m->target), strlen(at("target")) + 20 * 251);
		assert_true(strlen(m->root) >= 20 * 251 && ends_with(m->root, part));
		if (kernel_is(6, 3))
			assert_string_equal(m->source, device);
		forget(&list);
	}
	free(map);
}

static void test_odd_names(void **state)
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

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *name = names[i];

		assert_int_equal(do_mount(name, made(name), "tmpfs", 0, NULL), 0);
	}
	FOR_EACH_LEVEL(level)
	{
		struct list list = list_at(level, UNMAPPED);

		assert_int_equal(ours(&list), 1 + ARRAY_SIZE(names));
		for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
			const struct idm_mount *m = find(&list, at(names[i]));

			assert_non_null(m);
			assert_string_equal(m->source, names[i]);
			assert_string_equal(m->fstype, "tmpfs");
			assert_string_equal(m->root, "/");
			assert_int_equal(m->map_state, IDM_MAP_NONE);
			assert_null(m->map);
		}
		forget(&list);
	}
}

static void test_root_of_a_part(void **state)
{
	char part[160], file[192];

	(void)state;
	snprintf(part, sizeof(part), "%s/sub \\dir\n#", source);
	snprintf(file, sizeof(file), "%s/file", part);
	mkdir(part, 0755);
	close(open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	close(open(at("file"), O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	assert_int_equal(put(part, made("dir"), "0:5:10"), 0);
	assert_int_equal(put(file, at("file"), "0:6:10"), 0);
	FOR_EACH_LEVEL(level)
	{
		struct list list = list_at(level, 0);
		const struct idm_mount *dir = find(&list, at("dir")), *f = find(&list, at("file"));

		assert_int_equal(ours(&list), 2);
		assert_true(has_map(dir, level, "0:5:10") && has_map(f, level, "0:6:10"));
		assert_true(ends_with(dir->root, "/sub \\dir\n#"));
		assert_true(ends_with(f->root, "/sub \\dir\n#/file"));
		forget(&list);
	}
	unlink(file);
	rmdir(part);
}

static void test_empty_source(void **state)
{
	(void)state;
	assert_int_equal(do_mount("", made("empty"), "tmpfs", 0, NULL), 0);
	FOR_EACH_LEVEL(level)
	{
		struct list list = list_at(level, UNMAPPED);
		const struct idm_mount *m = find(&list, at("empty"));

		assert_non_null(m);
		assert_string_equal(m->source, "");
		assert_string_equal(m->fstype, "tmpfs");
		forget(&list);
	}
}

/* Nobody answers this filesystem, and nobody needs to. */
static void test_subtype(void **state)
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	char options[96];

	(void)state;
	if (fd < 0)
		fail_msg("/dev/fuse: %s (modprobe fuse)", strerror(errno));
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);
	assert_int_equal(do_mount("some:where", made("fuse"), "fuse.idmount test", 0, options), 0);
	FOR_EACH_LEVEL(level)
	{
		struct list list = list_at(level, UNMAPPED);
		const struct idm_mount *m = find(&list, at("fuse"));

		assert_non_null(m);
		assert_string_equal(m->fstype, "fuse.idmount test");
		assert_string_equal(m->source, "some:where");
		forget(&list);
	}
	idm_sys_umount(at("fuse"), MNT_DETACH);
	close(fd);
}

static int set_attr(const char *path, uint64_t set, uint64_t clear, uint64_t propagation_flag)
{
	struct mount_attr attr = { .attr_set = set, .attr_clr = clear, .propagation = propagation_flag };

	return idm_sys_mount_setattr(AT_FDCWD, path, 0, &attr);
}

static void test_attributes(void **state)
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

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(attrs); i++) {
		snprintf(name, sizeof(name), "a%zu", i);
		assert_int_equal(put(source, made(name), "0:1:1"), 0);
		assert_int_equal(set_attr(at(name), attrs[i], IDM_ATTR_ATIME, 0), 0);
	}
	FOR_EACH_LEVEL(level)
	{
		struct list list = list_at(level, 0);

		for (size_t i = 0; i < ARRAY_SIZE(attrs); i++) {
			snprintf(name, sizeof(name), "a%zu", i);
			assert_non_null(find(&list, at(name)));
			assert_int_equal(find(&list, at(name))->attr, attrs[i] | IDM_ATTR_IDMAP);
		}
		forget(&list);
	}
}

static void test_propagation(void **state)
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

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		assert_int_equal(put(source, made(table[i].name), "0:1:1"), 0);
		assert_int_equal(set_attr(at(table[i].name), 0, 0, table[i].flags), 0);
	}
	assert_int_equal(put(at("shared"), made("slave"), NULL), 0);
	assert_int_equal(set_attr(at("slave"), 0, 0, MS_SLAVE), 0);
	assert_int_equal(put(at("shared"), made("both"), NULL), 0);
	assert_int_equal(set_attr(at("both"), 0, 0, MS_SLAVE), 0);
	assert_int_equal(set_attr(at("both"), 0, 0, MS_SHARED), 0);
	FOR_EACH_LEVEL(level)
	{
		struct list list = list_at(level, 0);

		for (size_t i = 0; i < ARRAY_SIZE(table); i++)
			assert_int_equal(find(&list, at(table[i].name))->propagation,
					 table[i].propagation);
		assert_int_equal(find(&list, at("slave"))->propagation, IDM_PROPAGATION_SLAVE);
		assert_int_equal(find(&list, at("both"))->propagation, IDM_PROPAGATION_SHARED);
		forget(&list);
	}
}

/* ---- all mounts ---- */

/* Everything but ids and maps, which the older ways do not have. */
static void test_all_ways_agree(void **state)
{
	struct list first = { 0 };

	(void)state;
	assert_int_equal(put(source, made("one"), "0:1:1"), 0);
	assert_int_equal(put(source, made("two"), "0:2:1"), 0);
	assert_int_equal(do_mount("proc", made("proc"), "proc", MS_NOSUID | MS_NODEV, NULL), 0);
	assert_int_equal(put("/proc/self/ns/uts", "/dev/null", NULL), 0);
	FOR_EACH_LEVEL(level)
	{
		struct list list = list_at(level, UNMAPPED);

		if (level == IDM_LIST_MOUNTINFO)
			first = list;
		assert_int_equal(list.n, first.n);
		for (size_t i = 0; i < list.n; i++) {
			const struct idm_mount *a = &first.seen[i].m, *b = &list.seen[i].m;

			assert_string_equal(a->target, b->target);
			assert_string_equal(a->source, b->source);
			assert_string_equal(a->root, b->root);
			assert_string_equal(a->fstype, b->fstype);
			assert_int_equal(a->attr, b->attr);
			assert_int_equal(a->propagation, b->propagation);
			assert_int_equal(a->namespace_inode, b->namespace_inode);
			assert_int_equal(a->namespace_id, b->namespace_id);
		}
		if (level != IDM_LIST_MOUNTINFO)
			forget(&list);
	}
	forget(&first);
	idm_sys_umount("/dev/null", MNT_DETACH);
}

/* Ids, parents and the namespace, against what statx and stat say. */
static void test_ids(void **state)
{
	char below[160];
	struct stat ns;

	(void)state;
	assert_int_equal(put(source, made("outer"), "0:1:1"), 0);
	snprintf(below, sizeof(below), "%s/inner", source);
	mkdir(below, 0755);
	assert_int_equal(put(source, at("outer/inner"), "0:1:1"), 0);
	assert_int_equal(stat("/proc/self/ns/mnt", &ns), 0);
	FOR_EACH_LEVEL(level)
	{
		unsigned int mask = really(level) == IDM_LIST_MOUNTINFO ? STATX_MNT_ID
									: STATX_MNT_ID_UNIQUE;
		struct list list = list_at(level, 0);
		const struct idm_mount *outer = find(&list, at("outer"));
		const struct idm_mount *inner = find(&list, at("outer/inner"));
		struct statx st;

		assert_true(outer && inner);
		assert_int_equal(idm_sys_statx(AT_FDCWD, at("outer/inner"), 0, mask, &st), 0);
		assert_int_equal(inner->id, st.stx_mnt_id);
		assert_int_equal(inner->parent_id, outer->id);
		assert_int_equal(inner->namespace_inode, ns.st_ino);
		assert_int_equal(inner->namespace_id != 0, kernel_is(6, 12));
		forget(&list);
	}
	idm_sys_umount(at("outer"), MNT_DETACH);
	rmdir(below);
}

static void test_only_mapped_unless_asked(void **state)
{
	(void)state;
	assert_int_equal(put(source, made("mapped"), "0:1:1"), 0);
	assert_int_equal(put(source, made("plain"), NULL), 0);
	FOR_EACH_LEVEL(level)
	{
		struct list mapped = list_at(level, 0), all = list_at(level, UNMAPPED);

		assert_int_equal(ours(&mapped), 1);
		assert_int_equal(ours(&all), 3);
		assert_int_equal(find(&all, at("plain"))->map_state, IDM_MAP_NONE);
		assert_null(find(&all, at("plain"))->map);
		assert_true(has_map(find(&all, at("mapped")), level, "0:1:1"));
		forget(&mapped);
		forget(&all);
	}
}

static void test_two_thousand(void **state)
{
	char name[32], map[32];
	int tree;

	(void)state;
	for (int i = 0; i < 2000; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		snprintf(map, sizeof(map), "0:%d:1", i);
		tree = tree_of(source, i % 20 ? NULL : map);
		assert_true(tree >= 0);
		assert_int_equal(attach(tree, made(name)), 0);
	}
	FOR_EACH_LEVEL(level)
	{
		struct list all = list_at(level, UNMAPPED), mapped = list_at(level, 0);

		assert_int_equal(ours(&all), 2001);
		assert_int_equal(ours(&mapped), 100);
		for (size_t i = 0, next = 0; i < mapped.n; i++) {
			const struct idm_mount *m = &mapped.seen[i].m;

			if (strncmp(m->target, base, strlen(base)) != 0)
				continue;
			snprintf(name, sizeof(name), "n%zu", 20 * next);
			snprintf(map, sizeof(map), "0:%zu:1", 20 * next++);
			assert_string_equal(m->target, at(name)); /* in the order of mounting */
			assert_true(has_map(m, level, map));
		}
		forget(&all);
		forget(&mapped);
	}
}

/* A tree that is attached nowhere is not listed, nor is what is below it. */
static void test_detached(void **state)
{
	char inner[160];
	int tree = tree_of(source, "0:1:1"), kept;
	struct idm_error err;

	(void)state;
	assert_true(tree >= 0);
	FOR_EACH_LEVEL(level)
	{
		struct list list = list_at(level, 0);

		assert_int_equal(ours(&list), 0);
		assert_int_equal(idm_list_path_at(level, tree, "", keep, &list, &err), -ENOENT);
		assert_int_equal(err.errnum, ENOENT);
		assert_string_not_equal(err.hint, "");
		forget(&list);
	}
	snprintf(inner, sizeof(inner), "%s/inner", source);
	mkdir(inner, 0755);
	assert_int_equal(attach(tree, made("outer")), 0);
	assert_int_equal(put(source, at("outer/inner"), "0:2:1"), 0);
	kept = idm_sys_openat(AT_FDCWD, at("outer/inner"), O_PATH, 0);
	FOR_EACH_LEVEL(level)
	{
		struct list list = list_at(level, 0);

		assert_int_equal(ours(&list), 2);
		forget(&list);
	}
	assert_int_equal(idm_sys_umount(at("outer"), MNT_DETACH), 0);
	FOR_EACH_LEVEL(level)
	{
		struct list list = list_at(level, 0);

		assert_int_equal(ours(&list), 0);
		assert_int_equal(idm_list_path_at(level, kept, "", keep, &list, NULL), -ENOENT);
		forget(&list);
	}
	close(kept);
	rmdir(inner);
}

/* Mounts on a detached tree (Linux 6.15) come into sight with it. */
static void test_attached_to_a_detached_parent(void **state)
{
	char inner[160];
	int tree, upper, r;

	(void)state;
	snprintf(inner, sizeof(inner), "%s/inner", source);
	mkdir(inner, 0755);
	tree = tree_of(source, "0:1:1");
	upper = tree_of(source, "0:2:1");
	assert_true(tree >= 0 && upper >= 0);
	r = idm_sys_move_mount(upper, "", tree, "inner", MOVE_MOUNT_F_EMPTY_PATH);
	assert_int_equal(r, kernel_is(6, 15) ? 0 : -EINVAL);
	close(upper);
	FOR_EACH_LEVEL(level)
	{
		struct list list = list_at(level, 0);

		assert_int_equal(ours(&list), 0);
		forget(&list);
	}
	assert_int_equal(attach(tree, made("outer")), 0);
	FOR_EACH_LEVEL(level)
	{
		struct list list = list_at(level, 0);

		assert_true(has_map(find(&list, at("outer")), level, "0:1:1"));
		if (kernel_is(6, 15)) {
			assert_true(has_map(find(&list, at("outer/inner")), level, "0:2:1"));
			assert_int_equal(find(&list, at("outer/inner"))->parent_id,
					 find(&list, at("outer"))->id);
		}
		forget(&list);
	}
	idm_sys_umount(at("outer"), MNT_DETACH);
	rmdir(inner);
}

/* ---- the callback ---- */

static int unmount_the_next(const struct idm_mount *mount, void *data)
{
	struct calls *calls = data;

	if (strncmp(mount->target, base, strlen(base)) != 0)
		return 0;
	keep(mount, &calls->list);
	if (strcmp(mount->target, at("v1")) == 0)
		return idm_sys_umount(at("v2"), 0) + idm_sys_umount(at("v4"), 0) +
		       idm_sys_umount(mount->target, 0);
	return 0;
}

static void test_vanishing(void **state)
{
	char name[16];

	(void)state;
	FOR_EACH_LEVEL(level)
	{
		struct calls calls = { 0 };

		for (int i = 1; i <= 5; i++) {
			snprintf(name, sizeof(name), "v%d", i);
			assert_int_equal(put(source, made(name), "0:1:1"), 0);
		}
		assert_int_equal(idm_list_at(level, 0, unmount_the_next, &calls, NULL), 0);
		assert_int_equal(calls.list.n, 3);
		assert_true(has_map(find(&calls.list, at("v1")), level, "0:1:1"));
		assert_true(has_map(find(&calls.list, at("v3")), level, "0:1:1"));
		assert_true(has_map(find(&calls.list, at("v5")), level, "0:1:1"));
		forget(&calls.list);
		assert_int_equal(idm_sys_umount(at("v3"), 0) + idm_sys_umount(at("v5"), 0), 0);
	}
}

/* The short id of what has gone is given to what comes: nothing of the one must be told of the other. */
static int exchange(const struct idm_mount *mount, void *data)
{
	struct calls *calls = data;

	if (strncmp(mount->target, base, strlen(base)) != 0)
		return 0;
	keep(mount, &calls->list);
	if (strcmp(mount->target, at("x1")) != 0)
		return 0;
	return idm_sys_umount(at("x2"), 0) ||
	       do_mount("new", made("other"), "tmpfs", MS_NOSUID | MS_NOEXEC, NULL);
}

static void test_ids_that_return(void **state)
{
	(void)state;
	FOR_EACH_LEVEL(level)
	{
		struct calls calls = { 0 };
		const struct idm_mount *other;

		assert_int_equal(do_mount("one", made("x1"), "tmpfs", 0, NULL), 0);
		assert_int_equal(do_mount("two", made("x2"), "tmpfs", 0, NULL), 0);
		assert_int_equal(do_mount("three", made("x3"), "tmpfs", 0, NULL), 0);
		assert_int_equal(idm_list_at(level, UNMAPPED, exchange, &calls, NULL), 0);
		assert_null(find(&calls.list, at("x2")));
		assert_string_equal(find(&calls.list, at("x1"))->source, "one");
		assert_string_equal(find(&calls.list, at("x3"))->source, "three");
		other = find(&calls.list, at("other")); /* it may be told, but then as what it is */
		if (other) {
			assert_string_equal(other->source, "new");
			assert_int_equal(other->attr, IDM_ATTR_NOSUID | IDM_ATTR_NOEXEC);
		}
		forget(&calls.list);
		assert_int_equal(idm_sys_umount(at("x1"), 0) + idm_sys_umount(at("x3"), 0) +
					 idm_sys_umount(at("other"), 0),
				 0);
	}
}

/*
 * Mounts and unmounts until it is killed, one mount in the place of another that gives it its short id.
 * The source of each says where it is.
 */
static int churn(void)
{
	char name[24], next[24];

	go_anywhere();
	for (unsigned int i = 0;; i++) {
		snprintf(name, sizeof(name), "churn/t%u", i % 41);
		snprintf(next, sizeof(next), "churn/t%u", (i + 1) % 41);
		idm_sys_umount(at(next), 0);
		CHECK(do_mount(at(name), made(name), "tmpfs", i % 41 & 1 ? MS_NOEXEC : 0, NULL) == 0);
	}
}

static int one_and_the_same(const struct idm_mount *mount, void *data)
{
	struct calls *calls = data;
	const char *number;

	if (strncmp(mount->target, at("churn/t"), strlen(at("churn/t"))) != 0)
		return 0;
	calls->n++;
	number = mount->target + strlen(at("churn/t"));
	return strcmp(mount->source, mount->target) != 0 || strcmp(mount->fstype, "tmpfs") != 0 ||
	       !(mount->attr & IDM_ATTR_NOEXEC) != !(atoi(number) & 1);
}

/* While others mount and unmount, what is told of a mount belongs to that mount. */
static void test_among_others(void **state)
{
	pid_t pid;

	(void)state;
	made("churn");
	pid = start(churn);
	assert_true(pid > 0);
	FOR_EACH_LEVEL(level)
	{
		struct calls calls = { 0 };
		struct idm_error err = { 0 };

		for (int i = 0; i < 200 || !calls.n; i++) {
			assert_int_equal(idm_list_at(level, UNMAPPED, one_and_the_same, &calls, &err),
					 0);
			assert_int_equal(err.errnum, 0);
		}
	}
	kill(pid, SIGKILL);
	assert_int_equal(wait_for(pid), 200);
}

static void test_answer_ends_it(void **state)
{
	static const int answers[] = {
		1, 77, -1, -ENOENT, -EOVERFLOW, -ENOSYS, -ENOTTY, -EPERM, -ENOMEM
	};

	(void)state;
	assert_int_equal(put(source, made("a"), "0:1:1"), 0);
	assert_int_equal(put(source, made("b"), "0:1:1"), 0);
	assert_int_equal(put(source, made("c"), "0:1:1"), 0);
	FOR_EACH_LEVEL(level)
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		struct calls calls = { .answer = answers[i] };
		struct idm_error err = { .errnum = 4711 };

		assert_int_equal(idm_list_at(level, 0, answer, &calls, &err), answers[i]);
		assert_int_equal(calls.n, 2);
		assert_int_equal(err.errnum, 4711);
		calls.n = 1;
		assert_int_equal(idm_list_path_at(level, AT_FDCWD, at("b"), answer, &calls, &err),
				 answers[i]);
		assert_int_equal(calls.n, 2);
		assert_int_equal(err.errnum, 4711);
	}
}

static int mount_more(const struct idm_mount *mount, void *data)
{
	struct calls *calls = data;
	char name[32];

	(void)mount;
	snprintf(name, sizeof(name), "more%d", calls->n);
	return ++calls->n > 200 ? 0 : put(source, made(name), "0:1:1");
}

static void test_mounting_meanwhile(void **state)
{
	(void)state;
	assert_int_equal(put(source, made("seed"), "0:1:1"), 0);
	FOR_EACH_LEVEL(level)
	{
		struct calls calls = { .n = 0 };

		assert_int_equal(idm_list_at(level, 0, mount_more, &calls, NULL), 0);
		assert_true(calls.n > 0);
	}
}

static void test_wrong_flags(void **state)
{
	struct calls calls = { 0 };
	struct idm_error err;

	(void)state;
	FOR_EACH_LEVEL(level)
	for (unsigned int flags = 4; flags; flags <<= 1) {
		assert_int_equal(idm_list_at(level, flags | 1, answer, &calls, &err), -EINVAL);
		assert_int_equal(err.errnum, EINVAL);
		assert_non_null(strstr(err.message, "flags"));
		assert_int_equal(idm_list_at(level, flags, answer, &calls, NULL), -EINVAL);
	}
	assert_int_equal(calls.n, 0);
}

/* ---- by path ---- */

static void test_path(void **state)
{
	char deeper[160], file[160];
	int below, fd;

	(void)state;
	snprintf(deeper, sizeof(deeper), "%s/deeper", source);
	mkdir(deeper, 0755);
	snprintf(file, sizeof(file), "%s/file", source);
	close(open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_int_equal(put(source, made("m"), "0:1:1"), 0);
	assert_int_equal(symlink("m/deeper", at("link")), 0);
	below = idm_sys_openat(AT_FDCWD, at("m"), O_PATH, 0);
	assert_int_equal(put(source, at("m"), "0:2:1"), 0); /* over it */
	fd = idm_sys_openat(AT_FDCWD, at("m"), O_RDONLY, 0);
	FOR_EACH_LEVEL(level)
	{
		assert_true(path_is(level, AT_FDCWD, at("m"), at("m"), "0:2:1"));
		assert_true(path_is(level, AT_FDCWD, at("m/deeper"), at("m"), "0:2:1"));
		assert_true(path_is(level, AT_FDCWD, at("m/file"), at("m"), "0:2:1"));
		assert_true(path_is(level, AT_FDCWD, at("link"), at("m"), "0:2:1"));
		assert_true(path_is(level, fd, "", at("m"), "0:2:1"));
		assert_true(path_is(level, fd, "deeper", at("m"), "0:2:1"));
		assert_true(path_is(level, below, "", at("m"), "0:1:1"));
		assert_true(path_is(level, below, "deeper", at("m"), "0:1:1"));
		assert_true(path_is(level, AT_FDCWD, base, base, NULL));
		assert_int_equal(chdir(at("m/deeper")), 0);
		assert_true(path_is(level, AT_FDCWD, "", at("m"), "0:2:1"));
		assert_true(path_is(level, AT_FDCWD, ".", at("m"), "0:2:1"));
		assert_int_equal(chdir("/"), 0);
	}
	close(below);
	close(fd);
	unlink(file);
	rmdir(deeper);
}

static void test_path_errors(void **state)
{
	struct calls calls = { 0 };
	struct idm_error err;

	(void)state;
	symlink("loop", at("loop"));
	FOR_EACH_LEVEL(level)
	{
		assert_int_equal(idm_list_path_at(level, AT_FDCWD, at("none"), answer, &calls, &err),
				 -ENOENT);
		assert_string_equal(err.subject, at("none"));
		assert_int_equal(idm_list_path_at(level, AT_FDCWD, at("loop"), answer, &calls, &err),
				 -ELOOP);
		assert_int_equal(idm_list_path_at(level, 1 << 20, "", answer, &calls, &err), -EBADF);
		assert_int_equal(idm_list_path_at(level, 1 << 20, "x", answer, &calls, &err), -EBADF);
	}
	assert_int_equal(calls.n, 0);
}

static int unmount_it(const struct idm_mount *mount, void *data)
{
	(void)data;
	return idm_sys_umount(mount->target, 0);
}

/* No descriptor is held on the mount while the callback runs: it is not busy. */
static void test_path_can_be_unmounted(void **state)
{
	(void)state;
	FOR_EACH_LEVEL(level)
	{
		assert_int_equal(put(source, made("m"), "0:1:1"), 0);
		assert_int_equal(idm_list_path_at(level, AT_FDCWD, at("m"), unmount_it, NULL, NULL), 0);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh_base, nothing_left)
	const struct CMUnitTest tests[] = {
		TEST(test_maps_read_back),
		TEST(test_longest_maps),
		TEST(test_longest_strings),
		TEST(test_odd_names),
		TEST(test_root_of_a_part),
		TEST(test_empty_source),
		TEST(test_subtype),
		TEST(test_attributes),
		TEST(test_propagation),
		TEST(test_all_ways_agree),
		TEST(test_ids),
		TEST(test_only_mapped_unless_asked),
		TEST(test_two_thousand),
		TEST(test_detached),
		TEST(test_attached_to_a_detached_parent),
		TEST(test_vanishing),
		TEST(test_ids_that_return),
		TEST(test_among_others),
		TEST(test_answer_ends_it),
		TEST(test_mounting_meanwhile),
		TEST(test_wrong_flags),
		TEST(test_path),
		TEST(test_path_errors),
		TEST(test_path_can_be_unmounted),
	};
	int r = begin();

	if (r)
		return r;
	r = cmocka_run_group_tests(tests, NULL, NULL);
	end();
	return r;
}

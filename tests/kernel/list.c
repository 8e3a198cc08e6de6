// SPDX-License-Identifier: MIT
/*
 * The listing: whatever is mounted is told, whole and as it is, by every way the kernel has of telling
 * it. Needs root. All mounts are made in a mount namespace of the test's own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/kernel.h"
#include "lib/list.h"
#include "lib/util.h"

#define ALL IDM_LIST_ALL_NAMESPACES
#define UNMAPPED IDM_LIST_UNMAPPED

static char base[64]; /* every test's own tmpfs */
static char
	source[96]; /* a directory that can be ID-mapped: below base or, before Linux 6.3, not tmpfs */
static char own_source[96];
static int fds_before;

/* ---- helpers: checks that also work in a child, where cmocka's would run on in the next test ---- */

#define CHECK(condition)                                                                          \
	do {                                                                                      \
		if (!(condition)) {                                                               \
			fprintf(stderr, "%s:%d: %s (errno %d)\n", __FILE__, __LINE__, #condition, \
				errno);                                                           \
			return 1;                                                                 \
		}                                                                                 \
	} while (0)

static bool kernel_is(int major, int minor)
{
	struct utsname name;
	int a = 0, b = 0;

	uname(&name);
	sscanf(name.release, "%d.%d", &a, &b);
	return a > major || (a == major && b >= minor);
}

/* The newest level that this kernel really has. */
static enum idm_list_level newest(void)
{
	return kernel_is(6, 13)	  ? IDM_LIST_NEWEST
	       : kernel_is(6, 12) ? IDM_LIST_NAMESPACES
	       : kernel_is(6, 8)  ? IDM_LIST_STATMOUNT
				  : IDM_LIST_MOUNTINFO;
}

static int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	while (dir && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	return n;
}

static int do_mount(const char *what, const char *where, const char *type, unsigned long flags,
		    const char *data)
{
	return (int)syscall(SYS_mount, what, where, type, flags, data);
}

static const char *at(const char *name)
{
	static char paths[8][4096];
	static unsigned int next;
	char *path = paths[next++ % ARRAY_SIZE(paths)];

	snprintf(path, sizeof(paths[0]), "%s/%s", base, name);
	return path;
}

static const char *made(const char *name)
{
	const char *path = at(name);

	mkdir(path, 0755);
	return path;
}

static struct idm_map *map_of(const char *text)
{
	struct idm_map *map;
	struct idm_error err;

	if (idm_map_new(&map) < 0 || idm_map_parse(map, text, 0, &err) < 0)
		abort();
	return map;
}

/* A detached copy of what is at path, mapped unless map is NULL. */
static int tree_of_map(int dirfd, const char *path, const struct idm_map *map)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP };
	int userns = map ? idm_userns_open(map, 0, NULL) : -1;
	int tree = idm_sys_open_tree(dirfd, path, OPEN_TREE_CLONE | AT_EMPTY_PATH);

	attr.userns_fd = (uint64_t)userns;
	if (tree >= 0 && map &&
	    (userns < 0 || idm_sys_mount_setattr(tree, "", AT_EMPTY_PATH, &attr) < 0)) {
		close(tree);
		tree = -1;
	}
	if (userns >= 0)
		close(userns);
	return tree;
}

static int tree_of(const char *path, const char *text)
{
	struct idm_map *map = text ? map_of(text) : NULL;
	int tree = tree_of_map(AT_FDCWD, path, map);

	idm_map_free(map);
	return tree;
}

static int attach(int tree, const char *target)
{
	int r = idm_sys_move_mount(tree, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH);

	close(tree);
	return r;
}

/* Mounts `what` at `target` with the map. */
static int put(const char *what, const char *target, const char *text)
{
	int tree = tree_of(what, text);

	return tree < 0 ? tree : attach(tree, target);
}

/* ---- helpers: what was listed ---- */

struct seen {
	struct idm_mount m; /* with strings and a map of its own */
};

struct list {
	struct seen *seen;
	size_t n;
};

static int keep(const struct idm_mount *mount, void *data)
{
	struct list *list = data;
	struct seen *s;

	list->seen = reallocarray(list->seen, list->n + 1, sizeof(*list->seen));
	if (!list->seen)
		abort();
	s = &list->seen[list->n++];
	s->m = *mount;
	s->m.target = strdup(mount->target);
	s->m.source = strdup(mount->source);
	s->m.root = strdup(mount->root);
	s->m.fstype = strdup(mount->fstype);
	if (mount->map && idm_map_copy(mount->map, (struct idm_map **)&s->m.map) < 0)
		abort();
	return 0;
}

static void forget(struct list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		struct idm_mount *m = &list->seen[i].m;

		free((char *)m->target);
		free((char *)m->source);
		free((char *)m->root);
		free((char *)m->fstype);
		idm_map_free((struct idm_map *)m->map);
	}
	free(list->seen);
	*list = (struct list){ 0 };
}

static struct list list_at(enum idm_list_level level, unsigned int flags)
{
	struct list list = { 0 };
	struct idm_error err;
	int r = idm_list_at(level, flags, keep, &list, &err);

	if (r) {
		fprintf(stderr, "idm_list: %d %s\n", r, err.message);
		forget(&list);
		list.n = (size_t)-1; /* no test expects as many */
	}
	return list;
}

static const struct idm_mount *find(const struct list *list, const char *target)
{
	for (size_t i = 0; list->n != (size_t)-1 && i < list->n; i++)
		if (strcmp(list->seen[i].m.target, target) == 0)
			return &list->seen[i].m;
	return NULL;
}

/* How many are below base, the test's own. */
static size_t ours(const struct list *list)
{
	size_t n = 0;

	for (size_t i = 0; list->n != (size_t)-1 && i < list->n; i++)
		n += strncmp(list->seen[i].m.target, base, strlen(base)) == 0;
	return n;
}

static bool ends_with(const char *s, const char *end)
{
	return strlen(s) >= strlen(end) && strcmp(s + strlen(s) - strlen(end), end) == 0;
}

/* Whether the mount has this map, or that it has one where the kernel does not tell. */
static bool has_map(const struct idm_mount *m, enum idm_list_level level, const char *text)
{
	struct idm_map *map;
	bool same;

	if (!m || !(m->attr & IDM_ATTR_IDMAP))
		return false;
	if (level < IDM_LIST_NEWEST || !kernel_is(6, 15))
		return m->map_state == IDM_MAP_UNREADABLE && !m->map;
	map = map_of(text);
	same = m->map_state == IDM_MAP_READ && idm_map_equal(m->map, map);
	idm_map_free(map);
	return same;
}

#define FOR_EACH_LEVEL(level) \
	for (enum idm_list_level level = IDM_LIST_MOUNTINFO; level <= newest(); level++)

/* ---- helpers: children ---- */

static int wait_for(pid_t pid)
{
	int status = -1;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 200;
}

static pid_t start(int (*run)(void))
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(run());
	}
	return pid;
}

static int in_child(int (*run)(void))
{
	pid_t pid = start(run);

	return pid < 0 ? 201 : wait_for(pid);
}

static int private_mounts(void)
{
	CHECK(unshare(CLONE_NEWNS) == 0);
	CHECK(do_mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	return 0;
}

/*
 * In a PID namespace of its own, with its own /proc: what is found there does not depend on the machine.
 * All that is left behind in it ends with it.
 */
static int (*isolated)(void);

static int with_own_proc(void)
{
	CHECK(private_mounts() == 0);
	CHECK(do_mount("proc", "/proc", "proc", 0, NULL) == 0);
	return isolated();
}

static int in_pid_namespace(void)
{
	CHECK(unshare(CLONE_NEWPID) == 0);
	return in_child(with_own_proc);
}

static int in_isolation(int (*run)(void))
{
	isolated = run;
	return in_child(in_pid_namespace);
}

/* A child that runs `prepare` and then waits; it is ended by close(*hold). */
static pid_t start_holder(int (*prepare)(void), int *hold)
{
	int ready[2], held[2];
	char c = 1;
	pid_t pid;

	if (pipe2(ready, O_CLOEXEC) < 0 || pipe2(held, O_CLOEXEC) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(held[1]);
		close(ready[0]);
		c = (char)prepare();
		if (write(ready[1], &c, 1) != 1 || read(held[0], &c, 1) < 0)
			_exit(1);
		_exit(0);
	}
	close(held[0]);
	close(ready[1]);
	if (read(ready[0], &c, 1) != 1 || c != 0)
		c = 1;
	close(ready[0]);
	*hold = held[1];
	return c ? -1 : pid;
}

/* ---- set-up ---- */

static bool can_be_mapped(const char *path)
{
	int tree = tree_of(path, "0:0:1000");

	if (tree >= 0)
		close(tree);
	return tree >= 0;
}

static int fresh_base(void **state)
{
	(void)state;
	fds_before = count_fds();
	assert_int_equal(do_mount("base", base, "tmpfs", 0, "mode=755"), 0);
	snprintf(source, sizeof(source), "%s/source", base);
	mkdir(source, 0755);
	if (!can_be_mapped(source))
		snprintf(source, sizeof(source), "%s", own_source);
	assert_true(can_be_mapped(source));
	mkdir(made("source"), 0755);
	return 0;
}

static int nothing_left(void **state)
{
	(void)state;
	assert_int_equal(idm_sys_umount(base, MNT_DETACH), 0);
	assert_int_equal(waitpid(-1, NULL, __WALL), -1); /* no child, dead or alive */
	assert_int_equal(errno, ECHILD);
	assert_int_equal(count_fds(), fds_before);
	return 0;
}

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
		unsigned int mask = level == IDM_LIST_MOUNTINFO ? STATX_MNT_ID : STATX_MNT_ID_UNIQUE;
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

struct calls {
	int n, answer;
	struct list list;
};

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

static int answer(const struct idm_mount *mount, void *data)
{
	struct calls *calls = data;

	(void)mount;
	return ++calls->n == 2 ? calls->answer : 0;
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

static int path_is(enum idm_list_level level, int dirfd, const char *path, const char *target,
		   const char *map)
{
	struct list list = { 0 };
	struct idm_error err = { 0 };
	int r = idm_list_path_at(level, dirfd, path, keep, &list, &err);
	bool right = r == 0 && list.n == 1 && strcmp(list.seen[0].m.target, target) == 0 &&
		     (map ? has_map(&list.seen[0].m, level, map)
			  : list.seen[0].m.map_state == IDM_MAP_NONE);

	if (!right)
		fprintf(stderr, "%d %s: %s\n", r, err.message, list.n ? list.seen[0].m.target : "");
	forget(&list);
	return right;
}

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

/* ---- seen from elsewhere ---- */

static int chrooted(void)
{
	CHECK(chroot(at("jail")) == 0 && chdir("/") == 0);
	FOR_EACH_LEVEL(level)
	{
		struct list list = list_at(level, UNMAPPED);

		CHECK(list.n == 3); /* the root, /m and /proc */
		CHECK(has_map(find(&list, "/m"), level, "0:1:1"));
		CHECK(find(&list, "/"));
		forget(&list);
	}
	return 0;
}

static void test_in_a_chroot(void **state)
{
	(void)state;
	assert_int_equal(do_mount("jail", made("jail"), "tmpfs", 0, NULL), 0);
	assert_int_equal(put(source, made("jail/m"), "0:1:1"), 0);
	assert_int_equal(do_mount("proc", made("jail/proc"), "proc", 0, NULL), 0);
	assert_int_equal(in_child(chrooted), 0);
}

/* A private procfs takes the place of a /proc that is none. */
static int without_proc(void)
{
	CHECK(private_mounts() == 0);
	CHECK(do_mount("none", "/proc", "tmpfs", 0, NULL) == 0);
	FOR_EACH_LEVEL(level)
	{
		struct list list = list_at(level, 0);

		CHECK(has_map(find(&list, at("m")), level, "0:1:1"));
		CHECK(find(&list, at("m"))->namespace_inode);
		forget(&list);
	}
	return 0;
}

static void test_without_proc(void **state)
{
	(void)state;
	assert_int_equal(put(source, made("m"), "0:1:1"), 0);
	assert_int_equal(in_child(without_proc), 0);
}

/* The namespace of the thread, which need not be that of the process. */
static void *list_in_thread(void *data)
{
	FOR_EACH_LEVEL(level)
	{
		struct list list = { 0 };
		struct stat st;

		if (level == IDM_LIST_MOUNTINFO &&
		    (private_mounts() || idm_sys_umount(at("m"), MNT_DETACH) < 0 ||
		     put(source, made("other"), "0:2:1") < 0))
			return data;
		list = list_at(level, 0);
		if (find(&list, at("m")) || !has_map(find(&list, at("other")), level, "0:2:1") ||
		    stat("/proc/thread-self/ns/mnt", &st) < 0 ||
		    find(&list, at("other"))->namespace_inode != st.st_ino)
			return data;
		forget(&list);
	}
	return NULL;
}

static void test_in_a_thread(void **state)
{
	pthread_t thread;
	void *failed;

	(void)state;
	assert_int_equal(put(source, made("m"), "0:1:1"), 0);
	assert_int_equal(pthread_create(&thread, NULL, list_in_thread, source), 0);
	pthread_join(thread, &failed);
	assert_null(failed);
	FOR_EACH_LEVEL(level)
	{
		struct list list = list_at(level, 0);

		assert_true(has_map(find(&list, at("m")), level, "0:1:1"));
		assert_null(find(&list, at("other")));
		forget(&list);
	}
}

/* ---- user namespaces ---- */

static const char *userns_maps; /* of both sides, as idm_map_parse() reads it */
static int (*in_userns)(void);

static int enter_userns(void)
{
	struct idm_map *map = map_of(userns_maps);
	int fd = idm_userns_open(map, 0, NULL);

	idm_map_free(map);
	CHECK(fd >= 0);
	CHECK(setns(fd, CLONE_NEWUSER) == 0);
	close(fd);
	return in_userns();
}

static int with_userns(const char *maps, int (*run)(void))
{
	userns_maps = maps;
	in_userns = run;
	return in_child(enter_userns);
}

static int check_visible(const struct list *list, const char *name, enum idm_map_state state,
			 const char *text)
{
	const struct idm_mount *m = find(list, at(name));
	struct idm_map *map;

	CHECK(m && m->attr & IDM_ATTR_IDMAP);
	if (!kernel_is(6, 15)) {
		CHECK(m->map_state == IDM_MAP_UNREADABLE && !m->map);
		return 0;
	}
	CHECK(m->map_state == state);
	CHECK(!text == !m->map);
	if (!text)
		return 0;
	map = map_of(text);
	CHECK(idm_map_equal(m->map, map));
	idm_map_free(map);
	return 0;
}

static int seen_from_a_part(void)
{
	struct list list = list_at(IDM_LIST_NEWEST, 0);
	struct calls calls = { 0 };
	struct idm_error err;

	CHECK(ours(&list) == 6);
	/* The kernel does not tell that nothing is missing, so that is not said. */
	CHECK(check_visible(&list, "inside", IDM_MAP_PARTLY, "0:0:65536") == 0);
	CHECK(check_visible(&list, "outside", IDM_MAP_INVISIBLE, NULL) == 0);
	CHECK(check_visible(&list, "over the edge", IDM_MAP_INVISIBLE, NULL) == 0);
	CHECK(check_visible(&list, "uid only", IDM_MAP_PARTLY, "u:0:5:10") == 0);
	CHECK(check_visible(&list, "gid only", IDM_MAP_PARTLY, "g:0:5:10") == 0);
	CHECK(check_visible(&list, "some", IDM_MAP_PARTLY, "0:7:1") == 0);
	forget(&list);
	CHECK(idm_list_at(newest(), ALL, answer, &calls, &err) == -EPERM);
	CHECK(idm_list_at(IDM_LIST_MOUNTINFO, ALL, answer, &calls, &err) == -EPERM);
	CHECK(err.errnum == EPERM && err.hint[0] && calls.n == 0);
	return 0;
}

static int seen_from_everywhere(void)
{
	struct list list = list_at(IDM_LIST_NEWEST, 0);
	struct calls calls = { 0 };

	CHECK(ours(&list) == 6);
	CHECK(check_visible(&list, "inside", IDM_MAP_READ, "0:100000:65536") == 0);
	CHECK(check_visible(&list, "outside", IDM_MAP_READ, "0:500000:10") == 0);
	CHECK(check_visible(&list, "some", IDM_MAP_READ, "0:100007:1,1:5:1") == 0);
	forget(&list);
	/* It has all ids, but is not the initial user namespace. */
	CHECK(idm_list_at(newest(), ALL, answer, &calls, NULL) == -EPERM);
	return 0;
}

static int seen_in_many_ranges(void)
{
	struct list list = list_at(IDM_LIST_NEWEST, 0);

	/* Every id is there, but an entry across the border of two is left out all the same. */
	CHECK(check_visible(&list, "inside", IDM_MAP_INVISIBLE, NULL) == 0);
	CHECK(check_visible(&list, "outside", IDM_MAP_PARTLY, "0:500000:10") == 0);
	forget(&list);
	return 0;
}

static void test_seen_from_user_namespaces(void **state)
{
	(void)state;
	assert_int_equal(put(source, made("inside"), "0:100000:65536"), 0);
	assert_int_equal(put(source, made("outside"), "0:500000:10"), 0);
	assert_int_equal(put(source, made("over the edge"), "0:165530:10"), 0);
	assert_int_equal(put(source, made("uid only"), "u:0:100005:10,g:0:5:10"), 0);
	assert_int_equal(put(source, made("gid only"), "u:0:5:10,g:0:100005:10"), 0);
	assert_int_equal(put(source, made("some"), "0:100007:1,1:5:1"), 0);
	assert_int_equal(with_userns("0:100000:65536", seen_from_a_part), 0);
	assert_int_equal(with_userns("0:0:4294967295", seen_from_everywhere), 0);
	assert_int_equal(
		with_userns(
			"0:0:120000,120000:200000:80000,200000:120000:80000,280000:280000:4294687015",
			seen_in_many_ranges),
		0);
}

/* ---- other mount namespaces ---- */

static int own_mount(void)
{
	CHECK(private_mounts() == 0);
	CHECK(put(source, made("theirs"), "0:3:1") == 0);
	return 0;
}

/* A namespace that only a descriptor holds. */
static int orphan_namespace(void)
{
	char path[64];
	int hold, fd;
	pid_t pid = start_holder(own_mount, &hold);

	if (pid < 0)
		return -1;
	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	close(hold);
	return wait_for(pid) == 0 ? fd : -1;
}

static const struct idm_mount *find_in(const struct list *list, const char *target, uint64_t inode)
{
	for (size_t i = 0; list->n != (size_t)-1 && i < list->n; i++)
		if (strcmp(list->seen[i].m.target, target) == 0 &&
		    list->seen[i].m.namespace_inode == inode)
			return &list->seen[i].m;
	return NULL;
}

/* Whether the caller's namespace comes first and every namespace is in one piece. */
static bool in_order(const struct list *list)
{
	struct stat own;

	if (stat("/proc/thread-self/ns/mnt", &own) < 0 || list->n == (size_t)-1)
		return false;
	for (size_t i = 0; i < list->n; i++) {
		uint64_t inode = list->seen[i].m.namespace_inode;

		if (!inode || (i == 0 && inode != own.st_ino))
			return false;
		for (size_t j = i + 1; j < list->n; j++)
			if (list->seen[j].m.namespace_inode == inode &&
			    list->seen[j - 1].m.namespace_inode != inode)
				return false;
	}
	return true;
}

static int check_namespaces(enum idm_list_level level)
{
	char path[64];
	struct stat held, orphan;
	struct list list;
	int hold, fd;
	pid_t pid;

	CHECK(put(source, made("mine"), "0:1:1") == 0);
	pid = start_holder(own_mount, &hold);
	CHECK(pid > 0);
	fd = orphan_namespace();
	CHECK(fd >= 0);
	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)pid);
	CHECK(stat(path, &held) == 0 && fstat(fd, &orphan) == 0);

	list = list_at(level, ALL);
	CHECK(in_order(&list));
	CHECK(has_map(find_in(&list, at("theirs"), held.st_ino), level, "0:3:1"));
	CHECK(has_map(find_in(&list, at("theirs"), orphan.st_ino), level, "0:3:1"));
	CHECK(has_map(find_in(&list, at("mine"), held.st_ino), level, "0:1:1"));
	CHECK(has_map(&list.seen[0].m, level, "0:1:1"));
	for (size_t i = 0; i < list.n; i++)
		CHECK((list.seen[i].m.namespace_id != 0) == (level >= IDM_LIST_NAMESPACES) ||
		      list.seen[i].m.namespace_inode == list.seen[0].m.namespace_inode);
	forget(&list);

	/* Without its mounts, the namespace is gone from the list when its last holder is. */
	close(fd);
	list = list_at(level, ALL | UNMAPPED);
	CHECK(in_order(&list));
	CHECK(find_in(&list, at("theirs"), held.st_ino));
	CHECK(!find_in(&list, at("theirs"), orphan.st_ino));
	CHECK(strcmp(find_in(&list, base, held.st_ino)->source, "base") == 0);
	forget(&list);
	close(hold);
	CHECK(wait_for(pid) == 0);
	CHECK(idm_sys_umount(at("mine"), 0) == 0);
	return 0;
}

static int check_older_ways(void)
{
	CHECK(check_namespaces(IDM_LIST_MOUNTINFO) == 0);
	if (newest() >= IDM_LIST_STATMOUNT)
		CHECK(check_namespaces(IDM_LIST_STATMOUNT) == 0);
	return 0;
}

static void test_other_namespaces(void **state)
{
	(void)state;
	assert_int_equal(in_isolation(check_older_ways), 0);
	if (newest() >= IDM_LIST_NAMESPACES)
		assert_int_equal(check_namespaces(IDM_LIST_NAMESPACES), 0);
	if (newest() >= IDM_LIST_NEWEST)
		assert_int_equal(check_namespaces(IDM_LIST_NEWEST), 0);
}

/* Held by a bind mount alone: no process shows it, the ioctl finds it. */
static void test_namespace_in_a_file(void **state)
{
	struct stat st;
	char path[64];
	int fd = orphan_namespace();

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	close(open(at("ns"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	assert_int_equal(do_mount(path, at("ns"), NULL, MS_BIND, NULL), 0);
	close(fd);
	for (enum idm_list_level level = IDM_LIST_NAMESPACES; level <= newest(); level++) {
		struct list list = list_at(level, ALL);

		assert_true(has_map(find_in(&list, at("theirs"), st.st_ino), level, "0:3:1"));
		forget(&list);
	}
	assert_int_equal(idm_sys_umount(at("ns"), 0), 0);
	for (enum idm_list_level level = IDM_LIST_NAMESPACES; level <= newest(); level++) {
		struct list list = list_at(level, ALL);

		assert_null(find_in(&list, at("theirs"), st.st_ino));
		forget(&list);
	}
}

/* A thread that has a mount namespace of its own. */
static void *thread_main(void *data)
{
	int *pipes = data;
	char c = (char)own_mount();

	if (write(pipes[1], &c, 1) != 1 || read(pipes[2], &c, 1) < 0)
		return data;
	return NULL;
}

static int check_thread(void)
{
	int pipes[4];
	pthread_t thread;
	char c = 1;

	CHECK(pipe2(pipes, O_CLOEXEC) == 0 && pipe2(pipes + 2, O_CLOEXEC) == 0);
	CHECK(pthread_create(&thread, NULL, thread_main, pipes) == 0);
	CHECK(read(pipes[0], &c, 1) == 1 && c == 0);
	for (enum idm_list_level level = IDM_LIST_MOUNTINFO; level <= newest(); level++) {
		struct list list;

		if (level >= IDM_LIST_NAMESPACES)
			break;
		list = list_at(level, ALL);
		CHECK(has_map(find(&list, at("theirs")), level, "0:3:1"));
		forget(&list);
	}
	close(pipes[3]);
	pthread_join(thread, NULL);
	return 0;
}

static void test_namespace_of_a_thread(void **state)
{
	(void)state;
	assert_int_equal(in_isolation(check_thread), 0);
}

/* A chrooted process does not hide what is mounted elsewhere in its namespace. */
static int own_mount_and_chroot(void)
{
	CHECK(own_mount() == 0);
	CHECK(chroot(made("jail")) == 0 && chdir("/") == 0);
	return 0;
}

static int check_jail(void)
{
	int hold;
	pid_t pid = start_holder(own_mount_and_chroot, &hold);

	CHECK(pid > 0);
	for (enum idm_list_level level = IDM_LIST_MOUNTINFO;
	     level <= newest() && level < IDM_LIST_NAMESPACES; level++) {
		struct list list = list_at(level, ALL);

		CHECK(has_map(find(&list, at("theirs")), level, "0:3:1"));
		forget(&list);
	}
	close(hold);
	CHECK(wait_for(pid) == 0);
	return 0;
}

static void test_namespace_of_a_jail(void **state)
{
	(void)state;
	assert_int_equal(in_isolation(check_jail), 0);
}

/* A descriptor can lead to a mount in another namespace. */
static void test_path_in_another_namespace(void **state)
{
	char path[4200];
	int hold;
	pid_t pid = start_holder(own_mount, &hold);

	(void)state;
	assert_true(pid > 0);
	snprintf(path, sizeof(path), "/proc/%d/root%s", (int)pid, at("theirs"));
	FOR_EACH_LEVEL(level)
	{
		struct list list = { 0 };
		struct idm_error err;

		if (level >= IDM_LIST_NAMESPACES) {
			assert_true(path_is(level, AT_FDCWD, path, at("theirs"), "0:3:1"));
			continue;
		}
		assert_int_equal(idm_list_path_at(level, AT_FDCWD, path, keep, &list, &err), -ENOENT);
		assert_non_null(strstr(err.hint, "another mount namespace"));
	}
	close(hold);
	assert_int_equal(wait_for(pid), 0);
}

static int end_holder_then_count(const struct idm_mount *mount, void *data)
{
	struct calls *calls = data;

	(void)mount;
	if (calls->answer >= 0) {
		close(calls->answer);
		calls->answer = -1;
		if (wait_for(calls->n) != 0)
			return -1;
		calls->n = 0;
		return 0;
	}
	calls->n += strcmp(mount->target, at("theirs")) == 0;
	return 0;
}

/* A namespace that ends while another is listed is passed over, not an error. */
static void test_namespace_vanishes(void **state)
{
	(void)state;
	assert_int_equal(put(source, made("mine"), "0:1:1"), 0);
	for (enum idm_list_level level = IDM_LIST_NAMESPACES; level <= newest(); level++) {
		struct calls calls = { 0 };
		struct idm_error err = { 0 };

		calls.n = start_holder(own_mount, &calls.answer);
		assert_true(calls.n > 0);
		assert_int_equal(idm_list_at(level, ALL, end_holder_then_count, &calls, &err), 0);
		assert_int_equal(calls.n, 0);
	}
}

static int drop_privilege(void)
{
	struct idm_error err;
	struct calls calls = { 0 };

	CHECK(setresuid(1000, 1000, 1000) == 0);
	FOR_EACH_LEVEL(level)
	{
		struct list list = list_at(level, 0);

		CHECK(has_map(find(&list, at("m")), level, "0:1:1"));
		forget(&list);
		CHECK(path_is(level, AT_FDCWD, at("m"), at("m"), "0:1:1"));
		CHECK(idm_list_at(level, ALL, answer, &calls, &err) == -EPERM);
		CHECK(err.errnum == EPERM && strstr(err.message, "CAP_SYS_ADMIN"));
	}
	CHECK(calls.n == 0);
	return 0;
}

static void test_without_privilege(void **state)
{
	(void)state;
	assert_int_equal(put(source, made("m"), "0:1:1"), 0);
	assert_int_equal(in_child(drop_privilege), 0);
}

/* ---- */

/*
 * The file of a mount namespace can be mounted only in one with a lower id. Each processor hands out ids
 * of its own, so that on one processor a later namespace has a higher id.
 */
static void stay_here(void)
{
	cpu_set_t here;

	CPU_ZERO(&here);
	CPU_SET(sched_getcpu(), &here);
	sched_setaffinity(0, sizeof(here), &here);
}

static int begin(void)
{
	char dir[] = "/tmp/idm-list-XXXXXX";

	stay_here();
	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0) {
		fprintf(stderr, "needs root\n");
		return getenv("IDM_MUST_RUN") && strcmp(getenv("IDM_MUST_RUN"), "1") == 0 ? 1 : 77;
	}
	if (do_mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || !mkdtemp(dir))
		return 1;
	snprintf(base, sizeof(base), "%s", dir);
	snprintf(own_source, sizeof(own_source), "%s.source", dir);
	chmod(base, 0755);
	return mkdir(own_source, 0755) < 0;
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
		TEST(test_answer_ends_it),
		TEST(test_mounting_meanwhile),
		TEST(test_wrong_flags),
		TEST(test_path),
		TEST(test_path_errors),
		TEST(test_path_can_be_unmounted),
		TEST(test_in_a_chroot),
		TEST(test_without_proc),
		TEST(test_in_a_thread),
		TEST(test_seen_from_user_namespaces),
		TEST(test_other_namespaces),
		TEST(test_namespace_in_a_file),
		TEST(test_namespace_of_a_thread),
		TEST(test_namespace_of_a_jail),
		TEST(test_path_in_another_namespace),
		TEST(test_namespace_vanishes),
		TEST(test_without_privilege),
	};
	int r = begin();

	if (r)
		return r;
	r = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(own_source);
	rmdir(base);
	return r;
}

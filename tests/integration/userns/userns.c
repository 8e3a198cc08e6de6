// SPDX-License-Identifier: MIT
/* A user namespace that carries the map, and nothing else that has changed. */
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/macros.h"
#include "lib/sys/syscall.h"
#include "tests/lib/maps.h"
#include "tests/lib/scratch.h"
#include "tests/lib/snapshot.h"

#define SOME_MAP "u:0:100000:1000,u:1000:0:1,g:0:200000:1000,g:1000:7:1"

static const unsigned int ways[] = { 0, IDM_USERNS_ZOMBIE, IDM_USERNS_LIVE, IDM_USERNS_OWN_MEMORY };

static int open_userns(const char *text, unsigned int flags, struct idm_error *err)
{
	AUTO_MAP struct idm_map *map = map_of(text);

	return idm_userns_open(map, flags, err);
}

/* It works, and what comes out carries the map. */
static void assert_works(const char *text, unsigned int flags)
{
	AUTO_MAP struct idm_map *map = map_of(text);
	struct idm_error err;
	AUTO_CLOSE int fd = idm_userns_open(map, flags, &err);

	assert_ok(fd, &err);
	assert_userns(fd, map);
}

/* ---- what comes out ---- */

TEST(every_way_carries_the_map)
{
	static const char *const maps[] = {
		"0:100000:65536",
		"0:0:4294967295",
		"0:0:1",
		"4294967294:4294967294:1",
		"4294967294:0:1,0:4294967294:1",
		SOME_MAP,
		"u:5:6:1,g:0:0:4294967295",
	};

	need_root();
	for (size_t w = 0; w < ARRAY_SIZE(ways); w++)
		for (size_t m = 0; m < ARRAY_SIZE(maps); m++)
			assert_works(maps[m], ways[w]);
}

TEST(random_maps_are_carried)
{
	struct rng rng = rng_new(200);

	need_root();
	for (int i = 0; i < 300; i++) {
		AUTO_MAP struct idm_map *map = random_map(&rng, 60, 4294967295U);
		struct idm_entry e = { 4294967294U, 4294967294U, 1 };
		struct idm_error err;
		AUTO_CLOSE int fd = -1;

		(void)idm_map_add(map, IDM_BOTH, &e, 1, NULL); /* no side may be empty */
		if (idm_map_check(map, NULL) < 0)
			continue;
		fd = idm_userns_open(map, ways[i % 3], &err);
		assert_ok(fd, &err);
		assert_userns(fd, map);
	}
}

TEST(the_largest_maps_are_carried)
{
	AUTO_MAP struct idm_map *entries = map_of("");
	AUTO_MAP struct idm_map *bytes = map_of("");

	need_root();
	for (uint32_t i = 0; i < 340; i++) {
		struct idm_entry e = { 2 * i, 3 * i, 1 };

		assert_ok(idm_map_add(entries, IDM_BOTH, &e, 1, NULL), NULL);
	}
	for (uint32_t i = 0; i < 136; i++) {
		struct idm_entry e = { 4000000000U + i * 1000001, 4100000000U + i * 1000002, 1000000 };

		assert_ok(idm_map_add(bytes, IDM_BOTH, &e, 1, NULL), NULL);
	}
	assert_ok(idm_map_parse(bytes, "10000000:100:1", 0, NULL), NULL);
	assert_int_equal(idm_map_print(bytes, IDM_FORMAT_KERNEL, IDM_UID, NULL, 0), 4095);
	for (size_t w = 0; w < ARRAY_SIZE(ways); w++) {
		struct idm_error err;
		AUTO_CLOSE int a = idm_userns_open(entries, ways[w], &err);
		AUTO_CLOSE int b = idm_userns_open(bytes, ways[w], &err);

		assert_ok(a, &err);
		assert_ok(b, &err);
		assert_userns(a, entries);
		assert_userns(b, bytes);
	}
}

TEST(it_is_a_userns_that_exec_closes)
{
	need_root();
	for (size_t w = 0; w < ARRAY_SIZE(ways); w++) {
		struct idm_error err;
		AUTO_CLOSE int fd = open_userns(SOME_MAP, ways[w], &err);

		assert_ok(fd, &err);
		assert_int_equal(must(fcntl(fd, F_GETFD)), FD_CLOEXEC);
		assert_int_equal(ioctl(fd, IDM_NS_GET_NSTYPE), CLONE_NEWUSER);
	}
}

TEST_SINCE(5, 12, namespaces_without_mounts, it_maps_mounts)
{
	AUTO_CLOSE int probe = -1;

	scratch_enter();
	probe = ownership_probe(3);
	for (size_t w = 0; w < ARRAY_SIZE(ways); w++) {
		struct idm_error err;
		AUTO_CLOSE int fd = open_userns("u:0:5000:2,g:1:7000:2", ways[w], &err);
		AUTO_CLOSE int clone = -1;

		assert_ok(fd, &err);
		clone = ownership_clone(probe, fd);
		assert_int_equal(owner_seen(clone, 0).uid, 5000);
		assert_int_equal(owner_seen(clone, 1).uid, 5001);
		assert_int_equal(owner_seen(clone, 2).uid, 65534);
		assert_int_equal(owner_seen(clone, 0).gid, 65534);
		assert_int_equal(owner_seen(clone, 1).gid, 7000);
		assert_int_equal(owner_seen(clone, 2).gid, 7001);
	}
}

/* ---- what is refused ---- */

TEST(flags)
{
	struct idm_error err;

	assert_error(open_userns(SOME_MAP, 8, &err), -EINVAL, &err, "", "make user namespace",
		     "unknown flags 0x8");
	assert_error(open_userns(SOME_MAP, IDM_USERNS_ZOMBIE | IDM_USERNS_LIVE, &err), -EINVAL, &err, "",
		     "make user namespace", "0x3");
	assert_error(open_userns(SOME_MAP, 0x80000001U, &err), -EINVAL, &err, "", "make user namespace",
		     "unknown flags");
}

TEST(maps_that_no_mount_takes)
{
	AUTO_MAP struct idm_map *many = map_of("");
	struct idm_error err;

	for (uint32_t i = 0; i < 341; i++) {
		struct idm_entry e = { 2 * i, 3 * i, 1 };

		assert_ok(idm_map_add(many, IDM_BOTH, &e, 1, NULL), NULL);
	}
	assert_error(idm_userns_open(many, 0, &err), -E2BIG, &err, "", "check map",
		     "at most 340 uid entries");
	assert_error(open_userns("", 0, &err), -EINVAL, &err, "", "check map", "no uid entries");
	assert_error(open_userns("u:0:1:2", 0, &err), -EINVAL, &err, "", "check map", "no gid entries");
	assert_error(open_userns("g:0:1:2", 0, &err), -EINVAL, &err, "", "check map", "no uid entries");
	assert_int_equal(open_userns("g:0:1:2", 0, NULL), -EINVAL);
}

static void drop_capability(int capability)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	must(syscall(SYS_capget, &header, data));
	data[capability / 32].effective &= ~(1U << capability % 32);
	must(syscall(SYS_capset, &header, data));
}

TEST(without_cap_setuid)
{
	struct idm_error err;

	need_root();
	drop_capability(CAP_SETUID);
	assert_error(open_userns(SOME_MAP, 0, &err), -EPERM, &err, "", "write uid map", "CAP_SETUID");
}

TEST(without_cap_setgid)
{
	struct idm_error err;

	need_root();
	drop_capability(CAP_SETGID);
	assert_error(open_userns(SOME_MAP, 0, &err), -EPERM, &err, "", "write gid map", "CAP_SETGID");
}

TEST(without_cap_setfcap_root_cannot_be_seen)
{
	struct idm_error err;

	need_root();
	drop_capability(CAP_SETFCAP);
	assert_error(open_userns("5:0:1", 0, &err), -EPERM, &err, "", "write uid map", "CAP_SETFCAP");
	assert_works("5:1:1", 0);
}

/* ---- ordinary users ---- */

static void as_ordinary_user(void *unused)
{
	char own[100], other[100], two[100], group[100];
	uid_t uid = unused_uid();
	struct idm_error err;

	(void)unused;
	become_user(uid, uid + 1);
	snprintf(own, sizeof(own), "u:1000:%u:1,g:1000:%u:1", uid, uid + 1);
	snprintf(other, sizeof(other), "u:1000:%u:1,g:1000:%u:1", uid + 1, uid + 1);
	snprintf(two, sizeof(two), "u:1000:%u:2,g:1000:%u:1", uid, uid + 1);
	snprintf(group, sizeof(group), "u:1000:%u:1,g:1000:%u:1", uid, uid);

	assert_works(own, 0);
	assert_works(own, IDM_USERNS_LIVE);
	/* Many times: the child may have exited when its maps are opened, or not. */
	for (int i = 0; i < 300; i++) {
		int fd = open_userns(own, 0, &err);

		assert_ok(fd, &err);
		close(fd);
		if (kernel_is_before(7, 2)) /* they belong to the initial namespace's root */
			assert_error(open_userns(own, IDM_USERNS_ZOMBIE, &err), -EACCES, &err, "uid_map",
				     "open the child's maps", "Permission denied");
		else
			assert_works(own, IDM_USERNS_ZOMBIE);
	}
	for (unsigned int flags = 0; flags <= IDM_USERNS_LIVE; flags += IDM_USERNS_LIVE) {
		assert_error(open_userns(other, flags, &err), -EPERM, &err, "", "write uid map",
			     "it requires CAP_SETUID");
		assert_contains(err.hint, "run it as root");
		assert_error(open_userns(two, flags, &err), -EPERM, &err, "", "write uid map",
			     "it requires CAP_SETUID");
		assert_error(open_userns(group, flags, &err), -EPERM, &err, "", "write gid map",
			     "it requires CAP_SETGID");
		assert_error(open_userns(SOME_MAP, flags, &err), -EPERM, &err, "", "write uid map",
			     "it requires CAP_SETUID");
	}
}

TEST(ordinary_users_have_their_own_id)
{
	need_root();
	in_child(as_ordinary_user, NULL);
}

static void with_no_processes_left(void *unused)
{
	struct rlimit none = { 0, 0 };
	struct idm_error err;
	char own[100];
	uid_t uid = unused_uid();

	(void)unused;
	become_user(uid, uid);
	snprintf(own, sizeof(own), "1000:%u:1", uid);
	must(setrlimit(RLIMIT_NPROC, &none));
	for (size_t w = 0; w < ARRAY_SIZE(ways); w++) {
		assert_error(open_userns(own, ways[w], &err), -EAGAIN, &err, "", "make user namespace",
			     "the limit on processes is reached");
		assert_contains(err.hint, "RLIMIT_NPROC");
	}
}

TEST(at_the_limit_of_processes)
{
	need_root();
	in_child(with_no_processes_left, NULL);
}

/* ---- nested namespaces ---- */

static void with_no_namespaces_left(void *unused)
{
	struct idm_error err;

	(void)unused;
	enter_userns("0 100000 65536\n");
	assert_works("5:6:7", 0); /* there is nothing else in the way */
	scratch_file("/proc/sys/user/max_user_namespaces", "0");
	for (size_t w = 0; w < ARRAY_SIZE(ways); w++) {
		assert_error(open_userns("5:6:7", ways[w], &err), -ENOSPC, &err, "",
			     "make user namespace", "the limit on user namespaces is reached");
		assert_contains(err.hint, "user.max_user_namespaces is 0");
	}
}

TEST(at_the_limit_of_user_namespaces)
{
	need_root();
	in_child(with_no_namespaces_left, NULL);
}

static void at_the_bottom(void *unused)
{
	struct idm_error err;
	int depth = 0;

	(void)unused;
	while (depth < 40 && open_userns("5:6:7", 0, &err) >= 0) {
		enter_userns("0 0 65536\n");
		depth++;
	}
	assert_error(open_userns("5:6:7", 0, &err), -ENOSPC, &err, "", "make user namespace",
		     "nested 32 deep");
}

TEST(below_32_levels)
{
	need_root();
	in_child(at_the_bottom, NULL);
}

static void with_few_ids(void *unused)
{
	struct idm_error err;

	(void)unused;
	enter_userns("0 100000 1000\n");
	for (size_t w = 0; w < ARRAY_SIZE(ways); w++) {
		/* Before Linux 7.2 the zombie's maps belong to the initial namespace's root. */
		if (ways[w] != IDM_USERNS_ZOMBIE || !kernel_is_before(7, 2))
			assert_works("0:0:1000", ways[w]);
		else
			assert_error(open_userns("0:0:1000", ways[w], &err), -EACCES, &err, "uid_map",
				     "open the child's maps", NULL);
	}
	assert_error(open_userns("5:1000:1", 0, &err), -EPERM, &err, "", "write uid map",
		     "seen uid 1000 of the map is not an ID of this user namespace");
	assert_contains(err.hint, "/proc/self/uid_map");
	assert_error(open_userns("u:0:0:1,g:5:999:2", 0, &err), -EPERM, &err, "", "write gid map",
		     "seen gid 1000 of the map is not an ID of this user namespace");
	assert_contains(err.hint, "/proc/self/gid_map");
}

TEST(in_a_user_namespace_with_few_ids)
{
	need_root();
	in_child(with_few_ids, NULL);
}

/* ---- a user namespace whose IDs are in pieces ---- */

/* As the kernel holds it, row by row: what has no neighbour in its own map is not cut. */
static void assert_rows(int userns, const char *file, const char *expected)
{
	int out[2];
	char text[256];
	ssize_t n;
	pid_t child;

	must(pipe2(out, O_CLOEXEC));
	child = (pid_t)must(fork());
	if (child == 0) {
		AUTO_CLOSE int fd = -1;

		must(setns(userns, CLONE_NEWUSER));
		fd = (int)must(open(file, O_RDONLY | O_CLOEXEC));
		n = must(read(fd, text, sizeof(text)));
		must(write(out[1], text, (size_t)n));
		_exit(0);
	}
	await_child(child);
	n = must(read(out[0], text, sizeof(text) - 1));
	text[n] = '\0';
	close(out[0]);
	close(out[1]);
	assert_string_equal(text, expected);
}

/* As every rootless container has them; then two pieces that touch in both columns. */
static const char *const pieces[] = {
	"0 70000 1\n1 100000 65536\n", "0 100000 1\n1 100001 65536\n",
	"1 100000 65536\n0 70000 1\n", /* the kernel does not sort so few */
};

static void in_pieces(void *map)
{
	struct idm_error err;

	enter_userns(map);
	for (size_t w = 0; w < ARRAY_SIZE(ways); w++) {
		AUTO_CLOSE int fd = -1;

		if (ways[w] == IDM_USERNS_ZOMBIE && kernel_is_before(7, 2))
			continue;
		fd = open_userns("0:0:1,1:1:99", ways[w], &err);
		assert_ok(fd, &err);
		assert_rows(fd, "/proc/self/uid_map",
			    "         0          0          1\n         1          1         99\n");
		assert_works("0:0:65537", ways[w]);
		assert_works("u:10:0:3,u:0:3:10,g:5:1:65536,g:3:0:1", ways[w]);
		assert_works("u:0:5:1,g:0:0:2", ways[w]);
		/* One ID more than exist. */
		assert_error(open_userns("0:0:65538", ways[w], &err), -EPERM, &err, "", "write uid map",
			     "seen uid 65537 of the map is not an ID of this user namespace");
	}
}

TEST(rows_are_cut_at_the_borders_of_the_own_map)
{
	need_root();
	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++)
		in_child(in_pieces, (void *)(uintptr_t)pieces[i]);
}

/* 340 pieces of 3 IDs, of which no two touch outside. */
static void in_many_pieces(void *unused)
{
	char map[8192];
	size_t length = 0;
	AUTO_MAP struct idm_map *many = map_of("");
	struct idm_error err;

	(void)unused;
	for (unsigned int i = 0; i < 340; i++)
		length += (size_t)snprintf(map + length, sizeof(map) - length, "%u %u 3\n", i * 3,
					   i * 4);
	assert_true(length < 4096);
	enter_userns(map);
	assert_works("0:0:1020", 0);
	assert_works("u:1017:1017:3,g:0:1:9", 0);
	/* 341 rows: each border, and one more entry */
	assert_error(open_userns("0:1:1019,1019:0:1", 0, &err), -E2BIG, &err, "", "check map",
		     "the uid entries are 341 lines of");
	assert_contains(err.hint, "/proc/self/uid_map");
	assert_error(open_userns("u:0:0:1020,g:0:1:1019,g:1019:0:1", 0, &err), -E2BIG, &err, "",
		     "check map", "the gid entries are 341 lines of");
	/* Few entries, whose rows are too long a text. */
	assert_error(open_userns("4000000000:0:1020", 0, &err), -E2BIG, &err, "", "check map",
		     "the kernel accepts 340 lines and 4095 bytes");
	/* The same that is no border stays one row. */
	for (uint32_t i = 0; i < 340; i++) {
		struct idm_entry e = { 2 * i, 3 * i, 1 };

		assert_ok(idm_map_add(many, IDM_BOTH, &e, 1, NULL), NULL);
	}
	assert_ok(idm_userns_open(many, 0, &err), &err);
}

TEST(too_many_rows_after_the_cut_are_named)
{
	need_root();
	in_child(in_many_pieces, NULL);
}

static void cached_in_pieces(void *unused)
{
	AUTO_MAP struct idm_map *merged = map_of("0:0:100"), *cut = map_of("1:1:99,0:0:1");
	struct idm_userns_cache *cache;
	struct idm_error err;
	int a, b;

	(void)unused;
	enter_userns((char *)(uintptr_t)pieces[0]);
	assert_ok(idm_userns_cache_new(4, &cache, NULL), NULL);
	a = (int)assert_ok(idm_userns_cache_open(cache, merged, &err), &err);
	b = (int)assert_ok(idm_userns_cache_open(cache, cut, &err), &err);
	assert_true(idm_is_same_inode(a, b));
	close(a);
	close(b);
	idm_userns_cache_free(cache);
}

TEST(the_cache_does_not_see_the_cut)
{
	need_root();
	in_child(cached_in_pieces, NULL);
}

static void keep_rest_of(const char *own, const char *map_text, const char *whole)
{
	AUTO_MAP struct idm_map *map = map_of(map_text);
	struct idm_error err;

	enter_userns(own);
	assert_ok(idm_map_keep_rest(map, IDM_BOTH, &err), &err);
	assert_map(map, whole);
	assert_ok(idm_userns_open(map, 0, &err), &err);
}

static void keep_in_pieces(void *unused)
{
	(void)unused;
	keep_rest_of(pieces[0], "5:6:1", "0:0:5,5:6:1,7:7:65530");
}

static void keep_where_some_are_missing(void *unused)
{
	(void)unused;
	keep_rest_of("0 100000 1000\n70000 200000 10\n", "70000:0:1", "1:1:999,70000:0:1,70001:70001:9");
}

/* The kernel shows no outer IDs where the reader cannot see them. */
static void keep_two_deep(void *unused)
{
	(void)unused;
	enter_userns("0 100000 1000\n");
	keep_rest_of("0 0 10\n10 20 5\n", "1:2:1", "0:0:1,1:2:1,3:3:12");
}

static void keep_without_procfs(void *unused)
{
	AUTO_MAP struct idm_map *map = map_of("0:1:1");

	(void)unused;
	scratch_enter();
	do_umount("/proc");
	refuse_call(SYS_fsopen, EPERM);
	assert_ok(idm_map_keep_rest(map, IDM_BOTH, NULL), NULL);
	assert_map(map, "0:1:1,2:2:4294967293");
}

TEST(the_rest_is_what_the_user_namespace_has)
{
	need_root();
	in_child(keep_in_pieces, NULL);
	in_child(keep_where_some_are_missing, NULL);
	in_child(keep_two_deep, NULL);
	in_child(keep_without_procfs, NULL);
}

/* ---- chroot and seccomp ---- */

static void in_a_chroot(void *unused)
{
	struct idm_error err;

	(void)unused;
	scratch_enter();
	scratch_dir(SCRATCH "/proc");
	do_mount("proc", SCRATCH "/proc", "proc", 0, NULL);
	must(chroot(SCRATCH));
	for (size_t w = 0; w < ARRAY_SIZE(ways); w++) {
		assert_error(open_userns(SOME_MAP, ways[w], &err), -EPERM, &err, "",
			     "make user namespace", "the kernel does not permit it");
		assert_contains(err.hint, "chroot");
	}
}

TEST(a_chroot_has_no_user_namespaces)
{
	need_root();
	in_child(in_a_chroot, NULL);
}

static void without_clone3(void *data)
{
	int errnum = *(int *)data;

	refuse_call(SYS_clone3, errnum);
	assert_int_equal(syscall(SYS_clone3, NULL, 0), -1);
	assert_int_equal(errno, errnum);
	for (size_t w = 0; w < ARRAY_SIZE(ways); w++)
		assert_works(SOME_MAP, ways[w]);
}

TEST(where_clone3_is_unknown)
{
	need_root();
	in_child(without_clone3, &(int){ ENOSYS });
}

TEST(where_clone3_is_forbidden)
{
	need_root();
	in_child(without_clone3, &(int){ EPERM });
}

static void without_clone_newuser(void *unused)
{
	struct idm_error err;

	(void)unused;
	refuse_call(SYS_clone3, ENOSYS);
	refuse_call_with(SYS_clone, CLONE_NEWUSER, EPERM);
	assert_int_equal(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0), -1);
	for (size_t w = 0; w < ARRAY_SIZE(ways); w++) {
		assert_error(open_userns(SOME_MAP, ways[w], &err), -EPERM, &err, "",
			     "make user namespace", "the kernel does not permit it");
		assert_contains(err.hint, "seccomp");
	}
}

TEST(where_user_namespaces_are_forbidden)
{
	need_root();
	in_child(without_clone_newuser, NULL);
}

/* ---- /proc in all conditions ---- */

static void no_proc(void)
{
	do_umount("/proc");
}

static void tmpfs_on_proc(void)
{
	do_mount("none", "/proc", "tmpfs", 0, NULL);
}

/* What a liar would put there: a number for every descriptor, and a directory with maps for it. */
static void false_proc(void)
{
	char path[64];

	tmpfs_on_proc();
	scratch_dir("/proc/thread-self/fdinfo");
	scratch_dir("/proc/1/ns");
	scratch_file("/proc/1/uid_map", "");
	scratch_file("/proc/1/gid_map", "");
	scratch_file("/proc/1/setgroups", "");
	scratch_file("/proc/1/ns/user", "");
	for (int fd = 0; fd < 100; fd++) {
		snprintf(path, sizeof(path), "/proc/thread-self/fdinfo/%d", fd);
		scratch_file(path, "pos:\t0\nPid:\t1\n");
	}
}

static void part_of_proc(void)
{
	scratch_dir(SCRATCH "/part");
	do_mount("/proc/sys", SCRATCH "/part", NULL, MS_BIND, NULL);
	do_mount(SCRATCH "/part", "/proc", NULL, MS_BIND, NULL);
}

static void cover(const char *format)
{
	char path[64];

	snprintf(path, sizeof(path), format, getpid());
	do_mount("none", path, "tmpfs", 0, NULL);
}

static void own_directory_covered(void)
{
	cover("/proc/%d");
}

static void tasks_covered(void)
{
	cover("/proc/%d/task");
}

static void fdinfo_covered(void)
{
	cover("/proc/thread-self/fdinfo");
}

/* Like those of the initial PID namespace. */
static void false_namespaces(void)
{
	cover("/proc/thread-self/ns");
	must(symlink("pid:[4026531836]", "/proc/thread-self/ns/pid_for_children"));
}

/* Each alone is enough to know what numbers mean here. */
static void both_covered(void)
{
	fdinfo_covered();
	cover("/proc/thread-self/ns");
}

static void false_fdinfo(void)
{
	both_covered();
	for (int fd = 0; fd < 100; fd++) {
		char path[64];

		snprintf(path, sizeof(path), "/proc/thread-self/fdinfo/%d", fd);
		scratch_file(path, "pos:\t0\nPid:\t2\n");
	}
}

static void read_only_proc(void)
{
	do_mount("none", "/proc", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL);
}

static const struct condition {
	const char *name;
	void (*make)(void);
} conditions[] = {
	{ "no /proc", no_proc },
	{ "a tmpfs on /proc", tmpfs_on_proc },
	{ "false files on /proc", false_proc },
	{ "only a part of procfs at /proc", part_of_proc },
	{ "a mount over the process's directory", own_directory_covered },
	{ "a mount over its tasks", tasks_covered },
	{ "mounts over its fdinfo and its namespaces", both_covered },
	{ "false files in its fdinfo", false_fdinfo },
	{ "a read-only /proc", read_only_proc },
};

static void assert_looks_right(int probe, int fd)
{
	AUTO_CLOSE int clone = ownership_clone(probe, fd);

	assert_int_equal(owner_seen(clone, 0).uid, 100000);
	assert_int_equal(owner_seen(clone, 1).uid, 100001);
	assert_int_equal(owner_seen(clone, 1).gid, 200001);
}

static void as_root_with(void *data)
{
	const struct condition *condition = data;
	AUTO_CLOSE int probe = -1;

	scratch_enter();
	probe = ownership_probe(2);
	condition->make();
	for (size_t w = 0; w < ARRAY_SIZE(ways); w++) {
		struct idm_error err;
		AUTO_CLOSE int fd = open_userns(SOME_MAP, ways[w], &err);

		assert_ok(fd, &err);
		assert_looks_right(probe, fd);
	}
}

TEST_SINCE(5, 12, namespaces_without_mounts, whatever_is_at_proc)
{
	need_root();
	for (size_t i = 0; i < ARRAY_SIZE(conditions); i++) {
		note("%s", conditions[i].name);
		in_child(as_root_with, (void *)&conditions[i]);
	}
}

/* A caller that may not make a procfs gets an error, not a wrong process. */
static void as_user_with(void *data)
{
	const struct condition *condition = data;
	struct idm_error err;
	char own[100];

	scratch_enter();
	snprintf(own, sizeof(own), "1000:%u:1", unused_uid());
	condition->make();
	become_user(unused_uid(), unused_uid());
	assert_error(open_userns(own, 0, &err), -ENOENT, &err, "/proc", "find the child in /proc",
		     "a private one cannot be created: Operation not permitted");
	assert_contains(err.hint, "mount a procfs");
}

TEST(without_the_right_to_another_proc)
{
	need_root();
	for (size_t i = 0; i < ARRAY_SIZE(conditions); i++) {
		note("%s", conditions[i].name);
		in_child(as_user_with, (void *)&conditions[i]);
	}
}

static void as_user_with_one_covered(void *data)
{
	void (*const *make)(void) = data;
	struct idm_error err;
	AUTO_CLOSE int fd = -1;
	char own[100];

	scratch_enter();
	snprintf(own, sizeof(own), "1000:%u:1", unused_uid());
	(*make)();
	become_user(unused_uid(), unused_uid());
	fd = open_userns(own, 0, &err);
	assert_ok(fd, &err);
}

static bool is_in_initial_pidns(void)
{
	char name[64] = "";

	must(readlink("/proc/thread-self/ns/pid", name, sizeof(name) - 1));
	return strcmp(name, "pid:[4026531836]") == 0;
}

TEST(one_way_to_know_the_number_is_enough)
{
	static void (*const make[])(void) = { false_namespaces, fdinfo_covered };

	need_root();
	in_child(as_user_with_one_covered, (void *)&make[0]);
	if (is_in_initial_pidns())
		in_child(as_user_with_one_covered, (void *)&make[1]);
}

/* ---- PID namespaces ---- */

static void as_init_with_the_outer_proc(void *unused)
{
	(void)unused;
	assert_int_equal(getpid(), 1);
	/* The next child is 2, and /proc/2 is another process, or none. */
	for (size_t w = 0; w < ARRAY_SIZE(ways); w++)
		for (int i = 0; i < 5; i++)
			assert_works(SOME_MAP, ways[w]);
}

static void in_a_new_pid_namespace(void *unused)
{
	(void)unused;
	must(unshare(CLONE_NEWPID));
	in_child(as_init_with_the_outer_proc, NULL);
}

TEST(in_a_pid_namespace_with_the_outer_proc)
{
	need_root();
	in_child(in_a_new_pid_namespace, NULL);
}

static void in_one_that_looks_like_the_initial(void *unused)
{
	scratch_enter();
	false_namespaces();
	as_init_with_the_outer_proc(unused);
}

static void in_a_new_pid_namespace_that_lies(void *unused)
{
	(void)unused;
	must(unshare(CLONE_NEWPID));
	in_child(in_one_that_looks_like_the_initial, NULL);
}

TEST(in_a_pid_namespace_that_looks_like_the_initial_one)
{
	need_root();
	in_child(in_a_new_pid_namespace_that_lies, NULL);
}

static void with_its_own_proc(void *unused)
{
	(void)unused;
	scratch_enter();
	do_mount("proc", "/proc", "proc", 0, NULL);
	as_init_with_the_outer_proc(NULL);
}

static void in_a_complete_pid_namespace(void *unused)
{
	(void)unused;
	must(unshare(CLONE_NEWPID));
	in_child(with_its_own_proc, NULL);
}

TEST(in_a_pid_namespace_with_its_own_proc)
{
	need_root();
	in_child(in_a_complete_pid_namespace, NULL);
}

static void as_first_process(void *unused)
{
	pid_t pid;

	(void)unused;
	assert_int_equal(getpid(), 1);
	pid = (pid_t)must(fork());
	if (pid == 0)
		_exit(0);
	assert_int_equal(pid, 2);
	must(waitpid(pid, NULL, 0));
}

/* Its first process would be a child of this one; and when that ends, so does the namespace. */
static void before_its_init(void *unused)
{
	struct idm_error err;

	(void)unused;
	must(unshare(CLONE_NEWPID));
	for (size_t w = 0; w < ARRAY_SIZE(ways); w++) {
		assert_error(open_userns(SOME_MAP, ways[w], &err), -EBUSY, &err, "",
			     "make user namespace",
			     "init of the PID namespace that this thread unshared");
		assert_contains(err.hint, "CLONE_NEWPID");
	}
	in_child(as_first_process, NULL);
}

TEST(a_pid_namespace_is_not_used_up)
{
	need_root();
	in_child(before_its_init, NULL);
}

static void beside_its_init(void *unused)
{
	pid_t init;

	(void)unused;
	must(unshare(CLONE_NEWPID));
	init = (pid_t)must(fork());
	if (init == 0)
		for (;;)
			pause();
	for (size_t w = 0; w < ARRAY_SIZE(ways); w++)
		assert_works(SOME_MAP, ways[w]);
	must(kill(init, SIGKILL));
	must(waitpid(init, NULL, 0));
}

TEST(after_a_pid_namespace_has_its_init)
{
	need_root();
	in_child(beside_its_init, NULL);
}

/* ---- nothing else has changed ---- */

static volatile sig_atomic_t signals_seen;

static void count_signal(int number)
{
	(void)number;
	signals_seen++;
}

static int open_max_fds(rlim_t n, struct idm_error *err)
{
	struct rlimit old, limit;
	int r;

	must(getrlimit(RLIMIT_NOFILE, &old));
	limit = (struct rlimit){ n, old.rlim_max };
	must(setrlimit(RLIMIT_NOFILE, &limit));
	r = open_userns(SOME_MAP, 0, err);
	must(setrlimit(RLIMIT_NOFILE, &old));
	return r;
}

/* Each call that needs a descriptor fails once, until there are enough. */
TEST(at_the_limit_of_descriptors)
{
	struct snapshot *before = snapshot_take(SNAPSHOT_ALL);
	struct idm_error err;
	int failures = 0, fd, lowest;

	need_root();
	lowest = (int)must(dup(0));
	close(lowest);
	while ((fd = open_max_fds((rlim_t)(lowest + failures), &err)) < 0) {
		assert_error(fd, -EMFILE, &err, NULL, NULL, "Too many open files");
		snapshot_assert_same(before);
		before = snapshot_take(SNAPSHOT_ALL);
		assert_true(++failures < 20);
	}
	assert_true(failures >= 4); /* the pidfd, the directory, two maps */
	close(fd);
	snapshot_assert_same(before);
}

TEST(signal_mask_errno_and_dumpable_are_as_before)
{
	static const char *const maps[] = { SOME_MAP, "u:0:0:1" }; /* one works, one does not */
	struct rng rng = rng_new(201);

	need_root();
	for (int i = 0; i < 200; i++) {
		const char *map = maps[i % 2];
		int dumpable = i / 2 % 2, old_errno = 1000 + i, fd, new_errno;
		sigset_t mask, after;

		sigemptyset(&mask);
		for (int s = 1; s <= SIGRTMAX; s++)
			if (rng_below(&rng, 2))
				sigaddset(&mask, s); /* all but SIGKILL, SIGSTOP, and glibc's two */
		must(sigprocmask(SIG_SETMASK, &mask, NULL));
		must(sigprocmask(SIG_SETMASK, NULL, &mask));
		must(prctl(PR_SET_DUMPABLE, dumpable));
		errno = old_errno;
		fd = open_userns(map, ways[i % 3], NULL);
		new_errno = errno;
		assert_int_equal(fd < 0, i % 2);
		if (fd >= 0)
			close(fd);
		assert_int_equal(new_errno, old_errno);
		assert_int_equal(must(prctl(PR_GET_DUMPABLE)), dumpable);
		must(sigprocmask(SIG_SETMASK, NULL, &after));
		assert_int_equal(memcmp(&mask, &after, 8), 0); /* the kernel's part of them */
	}
	must(prctl(PR_SET_DUMPABLE, 1));
}

/* With every disposition of SIGCHLD: none comes, no child is left, and one more descriptor is open. */
TEST(no_sigchld_no_zombie_no_descriptor)
{
	static const struct sigaction actions[] = {
		{ .sa_handler = SIG_DFL },
		{ .sa_handler = SIG_IGN },
		{ .sa_handler = count_signal },
		{ .sa_handler = count_signal, .sa_flags = SA_NOCLDWAIT },
		{ .sa_handler = count_signal, .sa_flags = SA_NOCLDSTOP | SA_RESTART },
	};

	need_root();
	for (size_t a = 0; a < ARRAY_SIZE(actions); a++) {
		must(sigaction(SIGCHLD, &actions[a], NULL));
		for (int i = 0; i < 60; i++) {
			struct snapshot *before = snapshot_take(SNAPSHOT_ALL);
			struct idm_error err;
			int fd = open_userns(SOME_MAP, ways[i % 3], &err);
			sigset_t pending;

			assert_ok(fd, &err);
			must(sigpending(&pending));
			assert_false(sigismember(&pending, SIGCHLD));
			assert_int_equal(signals_seen, 0);
			assert_int_equal(waitpid(-1, NULL, __WALL), -1);
			assert_int_equal(errno, ECHILD);
			close(fd);
			snapshot_assert_same(before);
		}
	}
	must(sigaction(SIGCHLD, &actions[0], NULL));
}

/* Handlers run in us alone, and every signal that was sent arrives. */
static pid_t our_pid;

static void assert_us(int number)
{
	(void)number;
	if (syscall(SYS_getpid) != our_pid)
		syscall(SYS_kill, our_pid, SIGABRT);
	signals_seen++;
}

static void *send_to_the_group(void *stop)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	while (!__atomic_load_n((bool *)stop, __ATOMIC_RELAXED))
		must(kill(0, SIGUSR1));
	return NULL;
}

TEST(no_handler_runs_in_the_child)
{
	bool stop = false;
	pthread_t sender;

	need_root();
	must(setpgid(0, 0));
	our_pid = getpid();
	must(signal(SIGUSR1, assert_us) == SIG_ERR ? -1 : 0);
	assert_int_equal(pthread_create(&sender, NULL, send_to_the_group, &stop), 0);
	/* On a busy machine it can be a while until the sender gets its turn. */
	for (int i = 0; i < 300 || !__atomic_load_n(&signals_seen, __ATOMIC_RELAXED); i++) {
		struct idm_error err;
		int fd = open_userns(SOME_MAP, ways[i % 3], &err);

		assert_ok(fd, &err);
		close(fd);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(sender, NULL);
	assert_true(signals_seen > 0);
}

/* ---- the caller dies ---- */

static void open_for_ever(unsigned int flags)
{
	for (;;) {
		int fd = open_userns(SOME_MAP, flags, NULL);

		if (fd < 0)
			_exit(1);
		close(fd);
	}
}

/* Whatever it was at: its child does not stay. We are the one whom it is given to. */
TEST(a_caller_that_is_killed_leaves_nothing)
{
	struct rng rng = rng_new(202);

	need_root();
	must(prctl(PR_SET_CHILD_SUBREAPER, 1));
	for (int i = 0; i < 200; i++) {
		pid_t pid = (pid_t)must(fork());
		int status;

		if (pid == 0)
			open_for_ever(1U << i % 3);
		usleep(500 + rng_below(&rng, 1000));
		must(kill(pid, SIGKILL));
		must(waitpid(pid, &status, 0));
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		/* If one were left, this would wait for it until the test's time is over. */
		while (waitpid(-1, NULL, __WALL) > 0)
			;
		assert_int_equal(errno, ECHILD);
	}
}

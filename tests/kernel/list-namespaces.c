// SPDX-License-Identifier: MIT
/*
 * The listing, from elsewhere and of elsewhere: chroots, threads, user namespaces, other mount
 * namespaces. Needs root.
 */
#include "listing.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

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
	CHECK(idm_list_at(IDM_LIST_NEWEST, ALL, answer, &calls, &err) == -EPERM);
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
	CHECK(idm_list_at(IDM_LIST_NEWEST, ALL, answer, &calls, NULL) == -EPERM);
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

/* Whether the caller's namespace comes first, every one is in one piece, and every mount comes once. */
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
			    (list->seen[j - 1].m.namespace_inode != inode ||
			     list->seen[j].m.id == list->seen[i].m.id))
				return false;
	}
	return true;
}

static uint64_t outer_inode;

static int check_namespaces(enum idm_list_level level)
{
	char path[64];
	struct stat held, orphan;
	struct list list;
	int hold, fd, again;
	pid_t pid;

	CHECK(put(source, made("mine"), "0:1:1") == 0);
	pid = start_holder(own_mount, &hold);
	CHECK(pid > 0);
	fd = orphan_namespace();
	CHECK(fd >= 0);
	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)pid);
	again = open(path, O_RDONLY | O_CLOEXEC); /* found twice, listed once */
	CHECK(fstat(again, &held) == 0 && fstat(fd, &orphan) == 0);

	list = list_at(level, ALL);
	CHECK(in_order(&list));
	CHECK(has_map(find_in(&list, at("theirs"), held.st_ino), level, "0:3:1"));
	CHECK(has_map(find_in(&list, at("theirs"), orphan.st_ino), level, "0:3:1"));
	CHECK(has_map(find_in(&list, at("mine"), held.st_ino), level, "0:1:1"));
	CHECK(has_map(&list.seen[0].m, level, "0:1:1"));
	for (size_t i = 0; i < list.n; i++)
		CHECK((list.seen[i].m.namespace_id != 0) == (really(level) >= IDM_LIST_NAMESPACES) ||
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
	close(again);
	close(hold);
	CHECK(wait_for(pid) == 0);
	CHECK(idm_sys_umount(at("mine"), 0) == 0);
	return 0;
}

static int check_namespaces_in_proc(void)
{
	FOR_EACH_LEVEL_BY_PROC(level)
	{
		CHECK(check_namespaces(level) == 0);
	}
	return 0;
}

static void test_other_namespaces(void **state)
{
	(void)state;
	assert_int_equal(in_isolation(check_namespaces_in_proc), 0);
	FOR_EACH_LEVEL_BY_IOCTL(level)
	{
		assert_int_equal(check_namespaces(level), 0);
	}
}

/* In a PID namespace some kernels show all of them and some none; never a part. */
static int check_in_pid_namespace(void)
{
	int tree = tree_of(source, "0:1:1");

	FOR_EACH_LEVEL_BY_IOCTL(level)
	{
		struct list list = { 0 };
		struct idm_error err;
		int r = idm_list_at(level, ALL, keep, &list, &err);

		CHECK(r == 0 ? find_in(&list, at("mine"), outer_inode) != NULL
			     : r == -EPERM && list.n == 0 && strstr(err.message, "PID namespace"));
		CHECK(idm_list_path_at(level, tree, "", keep, &list, &err) == -ENOENT);
		CHECK(err.errnum == ENOENT);
		forget(&list);
	}
	close(tree);
	return 0;
}

static void test_in_a_pid_namespace(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(stat("/proc/self/ns/mnt", &st), 0);
	outer_inode = st.st_ino;
	assert_int_equal(put(source, made("mine"), "0:1:1"), 0);
	assert_int_equal(in_isolation(check_in_pid_namespace), 0);
}

static int look_back(void)
{
	CHECK(own_mount() == 0);
	FOR_EACH_LEVEL_BY_IOCTL(level)
	{
		struct list list = list_at(level, ALL);

		CHECK(in_order(&list));
		CHECK(has_map(find_in(&list, at("mine"), outer_inode), level, "0:1:1"));
		CHECK(!find_in(&list, at("theirs"), outer_inode));
		forget(&list);
	}
	return 0;
}

/* Older ones are found from a younger one. */
static void test_older_namespaces(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(stat("/proc/self/ns/mnt", &st), 0);
	outer_inode = st.st_ino;
	assert_int_equal(put(source, made("mine"), "0:1:1"), 0);
	assert_int_equal(in_child(look_back), 0);
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
	FOR_EACH_LEVEL_BY_IOCTL(level)
	{
		struct list list = list_at(level, ALL);

		assert_true(has_map(find_in(&list, at("theirs"), st.st_ino), level, "0:3:1"));
		forget(&list);
	}
	assert_int_equal(idm_sys_umount(at("ns"), 0), 0);
	FOR_EACH_LEVEL_BY_IOCTL(level)
	{
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
	FOR_EACH_LEVEL_BY_PROC(level)
	{
		struct list list = list_at(level, ALL);

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
	FOR_EACH_LEVEL_BY_PROC(level)
	{
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

		if (really(level) >= IDM_LIST_NAMESPACES) {
			assert_true(path_is(level, AT_FDCWD, path, at("theirs"), "0:3:1"));
			continue;
		}
		assert_int_equal(idm_list_path_at(level, AT_FDCWD, path, keep, &list, &err), -ENOENT);
		assert_non_null(strstr(err.hint, "another mount namespace"));
	}
	close(hold);
	assert_int_equal(wait_for(pid), 0);
}

/*
 * A namespace whose root is the very first mount, as in a machine that lives in its initramfs. Takes the
 * two directories that the kernel makes there; without them the machine cannot be made to look like
 * that.
 */
static int without_real_root(void)
{
	int tree = tree_of(source, "0:4:1"), ns;

	CHECK(tree >= 0);
	CHECK(private_mounts() == 0);
	ns = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	CHECK(ns >= 0);
	CHECK(idm_sys_umount("/", MNT_DETACH) == 0);
	CHECK(setns(ns, CLONE_NEWNS) == 0);
	if (access("/dev", F_OK) < 0 || access("/root", F_OK) < 0)
		return 2;
	CHECK(do_mount("dev", "/dev", "tmpfs", 0, NULL) == 0);
	CHECK(attach(tree, "/root") == 0);
	return 0;
}

static void test_namespace_in_the_initramfs(void **state)
{
	int hold, probe = in_child(without_real_root);
	char path[64];
	struct stat st;
	pid_t pid;

	(void)state;
	if (probe == 2) {
		print_message("the first root has no /dev and /root here\n");
		skip();
	}
	assert_int_equal(probe, 0);
	pid = start_holder(without_real_root, &hold);
	assert_true(pid > 0);
	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)pid);
	assert_int_equal(stat(path, &st), 0);
	FOR_EACH_LEVEL_BY_IOCTL(level)
	{
		struct list list = list_at(level, ALL | UNMAPPED);
		const struct idm_mount *m = find_in(&list, "/root", st.st_ino);

		assert_true(in_order(&list));
		assert_non_null(m);
		assert_true(m->attr & IDM_ATTR_IDMAP);
		assert_true(m->map_state == IDM_MAP_UNREADABLE || has_map(m, level, "0:4:1"));
		assert_non_null(find_in(&list, "/dev", st.st_ino));
		assert_non_null(find_in(&list, "/", st.st_ino));
		assert_string_equal(find_in(&list, "/", st.st_ino)->source, "rootfs");
		forget(&list);
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
	FOR_EACH_LEVEL_BY_IOCTL(level)
	{
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

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh_base, nothing_left)
	const struct CMUnitTest tests[] = {
		TEST(test_in_a_chroot),
		TEST(test_without_proc),
		TEST(test_in_a_thread),
		TEST(test_seen_from_user_namespaces),
		TEST(test_other_namespaces),
		TEST(test_older_namespaces),
		TEST(test_in_a_pid_namespace),
		TEST(test_namespace_in_a_file),
		TEST(test_namespace_of_a_thread),
		TEST(test_namespace_of_a_jail),
		TEST(test_path_in_another_namespace),
		TEST(test_namespace_in_the_initramfs),
		TEST(test_namespace_vanishes),
		TEST(test_without_privilege),
	};
	int r = begin();

	if (r)
		return r;
	r = cmocka_run_group_tests(tests, NULL, NULL);
	end();
	return r;
}

// SPDX-License-Identifier: MIT
/* From a user namespace to its map: by process, by descriptor, by path. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/macros.h"
#include "lib/sys/syscall.h"
#include "tests/lib/maps.h"
#include "tests/lib/neighbour.h"
#include "tests/lib/scratch.h"
#include "tests/lib/snapshot.h"

#define SOME_MAP "u:0:100000:1000,u:1000:0:1,g:0:200000:1000,g:1000:7:1"

static void enter_new_userns(void *map_file_text)
{
	if (map_file_text)
		enter_userns(map_file_text);
	else
		must(unshare(CLONE_NEWUSER));
}

/* A process in a new user namespace with the map, or (NULL) without one. */
static struct neighbour process_with(const char *map_file_text)
{
	return neighbour_start(enter_new_userns, (void *)map_file_text);
}

#define MAPPED "0 100000 65536\n"

/* Runs `body` in a child, and passes it the PID of a process with that map. */
static void in_child_with_mapped_process(void (*body)(void *pid))
{
	struct neighbour n;

	need_root();
	n = process_with(MAPPED);
	in_child(body, &n.pid);
	neighbour_end(&n);
}

/* Runs `body` in a child, and passes it a descriptor of a user namespace with SOME_MAP. */
static void in_child_with_userns(void (*body)(void *fd))
{
	AUTO_CLOSE int fd = -1;

	need_root();
	fd = userns_of(SOME_MAP);
	in_child(body, &fd);
}

static int open_ns(pid_t pid, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	return (int)must(open(path, flags | O_CLOEXEC));
}

/* ---- by process ---- */

TEST(another_process)
{
	AUTO_MAP struct idm_map *map = map_of("");
	struct idm_error err;
	struct neighbour n;

	need_root();
	n = process_with("0 100000 65536\n70000 5 10\n");
	assert_ok(idm_map_add_pid(map, n.pid, &err), &err);
	assert_map(map, "0:100000:65536,70000:5:10");
	neighbour_end(&n);
}

TEST(a_process_without_a_map)
{
	AUTO_MAP struct idm_map *map = map_of("1:2:3");
	struct idm_error err;
	struct neighbour n;

	need_root();
	n = process_with(NULL);
	assert_ok(idm_map_add_pid(map, n.pid, &err), &err);
	assert_map(map, "1:2:3");
	neighbour_end(&n);
}

TEST(a_zombie_still_has_its_map)
{
	AUTO_MAP struct idm_map *map = map_of("");
	struct idm_error err;
	siginfo_t info;
	struct neighbour n;

	need_root();
	n = process_with(MAPPED);
	close(n.hold);
	must(waitid(P_PID, (id_t)n.pid, &info, WEXITED | WNOWAIT));
	assert_ok(idm_map_add_pid(map, n.pid, &err), &err);
	assert_map(map, "0:100000:65536");
	await_child(n.pid);
}

static void read_own(void *expected)
{
	AUTO_MAP struct idm_map *map = map_of("");
	AUTO_MAP struct idm_map *by_fd = map_of("");
	AUTO_CLOSE int fd = open_ns(getpid(), O_RDONLY);
	struct idm_error err;

	assert_ok(idm_map_add_pid(map, getpid(), &err), &err);
	assert_map(map, expected);
	assert_ok(idm_map_add_userns(by_fd, fd, &err), &err);
	assert_map(by_fd, expected);
}

static void read_own_nested(void *unused)
{
	(void)unused;
	enter_userns(MAPPED);
	read_own((char[]){ "0:100000:65536" });
	enter_userns("5 6 100\n0 0 5\n");
	read_own((char[]){ "0:0:5,5:6:100" });
}

TEST(the_callers_own_as_its_parent_sees_it)
{
	need_root();
	in_child(read_own, (char[]){ "0:0:4294967295" });
	in_child(read_own_nested, NULL);
}

TEST(numbers_that_are_no_process)
{
	AUTO_MAP struct idm_map *map = map_of("1:2:3");
	struct idm_error err;

	assert_error(idm_map_add_pid(map, 0, &err), -EINVAL, &err, "pid 0", "read user namespace",
		     "expected a positive process number");
	assert_error(idm_map_add_pid(map, -1, &err), -EINVAL, &err, "pid -1", "read user namespace",
		     "expected a positive process number");
	assert_error(idm_map_add_pid(map, INT_MAX, &err), -ESRCH, &err, "pid 2147483647",
		     "read user namespace", "no such process");
	assert_int_equal(idm_map_add_pid(map, INT_MAX, NULL), -ESRCH);
	assert_map(map, "1:2:3");
}

static void *read_map_of_this_thread(void *unused)
{
	AUTO_MAP struct idm_map *map = map_of("1:2:3");
	struct idm_error err;

	assert_error(idm_map_add_pid(map, (pid_t)syscall(SYS_gettid), &err), -ESRCH, &err, NULL,
		     "read user namespace", "no such process");
	assert_map(map, "1:2:3");
	return unused;
}

/* The kernel's answer is the same for a process that is reaped at this moment, before Linux 6.15. */
TEST(the_number_of_a_thread)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, read_map_of_this_thread, NULL), 0);
	pthread_join(thread, NULL);
}

static void as_user_of_no_privilege(void *pid)
{
	AUTO_MAP struct idm_map *map = map_of("");
	struct idm_error err;

	become_user(unused_uid(), unused_uid());
	assert_ok(idm_map_add_pid(map, *(pid_t *)pid, &err), &err);
	assert_map(map, "0:100000:65536");
}

TEST(a_process_needs_no_privilege)
{
	in_child_with_mapped_process(as_user_of_no_privilege);
}

static void with_read_only_proc(void *pid)
{
	scratch_enter();
	do_mount("none", "/proc", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL);
	as_user_of_no_privilege(pid);
}

TEST(reading_needs_no_writable_proc)
{
	in_child_with_mapped_process(with_read_only_proc);
}

/* ---- by descriptor ---- */

TEST(what_userns_open_made)
{
	struct rng rng = rng_new(300);

	need_root();
	for (int i = 0; i < 100; i++) {
		AUTO_MAP struct idm_map *map = random_map(&rng, 40, 4294967295U);
		AUTO_MAP struct idm_map *again = map_of("");
		struct idm_entry last = { 4294967294U, 4294967294U, 1 };
		struct idm_error err;
		AUTO_CLOSE int fd = -1;

		(void)idm_map_add(map, IDM_BOTH, &last, 1, NULL); /* no side may be empty */
		if (idm_map_check(map, NULL) < 0)
			continue;
		fd = (int)assert_ok(idm_userns_open(map, 0, &err), &err);
		assert_ok(idm_map_add_userns(again, fd, &err), &err);
		assert_same_map(again, map);
	}
}

TEST(the_largest_map)
{
	AUTO_MAP struct idm_map *map = map_of("");
	AUTO_MAP struct idm_map *again = map_of("");
	AUTO_CLOSE int fd = -1;
	struct idm_error err;

	need_root();
	for (uint32_t i = 0; i < 340; i++) {
		struct idm_entry e = { 2 * i, 3 * i, 1 };

		assert_ok(idm_map_add(map, IDM_BOTH, &e, 1, NULL), NULL);
	}
	fd = (int)assert_ok(idm_userns_open(map, 0, &err), &err);
	assert_ok(idm_map_add_userns(again, fd, &err), &err);
	assert_same_map(again, map);
}

TEST(a_success_leaves_the_error_as_it_was)
{
	AUTO_MAP struct idm_map *map = map_of("0:100000:65536"), *again = map_of("");
	struct idm_error before, err;
	AUTO_CLOSE int fd = -1;

	need_root();
	fd = (int)assert_ok(idm_userns_open(map, 0, &err), &err);
	memset(&before, 0x5a, sizeof(before));
	err = before;
	assert_int_equal(idm_map_add_userns(again, fd, &err), 0);
	assert_int_equal(memcmp(&err, &before, sizeof(err)), 0);
	assert_same_map(again, map);
}

TEST(a_namespace_without_a_map)
{
	AUTO_MAP struct idm_map *map = map_of("1:2:3");
	AUTO_CLOSE int fd = -1;
	struct idm_error err;
	struct neighbour n;

	need_root();
	n = process_with(NULL);
	fd = neighbour_namespace(&n, "user");
	neighbour_end(&n); /* the namespace is kept by its descriptor alone */
	assert_ok(idm_map_add_userns(map, fd, &err), &err);
	assert_map(map, "1:2:3");
}

TEST(what_is_no_user_namespace)
{
	static const char *const paths[] = { "/", "/proc/self/ns/mnt", "/proc/self/ns/pid", "/dev/null",
					     "/proc/self/uid_map" };
	AUTO_MAP struct idm_map *map = map_of("1:2:3");
	AUTO_CLOSE int only_path = open_ns(getpid(), O_PATH);
	struct idm_error err;

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		AUTO_CLOSE int fd = (int)must(open(paths[i], O_RDONLY | O_CLOEXEC));

		assert_error(idm_map_add_userns(map, fd, &err), -EINVAL, &err, "", "read user namespace",
			     "the file is not a user namespace");
	}
	assert_error(idm_map_add_userns(map, -1, &err), -EBADF, &err, "", "read user namespace",
		     "descriptor -1 is not open");
	assert_error(idm_map_add_userns(map, only_path, &err), -EINVAL, &err, "", "read user namespace",
		     NULL);
	assert_map(map, "1:2:3");
}

static void join_as_user(void *fd)
{
	AUTO_MAP struct idm_map *map = map_of("1:2:3");
	AUTO_MAP struct idm_map *own = map_of("");
	AUTO_MAP struct idm_map *again = map_of("");
	AUTO_CLOSE int own_fd = -1;
	struct idm_error err;
	char text[64];

	become_user(unused_uid(), unused_uid());
	assert_error(idm_map_add_userns(map, *(int *)fd, &err), -EPERM, &err, "", "read user namespace",
		     "it requires CAP_SYS_ADMIN in that user namespace");
	assert_contains(err.hint, "process number");
	assert_map(map, "1:2:3");

	snprintf(text, sizeof(text), "1000:%u:1", unused_uid());
	assert_ok(idm_map_parse(own, text, 0, &err), &err);
	own_fd = (int)assert_ok(idm_userns_open(own, 0, &err), &err);
	assert_ok(idm_map_add_userns(again, own_fd, &err), &err);
	assert_same_map(again, own);
}

TEST(users_can_join_their_own_alone)
{
	in_child_with_userns(join_as_user);
}

/* ---- by a mount (Linux 7.0), and by a delegate ---- */

/* The one way or the other. They agree on the map, or on the error. */
struct both {
	struct idm_map *map[2];
	struct idm_error err[2];
	int r[2];
};

static void read_again(struct both *both, int way, int userns)
{
	both->map[way] = map_of("7:4000000000:1");
	both->r[way] = idm_map_add_userns(both->map[way], userns, &both->err[way]);
}

static void assert_both(struct both *both)
{
	assert_int_equal(both->r[0], both->r[1]);
	assert_same_map(both->map[0], both->map[1]);
	if (both->r[0] < 0)
		assert_string_equal(both->err[0].message, both->err[1].message);
	idm_map_free(both->map[0]);
	idm_map_free(both->map[1]);
}

#define NAMESPACES 60

/* User namespaces of this one, with all kinds of maps. -1: none could be made. */
static void make_namespaces(struct rng *rng, uint32_t ids, int fds[NAMESPACES])
{
	for (int i = 0; i < NAMESPACES; i++) {
		AUTO_MAP struct idm_map *map = random_map(rng, i % 5 ? 1 + i % 20 : 150, ids);
		struct idm_entry last = { ids - 1, ids - 1, 1 };

		(void)idm_map_add(map, IDM_BOTH, &last, 1, NULL); /* no side may be empty */
		fds[i] = idm_userns_open(map, 0, NULL);
	}
}

/* `text`: the map of this user namespace, or NULL to stay where it is. */
static void read_all_both_ways(void *text)
{
	static struct both both[NAMESPACES];
	struct rng rng = rng_new(701);
	int fds[NAMESPACES], n = 0;

	if (text)
		enter_userns(text);
	make_namespaces(&rng, text ? 1000 : UINT32_MAX, fds);
	for (int i = 0; i < NAMESPACES; i++)
		if (fds[i] >= 0)
			read_again(&both[i], 0, fds[i]);
	refuse_call(SYS_statmount, ENOSYS);
	for (int i = 0; i < NAMESPACES; i++) {
		if (fds[i] < 0)
			continue;
		read_again(&both[i], 1, fds[i]);
		assert_both(&both[i]);
		close(fds[i]);
		n++;
	}
	assert_true(n > NAMESPACES / 4);
}

TEST(both_ways_read_the_same_map)
{
	char own[][64] = { "0 0 4294967295\n", "0 100000 65536\n", "0 100000 500\n500 200000 500\n",
			   "500 100000 500\n0 200000 500\n1000 300000 3\n" };

	need_root();
	in_child(read_all_both_ways, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		in_child(read_all_both_ways, own[i]);
}

struct others {
	int fds[3];
};

/* The namespaces are not below this one: their IDs have no numbers here, or the caller no privilege. */
static void read_others_both_ways(void *data)
{
	const struct others *others = data;
	struct both both[3];

	enter_userns("0 100000 1000\n");
	for (int i = 0; i < 3; i++)
		read_again(&both[i], 0, others->fds[i]);
	refuse_call(SYS_statmount, ENOSYS);
	for (int i = 0; i < 3; i++) {
		read_again(&both[i], 1, others->fds[i]);
		assert_both(&both[i]);
	}
}

TEST(both_ways_refuse_the_same_namespaces)
{
	struct others others;

	need_root();
	others.fds[0] = userns_of(SOME_MAP);
	others.fds[1] = userns_of("0:100000:10");
	others.fds[2] = open_ns(getpid(), O_RDONLY);
	in_child(read_others_both_ways, &others);
	for (int i = 0; i < 3; i++)
		close(others.fds[i]);
}

static void without_processes(void *fd)
{
	AUTO_MAP struct idm_map *map = map_of("");
	struct idm_error err;

	must(unshare(CLONE_NEWPID)); /* a child would be its init */
	refuse_call(SYS_clone, EPERM);
	refuse_call(SYS_clone3, EPERM);
	if (idm_kernel_reports_fd())
		assert_ok(idm_map_add_userns(map, *(int *)fd, &err), &err);
	else
		assert_true(idm_map_add_userns(map, *(int *)fd, &err) < 0);
	assert_map(map, idm_kernel_reports_fd() ? SOME_MAP : "");
}

TEST(linux_7_needs_no_process_for_it)
{
	in_child_with_userns(without_processes);
}

/* ---- by path ---- */

TEST(paths)
{
	AUTO_MAP struct idm_map *map = map_of("");
	struct idm_error err;
	char path[64];
	struct neighbour n;

	need_root();
	n = process_with(MAPPED);
	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)n.pid);
	assert_ok(idm_map_parse(map, path, IDM_MAP_PARSE_LOOKUP, &err), &err);
	assert_map(map, "0:100000:65536");
	neighbour_end(&n);
}

/* Some devices act when they are opened, such as a watchdog. A terminal and null stand for them. */
TEST(only_namespaces_are_opened)
{
	static const char *const paths[] = { SCRATCH "/fifo", SCRATCH "/null", SCRATCH "/tty",
					     SCRATCH "/file", SCRATCH };
	AUTO_MAP struct idm_map *map = map_of("1:2:3");
	AUTO_CLOSE int opens = (int)must(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
	char event[512];
	struct idm_error err;

	scratch_enter();
	must(mkfifo(SCRATCH "/fifo", 0600));
	must(mknod(SCRATCH "/null", S_IFCHR | 0600, makedev(1, 3)));
	must(mknod(SCRATCH "/tty", S_IFCHR | 0600, makedev(5, 0)));
	scratch_file(SCRATCH "/file", "");
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		must(inotify_add_watch(opens, paths[i], IN_OPEN));
		assert_error(idm_map_parse(map, paths[i], IDM_MAP_PARSE_LOOKUP, &err), -EINVAL, &err,
			     paths[i], "read user namespace", "the file is not a user namespace");
		assert_int_equal(read(opens, event, sizeof(event)), -1);
		assert_int_equal(errno, EAGAIN);
	}
}

TEST(paths_that_are_none)
{
	AUTO_MAP struct idm_map *map = map_of("1:2:3");
	struct idm_error err;

	scratch_enter();
	must(mkfifo(SCRATCH "/fifo", 0600));
	assert_error(idm_map_parse(map, "/no/such/file", IDM_MAP_PARSE_LOOKUP, &err), -ENOENT, &err,
		     "/no/such/file", "open user namespace", NULL);
	assert_error(idm_map_parse(map, "/proc/self/ns/mnt", IDM_MAP_PARSE_LOOKUP, &err), -EINVAL, &err,
		     "/proc/self/ns/mnt", "read user namespace", "the file is not a user namespace");
	assert_error(idm_map_parse(map, SCRATCH, IDM_MAP_PARSE_LOOKUP, &err), -EINVAL, &err, SCRATCH,
		     "read user namespace", "the file is not a user namespace");
	/* A pipe without a writer: no waiting for one. */
	assert_error(idm_map_parse(map, SCRATCH "/fifo", IDM_MAP_PARSE_LOOKUP, &err), -EINVAL, &err,
		     SCRATCH "/fifo", "read user namespace", "the file is not a user namespace");
	assert_map(map, "1:2:3");
}

/* ---- all or nothing ---- */

TEST(overlap_with_what_is_there)
{
	AUTO_MAP struct idm_map *map = map_of("u:5000000:5000000:1,g:5:5000000:1");
	AUTO_CLOSE int fd = -1;
	struct idm_error err;

	need_root();
	fd = userns_of(SOME_MAP);
	/* The uid side would do, the gid side does not. */
	assert_error(idm_map_add_userns(map, fd, &err), -EINVAL, &err, "g:5:5000000:1", "add to map",
		     "overlaps g:0:200000:1000: both have the disk ID 5");
	assert_map(map, "u:5000000:5000000:1,g:5:5000000:1");
}

static void look_from_inside(void *data)
{
	AUTO_MAP struct idm_map *map = map_of("1:2:3");
	struct idm_error err;

	enter_userns("0 100000 1000\n");
	assert_error(idm_map_add_pid(map, *(pid_t *)data, &err), -EINVAL, &err, NULL,
		     "read user namespace", "not visible");
	assert_map(map, "1:2:3");
}

/* From inside a user namespace, IDs outside have no number. The kernel says 4294967295. */
TEST(ids_that_are_not_visible_from_here)
{
	pid_t pid = getpid();

	need_root();
	in_child(look_from_inside, &pid);
}

/* ---- other surroundings ---- */

static void without_clone3(void *fd)
{
	AUTO_MAP struct idm_map *map = map_of("");
	struct idm_error err;

	refuse_call(SYS_clone3, EPERM);
	assert_ok(idm_map_add_userns(map, *(int *)fd, &err), &err);
	assert_map(map, SOME_MAP);
}

TEST(where_clone3_is_forbidden)
{
	in_child_with_userns(without_clone3);
}

static void as_init(void *unused)
{
	(void)unused;
	assert_int_equal(getpid(), 1);
}

static void before_its_init(void *fd)
{
	AUTO_MAP struct idm_map *map = map_of("1:2:3");
	struct idm_error err;

	must(unshare(CLONE_NEWPID));
	refuse_call(SYS_statmount, ENOSYS); /* where the map is read without a child */
	assert_error(idm_map_add_userns(map, *(int *)fd, &err), -EBUSY, &err, "", "read user namespace",
		     "init of the PID namespace that this thread unshared");
	assert_map(map, "1:2:3");
	in_child(as_init, NULL);
}

TEST(a_pid_namespace_is_not_used_up)
{
	in_child_with_userns(before_its_init);
}

static void as_init_with_the_outer_proc(void *fd)
{
	AUTO_MAP struct idm_map *map = map_of("");
	struct idm_error err;

	assert_int_equal(getpid(), 1);
	assert_ok(idm_map_add_userns(map, *(int *)fd, &err), &err);
	assert_map(map, SOME_MAP);
}

static void in_a_new_pid_namespace(void *fd)
{
	must(unshare(CLONE_NEWPID));
	in_child(as_init_with_the_outer_proc, fd);
}

TEST(in_a_pid_namespace_with_the_outer_proc)
{
	in_child_with_userns(in_a_new_pid_namespace);
}

/* ---- nothing else has changed ---- */

TEST(nothing_is_left)
{
	AUTO_CLOSE int fd = -1;

	need_root();
	fd = userns_of(SOME_MAP);
	must(signal(SIGCHLD, SIG_IGN) == SIG_ERR ? -1 : 0);
	for (int i = 0; i < 50; i++) {
		struct snapshot *before = snapshot_take(SNAPSHOT_ALL);
		AUTO_MAP struct idm_map *map = map_of("");
		struct idm_error err;

		must(prctl(PR_SET_DUMPABLE, i % 2));
		assert_ok(idm_map_add_userns(map, fd, &err), &err);
		assert_int_equal(must(prctl(PR_GET_DUMPABLE)), i % 2);
		snapshot_assert_same(before);
	}
	must(prctl(PR_SET_DUMPABLE, 1));
	must(signal(SIGCHLD, SIG_DFL) == SIG_ERR ? -1 : 0);
}

static pid_t our_pid;
static int (*shared_count)[2];

static void count_who(int number)
{
	(void)number;
	__atomic_add_fetch(&(*shared_count)[syscall(SYS_getpid) != our_pid], 1, __ATOMIC_RELAXED);
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

/* A signal for the whole process group, as from a terminal, neither runs code in the child nor ends it.
 */
TEST(no_signal_gets_to_the_child)
{
	AUTO_CLOSE int fd = -1;
	bool stop = false;
	pthread_t sender;

	need_root();
	fd = userns_of(SOME_MAP);
	must(setpgid(0, 0));
	our_pid = getpid();
	shared_count = mmap(NULL, sizeof(*shared_count), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(shared_count != MAP_FAILED);
	must(signal(SIGUSR1, count_who) == SIG_ERR ? -1 : 0);
	assert_int_equal(pthread_create(&sender, NULL, send_to_the_group, &stop), 0);
	for (int i = 0; i < 300; i++) {
		AUTO_MAP struct idm_map *map = map_of("");
		struct idm_error err;

		assert_ok(idm_map_add_userns(map, fd, &err), &err);
		assert_map(map, SOME_MAP);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(sender, NULL);
	assert_true((*shared_count)[0] > 0);
	assert_int_equal((*shared_count)[1], 0);
}

// SPDX-License-Identifier: MIT
/*
 * A hundred threads do this a thousand times. The library refuses a bad map, and mounts with a good one.
 * The test checks the owner of every relevant ID through that mount. At the same time a hostile thread
 * kills or reaps the library's child, before or after the library checks that the child still exists. A
 * fix of the same race in another project was judged by such a test. Here nothing depends on chance. A
 * seccomp filter stops the library at its check and at the first write after it. A table states what the
 * hostile thread does then.
 */
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/macros.h"
#include "tests/lib/maps.h"
#include "tests/lib/scratch.h"
#include "tests/lib/snapshot.h"

#define THREADS 100
#define REPETITIONS 1000
#define FEWEST 5
#define SHORT_SECONDS 10

/* ---- the table ---- */

enum fate { NONE, KILLED_BEFORE, REAPED_BEFORE, KILLED_AFTER, REAPED_AFTER, FATES };

static const char *const fates[] = {
	[NONE] = "left alone",
	[KILLED_BEFORE] = "killed before the question",
	[REAPED_BEFORE] = "reaped before the question",
	[KILLED_AFTER] = "killed after it",
	[REAPED_AFTER] = "reaped after it",
};

static struct worker {
	_Atomic pid_t tid;
	_Atomic int fate; /* of the next child; NONE when that is done */
} workers[THREADS];

static atomic_int listener; /* -1 until the filter is installed */
static _Atomic unsigned int repetitions, came[FATES], refused, attached;
static pthread_barrier_t together;
static bool enough; /* changed by one thread between two barriers */
static struct timespec begin;
static int probe;

/* ---- maps ---- */

/*
 * Ranges of disk IDs. The first and the last ID of each range have a file, and so have their neighbours
 * outside. The file has the ID as its name and as its owner.
 */
static const struct range {
	uint32_t first, count;
} ranges[] = { { 0, 1000 },    { 1001, 1 },	  { 65536, 65536 },
	       { 2000000, 2 }, { 2147483646, 4 }, { 4294967280, 15 } };

#define FILES (4 * ARRAY_SIZE(ranges))

static uint32_t file_id(size_t file)
{
	const struct range *r = &ranges[file / 4];
	const uint32_t ids[] = { r->first - 1, r->first, r->first + r->count - 1, r->first + r->count };

	return ids[file % 4];
}

/* Two of the neighbours are not valid IDs. */
static bool is_id(uint32_t id)
{
	return id != UINT32_MAX;
}

static void make_files(void)
{
	char name[64];

	scratch_dir(SCRATCH "/probe");
	for (size_t i = 0; i < FILES; i++) {
		if (!is_id(file_id(i)))
			continue;
		snprintf(name, sizeof(name), SCRATCH "/probe/%u", file_id(i));
		scratch_file(name, "");
		must(chown(name, file_id(i), file_id(i)));
	}
	probe = (int)must(open(SCRATCH "/probe", O_PATH | O_CLOEXEC));
}

/* Whether this side of the map contains the range. Each side contains at least one. */
static bool is_mapped(unsigned int n, unsigned int kind, size_t range)
{
	return range == n % ARRAY_SIZE(ranges) || (n * 2654435761U >> (range + 8 * kind)) & 1;
}

/* The ranges never touch. Nearly every map has other numbers, and some maps contain root. */
static uint32_t seen_from(unsigned int n, unsigned int kind, size_t range)
{
	if (range == 0 && n % 3 == 0)
		return 0;
	return 100000000 * (uint32_t)(range + 1) + 70000 * (n % 1000) + kind * 1000;
}

static uint32_t expected(unsigned int n, unsigned int kind, uint32_t disk)
{
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++)
		if (is_mapped(n, kind, i) && disk - ranges[i].first < ranges[i].count)
			return seen_from(n, kind, i) + (disk - ranges[i].first);
	return 65534;
}

static struct idm_map *good_map(unsigned int n)
{
	struct idm_map *map = map_of("");

	for (unsigned int kind = IDM_UID; kind <= IDM_GID; kind++)
		for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
			struct idm_entry e = { ranges[i].first, seen_from(n, kind, i), ranges[i].count };

			if (is_mapped(n, kind, i))
				assert_ok(idm_map_add(map, kind, &e, 1, NULL), NULL);
		}
	return map;
}

/* ---- bad maps ---- */

static const struct bad {
	const char *text; /* NULL: more entries than the kernel accepts */
	int code;
	const char *reason;
} bad[] = {
	{ "0:1000:10,5:3000:1", -EINVAL, "overlap" },
	{ "0:1000:10,20:1009:10", -EINVAL, "overlap" },
	{ "0:1000:0", -EINVAL, "count" },
	{ "4294967290:0:6", -EINVAL, "4294967294" },
	{ "0:4294967290:6", -EINVAL, "4294967294" },
	{ "4294967295:0:1", -EINVAL, "4294967294" },
	{ "0:1000:10x", -EINVAL, NULL },
	{ "0:-1:10", -EINVAL, NULL },
	{ "0:0x10:10", -EINVAL, NULL },
	{ "0:4294967296:1", -EINVAL, NULL },
	{ "u:0:1000:10", -EINVAL, "gid" },
	{ "g:0:1000:10", -EINVAL, "uid" },
	{ NULL, -E2BIG, "entries" },
};

static void add_too_many(struct idm_map *map)
{
	for (uint32_t i = 0; i < 341; i++)
		assert_ok(idm_map_add(map, IDM_BOTH, &(struct idm_entry){ 2 * i, 3 * i, 1 }, 1, NULL),
			  NULL);
}

static void refuse_one(unsigned int n)
{
	const struct bad *b = &bad[n % ARRAY_SIZE(bad)];
	AUTO_MAP struct idm_map *map = map_of("");
	struct idm_error err;
	int r = 0;

	if (b->text)
		r = idm_map_parse(map, b->text, 0, &err);
	else
		add_too_many(map);
	if (r == 0)
		r = idm_userns_open(map, 0, &err);
	assert_error(r, b->code, &err, NULL, NULL, b->reason);
	refused++;
}

/* ---- good maps ---- */

static void look(int directory, unsigned int n)
{
	char name[16];
	struct stat st;

	for (size_t i = 0; i < FILES; i++) {
		uint32_t id = file_id(i), uid = expected(n, IDM_UID, id), gid = expected(n, IDM_GID, id);

		if (!is_id(id))
			continue;
		snprintf(name, sizeof(name), "%u", id);
		must(fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW));
		if (st.st_uid != uid || st.st_gid != gid)
			fail_msg("map %u: %u is seen as %u:%u, expected %u:%u", n, id, st.st_uid,
				 st.st_gid, uid, gid);
	}
}

static void attach_and_look(int tree, unsigned int n)
{
	char target[64];
	struct idm_error err;
	int directory;

	snprintf(target, sizeof(target), SCRATCH "/at/%u", n % THREADS);
	assert_ok(idm_tree_attach(tree, AT_FDCWD, target, NULL, &err), &err);
	directory = (int)must(open(target, O_PATH | O_CLOEXEC));
	look(directory, n);
	close(directory);
	assert_ok(idm_umount(AT_FDCWD, target, IDM_UMOUNT_LAZY, &err), &err);
	attached++;
}

static void mount_one(unsigned int n)
{
	static const unsigned int ways[] = { 0, IDM_USERNS_ZOMBIE, IDM_USERNS_LIVE,
					     IDM_USERNS_OWN_MEMORY };
	AUTO_MAP struct idm_map *map = good_map(n);
	AUTO_CLOSE int userns = -1, tree = -1;
	struct idm_error err;

	userns = (int)assert_ok(idm_userns_open(map, ways[n / FATES % ARRAY_SIZE(ways)], &err), &err);
	tree = (int)assert_ok(idm_tree_open(probe, "", userns, ITSELF, &err), &err);
	look(tree, n);
	if (n % 10 == 0)
		attach_and_look(tree, n);
}

/* ---- the threads ---- */

static double seconds_since(const struct timespec *from)
{
	struct timespec now;

	must(clock_gettime(CLOCK_MONOTONIC, &now));
	return (double)(now.tv_sec - from->tv_sec) + (double)(now.tv_nsec - from->tv_nsec) / 1e9;
}

/* The short form stops after a time, but not before a least number of repetitions. */
static bool is_enough(unsigned int done)
{
	if (done == REPETITIONS || (TEST_SANITIZED && done == 4 * FEWEST))
		return true;
	return !test_is_long() && done >= FEWEST && seconds_since(&begin) > SHORT_SECONDS;
}

static void *be_worker(void *data)
{
	struct worker *w = data;
	unsigned int k = (unsigned int)(w - workers);

	w->tid = (pid_t)syscall(SYS_gettid);
	for (unsigned int i = 0; !enough; i++) {
		unsigned int n = i * THREADS + k;

		refuse_one(n);
		w->fate = (int)(n % FATES);
		mount_one(n);
		assert_int_equal(w->fate, NONE);
		if (pthread_barrier_wait(&together) == PTHREAD_BARRIER_SERIAL_THREAD)
			enough = is_enough(++repetitions);
		pthread_barrier_wait(&together);
	}
	return NULL;
}

/* Stops the check "does it still exist?", and writes. Threads that start later inherit the filter. */
static void hand_over_calls(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_send_signal, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { ARRAY_SIZE(filter), filter };

	listener = (int)must(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
				     SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
}

static void *be_leader(void *unused)
{
	pthread_t threads[THREADS];

	(void)unused;
	hand_over_calls();
	for (unsigned int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, be_worker, &workers[i]), 0);
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	return NULL;
}

/* ---- the hostile thread ---- */

static struct worker *find_worker(pid_t tid)
{
	for (unsigned int i = 0; i < THREADS; i++)
		if (workers[i].tid == tid)
			return &workers[i];
	fail_msg("thread %d is unknown", tid);
}

static void kill_child(pid_t tid, bool reap)
{
	char path[64], text[64];
	struct pollfd end = { .events = POLLIN };
	siginfo_t info;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", tid);
	fd = (int)must(open(path, O_RDONLY | O_CLOEXEC));
	text[must(read(fd, text, sizeof(text) - 1))] = '\0';
	close(fd);
	end.fd = (int)must(syscall(SYS_pidfd_open, atoi(text), 0));
	must(syscall(SYS_pidfd_send_signal, end.fd, SIGKILL, NULL, 0));
	must(TEMP_FAILURE_RETRY(poll(&end, 1, -1)));
	if (reap)
		must(waitid((idtype_t)P_PIDFD, (id_t)end.fd, &info, WEXITED | __WALL));
	close(end.fd);
}

static void decide(const struct seccomp_notif *call)
{
	struct worker *w = find_worker((pid_t)call->pid);
	bool before = call->data.nr == SYS_pidfd_send_signal;
	int fate = w->fate;

	if (before ? fate == KILLED_AFTER || fate == REAPED_AFTER
		   : fate == KILLED_BEFORE || fate == REAPED_BEFORE)
		return;
	if (fate != NONE)
		kill_child((pid_t)call->pid, fate == REAPED_BEFORE || fate == REAPED_AFTER);
	came[fate] += fate != NONE || before;
	w->fate = NONE;
}

/* Works until all threads have exited. */
static void be_hostile(void)
{
	struct pollfd calls = { .fd = listener, .events = POLLIN };

	while (must(TEMP_FAILURE_RETRY(poll(&calls, 1, -1))) && calls.revents & POLLIN) {
		struct seccomp_notif call = { 0 };
		struct seccomp_notif_resp answer = { .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };

		must(ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call));
		decide(&call);
		answer.id = call.id;
		must(ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer));
	}
	close(listener);
}

/* ---- all together ---- */

static void make_places(void)
{
	char target[64];

	for (unsigned int i = 0; i < THREADS; i++) {
		snprintf(target, sizeof(target), SCRATCH "/at/%u", i);
		scratch_dir(target);
	}
}

TEST_AS(a_thousand_times_a_hundred, 300, 5, 12, namespaces_without_mounts)
{
	struct snapshot *before;
	pthread_t leader;

	scratch_enter();
	make_files();
	make_places();
	before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
	listener = -1;
	must(clock_gettime(CLOCK_MONOTONIC, &begin));
	pthread_barrier_init(&together, NULL, THREADS);
	assert_int_equal(pthread_create(&leader, NULL, be_leader, NULL), 0);
	while (listener < 0)
		sched_yield();
	be_hostile();
	pthread_join(leader, NULL);
	pthread_barrier_destroy(&together);
	snapshot_assert_same(before);

	note("%u times %d in %.1f s: %u bad maps refused, %u good ones mounted, %u of them attached; "
	     "0 failures",
	     repetitions, THREADS, seconds_since(&begin), refused, repetitions * THREADS, attached);
	for (size_t i = 0; i < FATES; i++) {
		note("%u children %s", came[i], fates[i]);
		assert_true(came[i] >= FEWEST * THREADS / FATES);
	}
	proof("stress", refused, "bad maps refused");
	proof("stress", repetitions * THREADS, "good maps mounted, and each ID checked");
	close(probe);
}

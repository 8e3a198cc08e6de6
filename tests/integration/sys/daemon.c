// SPDX-License-Identifier: MIT
/*
 * A thread that is cancelled inside the library is not cancelled there: no descriptor, process or lock
 * is left behind, and no other thread waits for what never comes.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "tests/integration/rootfs/plans.h"

#define THREADS 4
#define ROUNDS (TEST_SANITIZED ? 30 : test_is_slow() ? 100 : 1000)

static struct idm_userns_cache *cache;
static struct idm_reaper *reaper;
static struct idm_map *map;
static int userns;

/* close(3) is a place to be cancelled at, before anything is closed. */
static void give_back(long fd)
{
	int state;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	if (fd >= 0)
		close((int)fd);
	pthread_setcancelstate(state, &state);
}

/* ---- each function, called so that it succeeds; the result of the last call ---- */

static __thread struct idm_error error;

static long try_userns(void)
{
	long r = idm_userns_open(map, 0, &error);

	give_back(r);
	return r < 0 ? r : 0;
}

static long try_live(void)
{
	long r = idm_userns_open(map, IDM_USERNS_LIVE, &error);

	give_back(r);
	return r < 0 ? r : 0;
}

/* More maps than the cache keeps, so that they are made and thrown away. */
static long try_cache(void)
{
	static unsigned int next;
	unsigned int i = __atomic_fetch_add(&next, 1, __ATOMIC_RELAXED) / 4 % 3;
	struct idm_entry entry = { 0, 1000 + i, 1 };
	struct idm_map *own;
	long r = idm_map_new(&own);

	if (r == 0)
		r = idm_map_add(own, IDM_BOTH, &entry, 1, &error);
	if (r == 0)
		r = idm_userns_cache_open(cache, own, &error);
	give_back(r);
	idm_map_free(own);
	return r < 0 ? r : 0;
}

static long try_new_cache(void)
{
	struct idm_userns_cache *own;
	long r = idm_userns_cache_new(2, &own, &error);

	if (r == 0)
		r = idm_userns_cache_open(own, map, &error);
	give_back(r);
	idm_userns_cache_free(own);
	return r < 0 ? r : 0;
}

/* A map is made anew for each. */
static long try_map(long (*fill)(struct idm_map *map))
{
	struct idm_map *own;
	long r = idm_map_new(&own);

	if (r == 0)
		r = fill(own);
	idm_map_free(own);
	return r;
}

static long fill_from_userns(struct idm_map *own)
{
	return idm_map_add_userns(own, userns, &error);
}

static long fill_from_pid(struct idm_map *own)
{
	return idm_map_add_pid(own, getpid(), &error);
}

static long fill_from_path(struct idm_map *own)
{
	return idm_map_parse(own, "/proc/self/ns/user", IDM_MAP_PARSE_LOOKUP, &error);
}

static long fill_from_names(struct idm_map *own)
{
	long r = idm_map_parse(own, "root:root", IDM_MAP_PARSE_LOOKUP, &error);

	return r < 0 ? r : idm_map_keep_rest(own, IDM_BOTH, &error);
}

/* The users with a range, and the presence of libsubid, depend on the machine. */
static long fill_from_ranges(struct idm_map *own)
{
	idm_map_add_subid(own, "root", &error);
	return 0;
}

static long fill_from_maps(struct idm_map *own)
{
	struct idm_map *copy;
	long r = idm_map_copy(map, &copy);

	if (r < 0)
		return r;
	r = idm_map_compose(copy, own);
	idm_map_invert(copy);
	idm_map_free(copy);
	return r;
}

static long try_maps(void)
{
	static long (*const ways[])(struct idm_map *) = {
		fill_from_userns, fill_from_pid,    fill_from_path,
		fill_from_names,  fill_from_ranges, fill_from_maps,
	};
	long r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(ways) && r == 0; i++)
		r = try_map(ways[i]);
	return r;
}

static long try_tree(void)
{
	long r = idm_tree_open(AT_FDCWD, ROOT, userns, NULL, &error);

	give_back(r);
	return r < 0 ? r : 0;
}

/* Each thread has a target of its own, so that nothing is put on what another thread removes. */
static long try_attach(void)
{
	char target[64];
	int tree = idm_tree_open(AT_FDCWD, ROOT, userns, NULL, &error);
	long r;

	snprintf(target, sizeof(target), SCRATCH "/at/%d", (int)syscall(SYS_gettid));
	r = tree < 0 ? tree
		     : idm_tree_attach(tree, AT_FDCWD, target,
				       ATTACH(IDM_ATTACH_MKDIR, IDM_PROPAGATION_PRIVATE), &error);
	if (r == 0)
		r = idm_umount(AT_FDCWD, target, IDM_UMOUNT_LAZY | IDM_UMOUNT_RECURSIVE, &error);
	give_back(tree);
	return r;
}

static long try_overlay(void)
{
	struct idm_overlay_options o = IDM_OVERLAY_OPTIONS_INIT;
	struct idm_path lower[] = { { AT_FDCWD, ROOT "/etc" }, { AT_FDCWD, ROOT "/bin" } };
	long r;

	o.lower = lower;
	o.n_lower = ARRAY_SIZE(lower);
	o.map = map;
	r = idm_overlay_open(&o, &error);
	give_back(r);
	return r < 0 ? r : 0;
}

static long add_bind(struct idm_plan *plan)
{
	static const char *const words[] = { "bind", MAP };
	struct idm_plan_add_options m = IDM_PLAN_ADD_OPTIONS_INIT;

	m.source = ROOT;
	m.options = words;
	m.n_options = ARRAY_SIZE(words);
	return idm_plan_add(plan, &m, &error);
}

static long try_plan(void)
{
	char target[64], journal[64];
	struct idm_plan_apply_options apply = IDM_PLAN_APPLY_OPTIONS_INIT;
	struct idm_plan *plan;
	long r = idm_plan_new(&plan);

	snprintf(target, sizeof(target), SCRATCH "/at/plan-%d", (int)syscall(SYS_gettid));
	snprintf(journal, sizeof(journal), SCRATCH "/at/journal-%d", (int)syscall(SYS_gettid));
	apply.flags = IDM_PLAN_APPLY_MKDIR;
	apply.journal = journal;
	if (r == 0)
		r = add_bind(plan);
	if (r == 0)
		idm_plan_harden(plan, NULL, NULL);
	if (r == 0)
		r = idm_plan_apply(plan, AT_FDCWD, target, &apply, &error);
	if (r == 0)
		r = idm_plan_undo(journal, IDM_PLAN_UNDO_LAZY, &error);
	apply.journal = NULL;
	if (r == 0)
		r = idm_plan_open(plan, &apply, &error);
	give_back(r);
	idm_plan_free(plan);
	return r < 0 ? r : 0;
}

static long try_text(void)
{
	static const char text[] = "[{\"Type\":\"bind\",\"Source\":\"/\",\"Options\":[\"rbind\"]}]";
	struct idm_plan_read_options how = IDM_PLAN_READ_OPTIONS_INIT;
	struct idm_plan *plan;
	long r = idm_plan_new(&plan);

	if (r == 0)
		r = idm_plan_read(plan, text, sizeof(text) - 1, &how, &error);
	idm_plan_free(plan);
	return r;
}

/* The callback is called inside the library. */
static int look(const struct idm_mount_info *mount, void *data)
{
	(void)mount;
	(void)data;
	pthread_testcancel();
	return 0;
}

static int look_at_feature(const struct idm_feature_info *f, void *data)
{
	(void)f;
	(void)data;
	pthread_testcancel();
	return 0;
}

static long try_list(void)
{
	long r = idm_list(IDM_LIST_UNMAPPED, look, NULL, &error);

	return r ? r : idm_list_path(AT_FDCWD, ROOT, 0, look, NULL, &error);
}

static long try_check(void)
{
	struct idm_check_result check = IDM_CHECK_RESULT_INIT;
	long r = idm_features(0, look_at_feature, NULL, NULL);

	return r ? r : idm_check_path(AT_FDCWD, ROOT, IDM_CHECK_WRITE, &check, NULL, &error);
}

static long start_child(bool in_namespaces)
{
	static const char *const argv[] = { "true", NULL };
	struct idm_child_options o = IDM_CHILD_OPTIONS_INIT;

	o.path = "/bin/true";
	o.argv = argv;
	if (in_namespaces) {
		o.map = map;
		o.namespaces = IDM_NS_PID;
		o.uid = 0;
	}
	return idm_child_start(&o, &error);
}

static long try_child(void)
{
	long pidfd = start_child(true), r;

	if (pidfd < 0)
		return pidfd;
	r = idm_child_signal((int)pidfd, 0, &error);
	if (r == 0)
		r = idm_child_wait((int)pidfd, -1, NULL, &error);
	give_back(pidfd);
	return r;
}

static long try_reaper(void)
{
	static const char *const argv[] = { "/bin/true", NULL };
	struct idm_child_options o = IDM_CHILD_OPTIONS_INIT;
	struct idm_exit_info exit;
	long pidfd, r;
	int name;

	o.path = argv[0];
	o.argv = argv;
	pidfd = idm_reaper_start(reaper, &o, IDM_REAPER_ADD_HOLD, &name, &error);
	if (pidfd < 0)
		return pidfd;
	r = idm_reaper_wait(reaper, &name, -1, &exit, &error);
	give_back(pidfd);
	if (r == 0)
		r = idm_reaper_next(reaper, 0, &exit, NULL, &error);
	return r == -ETIMEDOUT ? 0 : r;
}

static long watch_child(struct idm_reaper *own, long pidfd)
{
	struct idm_exit_info exit;
	long r = idm_reaper_add(own, (int)pidfd, 0, NULL, &error);

	if (r < 0) {
		siginfo_t info;

		idm_sys_waitid_pidfd((int)pidfd, &info, WEXITED);
		return r;
	}
	return idm_reaper_next(own, -1, &exit, NULL, &error);
}

static long try_new_reaper(void)
{
	struct idm_reaper *own;
	long r = idm_reaper_new(&own, &error), pidfd = -1;

	if (r < 0)
		return r;
	r = idm_reaper_start_forkserver(own, IDM_REAPER_FORKSERVER_ORPHANS, NULL, &error);
	if (r == 0)
		r = pidfd = start_child(false);
	if (r >= 0)
		r = watch_child(own, pidfd);
	give_back(pidfd);
	idm_reaper_free(own);
	return r;
}

static const struct call {
	const char *name;
	long (*try)(void);
} calls[] = {
	{ "userns", try_userns },	{ "live", try_live },	    { "cache", try_cache },
	{ "new cache", try_new_cache }, { "maps", try_maps },	    { "tree", try_tree },
	{ "attach", try_attach },	{ "overlay", try_overlay }, { "plan", try_plan },
	{ "text", try_text },		{ "list", try_list },	    { "check", try_check },
	{ "child", try_child },		{ "reaper", try_reaper },   { "new reaper", try_new_reaper },
};

/* ---- surroundings ---- */

static struct snapshot *before;

static void make(void)
{
	struct idm_error err;

	assert_ok(idm_userns_cache_new(2, &cache, NULL), NULL);
	assert_ok(idm_reaper_new(&reaper, &err), &err);
	assert_ok(idm_reaper_start_forkserver(reaper, 0, NULL, &err), &err);
}

static void unmake(void)
{
	idm_userns_cache_free(cache);
	idm_reaper_free(reaper);
}

static void enter(void)
{
	enter_image();
	scratch_dir(SCRATCH "/at");
	map = map_of("0:100000:65536");
	userns = userns_of("0:100000:65536");
	make();
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) /* what libc opens once it opens now */
		calls[i].try();
	unmake();
	before = snapshot_take(SNAPSHOT_ALL);
	make();
}

/* The cache and the reaper have no lock left, and no thread to wait for. */
static void leave(void)
{
	for (int i = 0; i < 12; i++)
		assert_ok(try_cache(), NULL);
	assert_ok(try_reaper(), NULL);
	unmake();
	snapshot_assert_same(before);
	close(userns);
	idm_map_free(map);
}

/* ---- one that is to be cancelled before the call begins ---- */

static bool came_back;

static void *call_when_cancelled(void *arg)
{
	const struct call *call = arg;
	long r;

	pthread_cancel(pthread_self());
	r = call->try();
	if (r < 0)
		fail_msg("%s: %s", call->name, strerror((int)-r));
	__atomic_store_n(&came_back, true, __ATOMIC_RELEASE);
	pthread_testcancel();
	return NULL;
}

TEST(every_call_comes_back)
{
	enter();
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		pthread_t thread;
		void *result;

		came_back = false;
		assert_int_equal(pthread_create(&thread, NULL, call_when_cancelled, (void *)&calls[i]),
				 0);
		pthread_join(thread, &result);
		if (!came_back)
			fail_msg("%s: it was cancelled inside the library", calls[i].name);
		assert_true(result == PTHREAD_CANCELED);
	}
	leave();
}

/* ---- threads that are cancelled at random ---- */

static unsigned long n_calls;

static void *call_for_ever(void *arg)
{
	struct rng rng = { (uintptr_t)arg };

	for (;;) {
		const struct call *call = &calls[rng_below(&rng, ARRAY_SIZE(calls))];
		long r = call->try();

		if (r < 0)
			fail_msg("%s: %s", call->name, strerror((int)-r));
		__atomic_fetch_add(&n_calls, 1, __ATOMIC_RELAXED);
		pthread_testcancel();
	}
	return NULL;
}

TEST_WITHIN(threads_cancelled_at_random, 300)
{
	struct rng rng = rng_new(700);
	pthread_t threads[THREADS];

	enter();
	for (int round = 0; round < ROUNDS; round++) {
		for (uintptr_t i = 0; i < THREADS; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, call_for_ever,
							(void *)((uintptr_t)round * THREADS + i)),
					 0);
		usleep(rng_below(&rng, 5000));
		for (int i = 0; i < THREADS; i++)
			pthread_cancel(threads[i]);
		for (int i = 0; i < THREADS; i++)
			pthread_join(threads[i], NULL);
	}
	note("%d threads cancelled in %lu calls", ROUNDS * THREADS, n_calls);
	leave();
}

/* ---- threads with a small stack ---- */

#define SMALL_STACK 65536

/* The least of arm64 is larger. */
static size_t size_of_small_stack(void)
{
	long least = sysconf(_SC_THREAD_STACK_MIN);

	return least > SMALL_STACK ? (size_t)least : SMALL_STACK;
}

static void *run_single_call(void *arg)
{
	const struct call *call = arg;
	long r = call->try();

	if (r < 0)
		fail_msg("%s: %s", call->name, error.message);
	return NULL;
}

/* Below the stack is nothing, so that a frame which is larger than the stack hits nothing else. */
TEST(on_a_small_stack)
{
	const size_t hole = 1 << 20, size = size_of_small_stack();
	pthread_attr_t attr;
	char *memory;

	if (TEST_SANITIZED) {
		note("sanitizers make frames larger");
		return;
	}
	enter();
	memory = mmap(NULL, hole + size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(memory != MAP_FAILED);
	must(mprotect(memory + hole, size, PROT_READ | PROT_WRITE));
	pthread_attr_init(&attr);
	assert_int_equal(pthread_attr_setstack(&attr, memory + hole, size), 0);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		pthread_t thread;

		assert_int_equal(pthread_create(&thread, &attr, run_single_call, (void *)&calls[i]), 0);
		pthread_join(thread, NULL);
	}
	pthread_attr_destroy(&attr);
	must(munmap(memory, hole + size));
	leave();
}

/* ---- limits ---- */

struct limited {
	const struct call *call;
	int resource;
	rlim_t limit;
	int errnum; /* what the call may fail with */
	const char *name;
	bool failed; /* shared with the child */
};

static void call_with_limit(void *arg)
{
	struct limited *l = arg;
	struct rlimit limit;
	long r;

	make();
	must(getrlimit((__rlimit_resource_t)l->resource, &limit));
	limit.rlim_cur = l->limit;
	if (l->resource == RLIMIT_NOFILE) {
		int next = (int)must(dup(0));

		close(next);
		limit.rlim_cur += (rlim_t)next;
	}
	must(setrlimit((__rlimit_resource_t)l->resource, &limit));
	error.errnum = 0;
	r = l->call->try();
	limit.rlim_cur = limit.rlim_max;
	must(setrlimit((__rlimit_resource_t)l->resource, &limit));
	unmake();
	if (r == 0)
		return;
	l->failed = true;
	if (r != -l->errnum)
		fail_msg("%s, %s %ld: %s", l->call->name, l->name, (long)l->limit, error.message);
	if (error.errnum)
		assert_contains(error.hint, l->name);
}

/* Each call in a process of its own, which is thrown away. */
static bool fails_with_limit(struct limited *l)
{
	l->failed = false;
	in_child(call_with_limit, l);
	return l->failed;
}

static struct limited *limited_new(int resource, int errnum, const char *name)
{
	struct limited *l = mmap(NULL, sizeof(*l), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
				 -1, 0);

	assert_true(l != MAP_FAILED);
	*l = (struct limited){ .resource = resource, .errnum = errnum, .name = name };
	return l;
}

static void enter_limits(void)
{
	enter();
	unmake();
}

static void try_few_descriptors(void)
{
	struct limited *l = limited_new(RLIMIT_NOFILE, EMFILE, "RLIMIT_NOFILE");

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		unsigned int failed = 0;

		l->call = &calls[i];
		for (l->limit = 0; l->limit < 12; l->limit++)
			failed += fails_with_limit(l);
		/* A map's text and a list of words need none. */
		if (!failed && strcmp(calls[i].name, "text") != 0)
			fail_msg("%s: it needs no descriptor", calls[i].name);
	}
}

TEST_WITHIN(with_few_descriptors, 200)
{
	enter_limits();
	try_few_descriptors();
	make();
	leave();
}

static void be_init_of_container(void *unused)
{
	(void)unused;
	do_mount("proc", "/proc", "proc", 0, NULL);
	try_few_descriptors();
}

static void start_container(void *unused)
{
	(void)unused;
	enter_limits();
	must(unshare(CLONE_NEWPID));
	in_child(be_init_of_container, NULL);
}

/* There the library opens more, to find out whether the PID namespace has an init. */
TEST_WITHIN(with_few_descriptors_in_a_container, 200)
{
	in_child(start_container, NULL);
}

/* No handler and no mask: the signal that comes with EFBIG would end the process. */
TEST(with_small_files)
{
	static const rlim_t limits[] = { 0, 1, 100, 4096, 8192 };
	struct limited *l = limited_new(RLIMIT_FSIZE, EFBIG, "RLIMIT_FSIZE");
	unsigned int failed = 0;

	enter_limits();
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		l->call = &calls[i];
		for (size_t j = 0; j < ARRAY_SIZE(limits); j++) {
			l->limit = limits[j];
			failed += fails_with_limit(l);
		}
	}
	note("%u calls named RLIMIT_FSIZE", failed);
	assert_true(failed > 5);
	make();
	leave();
}

static bool is_pending(void)
{
	sigset_t pending;

	must(sigpending(&pending));
	return sigismember(&pending, SIGXFSZ);
}

static void call_with_signal(void *arg)
{
	const struct rlimit none = { 0, RLIM_INFINITY };
	sigset_t set;

	(void)arg;
	sigemptyset(&set);
	sigaddset(&set, SIGXFSZ);
	must(pthread_sigmask(SIG_BLOCK, &set, NULL));
	must(setrlimit(RLIMIT_FSIZE, &none));
	assert_int_equal(try_child(), -EFBIG);
	assert_false(is_pending());
	must(raise(SIGXFSZ));
	assert_int_equal(try_child(), -EFBIG);
	assert_true(is_pending());
}

/* One of the caller's own stays, one of the library's does not. */
TEST(the_callers_signal_stays_pending)
{
	enter_limits();
	in_child(call_with_signal, NULL);
	make();
	leave();
}

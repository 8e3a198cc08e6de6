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
#include <sys/syscall.h>
#include <sys/wait.h>

#include "plans.h"

#define THREADS 4
#define ROUNDS (test_is_slow() ? 100 : 1000)

static struct idm_cache *cache;
static struct idm_reaper *reaper;
static struct idm_map *map;
static int userns;

/* close(3) is a place to be cancelled at, before anything is closed. */
static void give_back(long fd)
{
	if (fd >= 0)
		syscall(SYS_close, fd);
}

/* ---- each function, called so that it succeeds; the result of the last call ---- */

static long try_userns(void)
{
	struct idm_error err;
	long r = idm_userns_open(map, 0, &err);

	give_back(r);
	return r;
}

static long try_live(void)
{
	struct idm_error err;
	long r = idm_userns_open(map, IDM_USERNS_LIVE, &err);

	give_back(r);
	return r;
}

/* More maps than the cache keeps, so that they are made and thrown away. */
static long try_cache(void)
{
	static unsigned int next;
	unsigned int i = __atomic_fetch_add(&next, 1, __ATOMIC_RELAXED) / 4 % 3;
	struct idm_entry entry = { 0, 1000 + i, 1 };
	struct idm_map *own;
	struct idm_error err;
	long r = idm_map_new(&own);

	if (r == 0)
		r = idm_map_add(own, IDM_BOTH, &entry, 1, &err);
	if (r == 0)
		r = idm_cache_userns(cache, own, &err);
	give_back(r);
	idm_map_free(own);
	return r;
}

static long try_new_cache(void)
{
	struct idm_cache *own;
	long r = idm_cache_new(2, &own);

	if (r == 0)
		give_back(idm_cache_userns(own, map, NULL));
	idm_cache_free(own);
	return r;
}

static long try_maps(void)
{
	struct idm_map *own, *copy = NULL;
	long r = idm_map_copy(map, &own);

	if (r == 0)
		r = idm_map_add_userns(own, userns, NULL) == -EINVAL ? 0 : -EIO; /* they overlap */
	idm_map_free(own);
	if (r == 0)
		r = idm_map_new(&own);
	if (r == 0)
		r = idm_map_add_pid(own, getpid(), NULL);
	idm_map_free(own);
	if (r == 0)
		r = idm_map_new(&own);
	if (r == 0)
		r = idm_map_parse(own, "root:root", IDM_PARSE_LOOKUP, NULL);
	if (r == 0)
		r = idm_map_parse(own, "/proc/self/ns/user", IDM_PARSE_LOOKUP, NULL) == -EINVAL ? 0
												: -EIO;
	if (r == 0)
		idm_map_add_subid(own, "root", NULL);
	if (r == 0)
		r = idm_map_copy(map, &copy);
	if (r == 0)
		r = idm_map_compose(copy, own);
	if (r == 0)
		r = idm_map_keep_rest(copy, IDM_BOTH, NULL);
	if (r == 0)
		idm_map_invert(copy);
	idm_map_free(copy);
	idm_map_free(own);
	return r;
}

static long try_tree(void)
{
	long r = idm_tree_open(AT_FDCWD, ROOT, userns, NULL, NULL);

	give_back(r);
	return r;
}

/* Each thread has a target of its own, so that nothing is put on what another thread takes away. */
static long try_attach(void)
{
	char target[64];
	int tree = idm_tree_open(AT_FDCWD, ROOT, userns, NULL, NULL);
	struct idm_error err;
	long r;

	snprintf(target, sizeof(target), SCRATCH "/at/%d", (int)syscall(SYS_gettid));
	r = tree < 0 ? tree
		     : idm_tree_attach(tree, AT_FDCWD, target, IDM_ATTACH_MKDIR, IDM_PROPAGATION_PRIVATE,
				       &err);
	if (r == 0)
		r = idm_umount(target, IDM_UMOUNT_LAZY | IDM_UMOUNT_RECURSIVE, &err);
	give_back(tree);
	return r;
}

static long try_overlay(void)
{
	struct idm_overlay o = IDM_OVERLAY_INIT;
	struct idm_path lower[] = { { AT_FDCWD, ROOT "/etc" }, { AT_FDCWD, ROOT "/bin" } };
	long r;

	o.lower = lower;
	o.n_lower = ARRAY_SIZE(lower);
	o.map = map;
	r = idm_overlay_open(&o, NULL);
	give_back(r);
	return r;
}

static long add_bind(struct idm_plan *plan)
{
	static const char *const words[] = { "bind", MAP };
	struct idm_plan_mount m = IDM_PLAN_MOUNT_INIT;

	m.source = ROOT;
	m.options = words;
	m.n_options = ARRAY_SIZE(words);
	return idm_plan_add(plan, &m, NULL);
}

static long try_plan(void)
{
	char target[64], record[64];
	struct idm_apply apply = IDM_APPLY_INIT;
	struct idm_plan *plan;
	struct idm_error err;
	long r = idm_plan_new(&plan);

	snprintf(target, sizeof(target), SCRATCH "/at/plan-%d", (int)syscall(SYS_gettid));
	snprintf(record, sizeof(record), SCRATCH "/at/record-%d", (int)syscall(SYS_gettid));
	apply.flags = IDM_APPLY_MKDIR;
	apply.record = record;
	if (r == 0)
		r = add_bind(plan);
	if (r == 0)
		idm_plan_harden(plan);
	if (r == 0)
		r = idm_plan_apply(plan, AT_FDCWD, target, &apply, &err);
	if (r == 0)
		r = idm_plan_undo(record, IDM_UNDO_LAZY, &err);
	apply.record = NULL;
	if (r == 0)
		r = idm_plan_open(plan, &apply, &err);
	give_back(r);
	idm_plan_free(plan);
	return r;
}

static long try_text(void)
{
	static const char text[] = "[{\"Type\":\"bind\",\"Source\":\"/\",\"Options\":[\"rbind\"]}]";
	struct idm_plan_text how = IDM_PLAN_TEXT_INIT;
	struct idm_plan *plan;
	long r = idm_plan_new(&plan);

	if (r == 0)
		r = idm_plan_read(plan, text, sizeof(text) - 1, &how, NULL);
	idm_plan_free(plan);
	return r;
}

/* The callback is called inside the library. */
static int look(const struct idm_mount *mount, void *data)
{
	(void)mount;
	(void)data;
	pthread_testcancel();
	return 0;
}

static int look_at_feature(const struct idm_feature *f, void *data)
{
	(void)f;
	(void)data;
	pthread_testcancel();
	return 0;
}

static long try_list(void)
{
	long r = idm_list(IDM_LIST_UNMAPPED, look, NULL, NULL);

	return r ? r : idm_list_path(AT_FDCWD, ROOT, look, NULL, NULL);
}

static long try_check(void)
{
	struct idm_check check = { .size = sizeof(check) };
	struct idm_error err;
	long r = idm_features(look_at_feature, NULL);

	return r ? r : idm_check_path(AT_FDCWD, ROOT, IDM_CHECK_WRITE, &check, &err);
}

static long try_child(void)
{
	static const char *const argv[] = { "true", NULL };
	struct idm_child_options o = IDM_CHILD_OPTIONS_INIT;
	long pidfd, r;

	o.path = "/bin/true";
	o.argv = argv;
	o.map = map;
	o.namespaces = IDM_NS_PID;
	o.uid = 0;
	pidfd = idm_child_start(&o, NULL);
	if (pidfd < 0)
		return pidfd;
	r = idm_child_signal((int)pidfd, 0, NULL);
	if (r == 0)
		r = idm_child_wait((int)pidfd, -1, NULL, NULL);
	give_back(pidfd);
	return r;
}

static long try_reaper(void)
{
	static char program[] = "/bin/true";
	char *const argv[] = { program, NULL }, *const envp[] = { NULL };
	struct idm_exit exit;
	int name;
	long pidfd = idm_reaper_start(reaper, argv, envp, NULL, 0, IDM_REAPER_HOLD, &name, NULL), r;

	if (pidfd < 0)
		return pidfd;
	r = idm_reaper_wait(reaper, &name, -1, &exit, NULL);
	give_back(pidfd);
	if (r == 1)
		r = idm_reaper_next(reaper, 0, &exit, NULL, NULL);
	return r;
}

static long try_new_reaper(void)
{
	struct idm_reaper *own;
	struct idm_exit exit;
	int pidfd = -1;
	long r = idm_reaper_new(&own, NULL), pid;

	if (r < 0)
		return r;
	r = idm_reaper_keep(own, IDM_REAPER_ORPHANS, NULL, NULL);
	pid = fork();
	if (pid == 0)
		_exit(0);
	pidfd = idm_sys_pidfd_open((pid_t)pid);
	if (r == 0)
		r = idm_reaper_add(own, pidfd, 0, NULL, NULL);
	give_back(pidfd);
	if (r == 0)
		r = idm_reaper_next(own, -1, &exit, NULL, NULL) == 1 ? 0 : -EIO;
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

	assert_ok(idm_cache_new(2, &cache), NULL);
	assert_ok(idm_reaper_new(&reaper, &err), &err);
	assert_ok(idm_reaper_keep(reaper, 0, NULL, &err), &err);
}

static void unmake(void)
{
	idm_cache_free(cache);
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

/* The cache and the reaper have no lock left, and nobody to wait for. */
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

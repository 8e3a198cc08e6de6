// SPDX-License-Identifier: MIT
/* With a cache, the search for other overlays finds all that it finds without one, and asks for less. */
#include <pthread.h>
#include <sched.h>
#include <sys/mount.h>

#include "lib/overlay/upper-cache.h"
#include "lib/sys/syscall.h"
#include "overlays.h"
#include "tests/lib/neighbour.h"

#define LOW SCRATCH "/store/low"
#define UP SCRATCH "/store/up"
#define WORK SCRATCH "/store/work"
#define OTHER SCRATCH "/store/other"
#define OTHER_WORK SCRATCH "/store/other-work"

#define AUTO_CACHE __attribute__((cleanup(idm_upper_cache_freep)))

static const struct idm_path lower = { AT_FDCWD, LOW };
static const struct idm_path up = { AT_FDCWD, UP }, work = { AT_FDCWD, WORK };
static const struct idm_path other = { AT_FDCWD, OTHER }, other_work = { AT_FDCWD, OTHER_WORK };

static struct idm_upper_cache *enter_with_cache(void)
{
	static const char *const directories[] = { LOW, UP, WORK, OTHER, OTHER_WORK, TARGET };
	struct idm_upper_cache *cache;

	scratch_enter();
	for (size_t i = 0; i < ARRAY_SIZE(directories); i++)
		scratch_dir(directories[i]);
	assert_ok(idm_upper_cache_new(&cache, NULL), NULL);
	return cache;
}

static struct idm_overlay_options request(const struct idm_path *upper, const struct idm_path *work_dir,
					  struct idm_upper_cache *cache)
{
	struct idm_overlay_options o = IDM_OVERLAY_OPTIONS_INIT;

	o.lower = &lower;
	o.n_lower = 1;
	o.upper = upper;
	o.work = work_dir;
	o.upper_cache = cache;
	return o;
}

/* A search that finds nothing. */
static void search_for_other(struct idm_upper_cache *cache)
{
	struct idm_overlay_options o = request(&other, &other_work, cache);
	struct idm_error err;

	close((int)assert_ok(idm_overlay_open(&o, &err), &err));
}

static void assert_upper_in_use(struct idm_upper_cache *cache)
{
	struct idm_overlay_options o = request(&up, &other_work, cache);
	struct idm_error err;

	assert_error(idm_overlay_open(&o, &err), -EBUSY, &err, UP, NULL, "in use");
}

static uint64_t mount_id_of(int fd, const char *path)
{
	uint64_t id;
	bool unique;

	must(idm_mount_id(fd, path, &id, &unique));
	assert_true(unique);
	return id;
}

static bool is_cached(struct idm_upper_cache *cache, uint64_t id)
{
	struct idm_plain_mounts plain;
	bool found;

	idm_plain_mounts_begin(&plain, cache);
	found = idm_plain_mounts_find(&plain, id);
	idm_plain_mounts_end(&plain, false);
	return found;
}

/* ---- the same results ---- */

static void find_what_is_attached_later(void)
{
	AUTO_CACHE struct idm_upper_cache *cache = enter_with_cache();
	struct idm_overlay_options o = request(&up, &work, cache);

	for (int i = 0; i < 3; i++) {
		search_for_other(cache);
		attach_overlay(&o);
		assert_upper_in_use(cache);
		assert_upper_in_use(cache);
		do_umount(TARGET);
	}
}

TEST(an_overlay_that_is_attached_later)
{
	find_what_is_attached_later();
}

static void at_least_found(void)
{
	if (kernel_is_before(5, 12))
		mounts_are_refused();
	else
		find_what_is_attached_later();
}

/* Its mount has a lower ID than one that the cache has. */
TEST(an_overlay_that_was_made_before_and_is_attached_later)
{
	AUTO_CACHE struct idm_upper_cache *cache = enter_with_cache();
	struct idm_overlay_options o = request(&up, &work, cache);
	AUTO_FD int tree = -1;
	struct idm_error err;

	tree = (int)assert_ok(idm_overlay_open(&o, &err), &err);
	scratch_dir(SCRATCH "/later");
	do_mount("later", SCRATCH "/later", "tmpfs", 0, NULL);
	search_for_other(cache);
	attach_at(tree, TARGET);
	if (!kernel_is_before(6, 11)) {
		assert_true(mount_id_of(tree, "") < mount_id_of(AT_FDCWD, SCRATCH "/later"));
		assert_true(is_cached(cache, mount_id_of(AT_FDCWD, SCRATCH "/later")));
	}
	assert_upper_in_use(cache);
	do_umount(TARGET);
	o.work = &other_work;
	attach_overlay(&o);
	do_umount(TARGET);
}

static void attach_in_new_namespace(void *data)
{
	must(unshare(CLONE_NEWNS));
	must(mount("there", "/", NULL, MS_REC | MS_PRIVATE, NULL));
	attach_overlay(data);
}

TEST_SINCE(6, 12, at_least_found, an_overlay_of_another_namespace)
{
	AUTO_CACHE struct idm_upper_cache *cache = enter_with_cache();
	struct idm_overlay_options o = request(&up, &work, NULL);
	struct neighbour n;

	search_for_other(cache);
	n = neighbour_start(attach_in_new_namespace, &o);
	assert_upper_in_use(cache);
	assert_upper_in_use(cache);
	neighbour_end(&n);
	o.upper_cache = cache;
	attach_overlay(&o);
	do_umount(TARGET);
}

/* ---- what is in it ---- */

TEST_SINCE(6, 11, at_least_found, mounts_that_are_no_overlays)
{
	AUTO_CACHE struct idm_upper_cache *cache = enter_with_cache();
	struct idm_overlay_options o = request(&up, &work, cache);
	uint64_t scratch = mount_id_of(AT_FDCWD, SCRATCH), overlay, gone;

	scratch_dir(SCRATCH "/gone");
	do_mount("gone", SCRATCH "/gone", "tmpfs", 0, NULL);
	gone = mount_id_of(AT_FDCWD, SCRATCH "/gone");
	assert_false(is_cached(cache, scratch));
	attach_overlay(&o);
	overlay = mount_id_of(AT_FDCWD, TARGET);
	search_for_other(cache);
	assert_true(is_cached(cache, scratch));
	assert_true(is_cached(cache, gone));
	assert_false(is_cached(cache, overlay));
	/* A search that finds the directory does not come to all mounts. It drops nothing. */
	do_umount(SCRATCH "/gone");
	assert_upper_in_use(cache);
	assert_true(is_cached(cache, gone));
	search_for_other(cache);
	assert_true(is_cached(cache, scratch));
	assert_false(is_cached(cache, gone));
	do_umount(TARGET);
}

TEST_SINCE(6, 11, at_least_found, the_overlays_of_a_plan_use_it)
{
	static const char *const words[] = { "lowerdir=" LOW, "upperdir=" UP, "workdir=" WORK };
	AUTO_CACHE struct idm_upper_cache *cache = enter_with_cache();
	struct idm_plan_apply_options o = IDM_PLAN_APPLY_OPTIONS_INIT;
	struct idm_plan_add_options m = IDM_PLAN_ADD_OPTIONS_INIT;
	struct idm_plan *plan;
	struct idm_error err;

	m.type = "overlay";
	m.options = words;
	m.n_options = ARRAY_SIZE(words);
	o.upper_cache = cache;
	assert_ok(idm_plan_new(&plan), NULL);
	assert_ok(idm_plan_add(plan, &m, &err), &err);
	close((int)assert_ok(idm_plan_open(plan, &o, &err), &err));
	idm_plan_free(plan);
	assert_true(is_cached(cache, mount_id_of(AT_FDCWD, SCRATCH)));
}

/* Namespaces come one after the other, each with its own order. */
TEST(mounts_in_any_order)
{
	static const uint64_t ids[] = { 7, 9, 11, 2, 3, 12, 9 };
	AUTO_CACHE struct idm_upper_cache *cache = enter_with_cache();
	struct idm_plain_mounts plain;

	for (int round = 0; round < 2; round++) {
		idm_plain_mounts_begin(&plain, cache);
		for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
			assert_int_equal(idm_plain_mounts_find(&plain, ids[i]), round);
			assert_false(idm_plain_mounts_find(&plain, 8));
			if (!round)
				idm_plain_mounts_add(&plain, ids[i]);
		}
		idm_plain_mounts_end(&plain, true);
	}
	idm_plain_mounts_begin(&plain, NULL);
	idm_plain_mounts_add(&plain, 7);
	assert_false(idm_plain_mounts_find(&plain, 7));
	idm_plain_mounts_end(&plain, true);
}

/* ---- threads ---- */

#define THREADS 8

struct searcher {
	struct idm_upper_cache *cache;
	char upper[64], work[64];
	pthread_t thread;
	long result;
};

static void *search_often(void *data)
{
	struct searcher *s = data;
	struct idm_path upper = AT(s->upper), work_dir = AT(s->work);
	struct idm_overlay_options o = request(&upper, &work_dir, s->cache);

	for (int i = 0; i < 10 && s->result >= 0; i++) {
		s->result = idm_overlay_open(&o, NULL);
		if (s->result >= 0)
			close((int)s->result);
	}
	return NULL;
}

TEST(threads_share_one)
{
	AUTO_CACHE struct idm_upper_cache *cache = enter_with_cache();
	struct searcher searchers[THREADS];

	for (int i = 0; i < THREADS; i++) {
		struct searcher *s = &searchers[i];

		*s = (struct searcher){ .cache = cache };
		snprintf(s->upper, sizeof(s->upper), SCRATCH "/store/up-%d", i);
		snprintf(s->work, sizeof(s->work), SCRATCH "/store/work-%d", i);
		scratch_dir(s->upper);
		scratch_dir(s->work);
	}
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&searchers[i].thread, NULL, search_often, &searchers[i]),
				 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(searchers[i].thread, NULL);
	for (int i = 0; i < THREADS; i++)
		assert_true(searchers[i].result >= 0);
}

TEST(no_cache_is_released)
{
	idm_upper_cache_free(NULL);
}

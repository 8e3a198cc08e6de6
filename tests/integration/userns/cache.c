// SPDX-License-Identifier: MIT
/* A cache returns what idm_userns_open() would, made once, and keeps no more than its limit. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/macros.h"
#include "lib/sys/syscall.h"
#include "tests/lib/maps.h"
#include "tests/lib/scratch.h"
#include "tests/lib/snapshot.h"

#define THREADS 100

static struct idm_userns_cache *new_cache(size_t max)
{
	struct idm_userns_cache *cache;

	assert_ok(idm_userns_cache_new(max, &cache, NULL), NULL);
	return cache;
}

static int get(struct idm_userns_cache *cache, const char *text)
{
	AUTO_MAP struct idm_map *map = map_of(text);
	struct idm_error err;

	return (int)assert_ok(idm_userns_cache_open(cache, map, &err), &err);
}

/* Which namespace it is. Only one that is open somewhere is sure to keep its number for itself. */
static ino_t namespace_of(int fd)
{
	struct stat st;

	must(fstat(fd, &st));
	return st.st_ino;
}

static bool gives(struct idm_userns_cache *cache, const char *text, int fd)
{
	AUTO_CLOSE int other = get(cache, text);

	return namespace_of(other) == namespace_of(fd);
}

static size_t open_descriptors(void)
{
	struct snapshot *s = snapshot_take(SNAPSHOT_FDS);
	size_t n = snapshot_lines(s);

	snapshot_free(s);
	return n;
}

TEST(sizes)
{
	struct idm_userns_cache *cache = (struct idm_userns_cache *)&cache;
	struct idm_error err;

	assert_int_equal(idm_userns_cache_new(0, &cache, NULL), -EINVAL);
	assert_null(cache);
	assert_error(idm_userns_cache_new(65537, &cache, &err), -EINVAL, &err, "", "use cache",
		     "expected 1 to 65536 namespaces, got 65537");
	assert_int_equal(idm_userns_cache_new((size_t)-1, &cache, NULL), -EINVAL);
	assert_ok(idm_userns_cache_new(65536, &cache, &err), &err);
	idm_userns_cache_free(cache);
	idm_userns_cache_free(NULL);
}

TEST(the_same_map_is_the_same_namespace)
{
	AUTO_MAP struct idm_map *map = map_of("u:0:100000:10,g:0:200000:10");
	struct idm_userns_cache *cache;
	AUTO_CLOSE int a = -1;
	AUTO_CLOSE int b = -1;

	need_root();
	cache = new_cache(4);
	a = get(cache, "u:0:100000:10,g:0:200000:10");
	b = get(cache, "u:0:100000:10,g:0:200000:10");
	assert_int_not_equal(a, b);
	assert_int_equal(namespace_of(a), namespace_of(b));
	assert_int_equal(must(fcntl(a, F_GETFD)), FD_CLOEXEC);
	assert_int_equal(must(fcntl(b, F_GETFD)), FD_CLOEXEC);
	assert_userns(a, map);
	idm_userns_cache_free(cache);
	assert_userns(b, map); /* it is the caller's */
}

TEST(what_counts_is_what_a_map_says)
{
	struct idm_userns_cache *cache;
	AUTO_CLOSE int fd = -1;

	need_root();
	cache = new_cache(10);
	fd = get(cache, "0:100000:10,20:200000:10");
	assert_true(gives(cache, "20:200000:10,0:100000:10", fd));
	assert_true(gives(cache, "0:100000:5,5:100005:5,20:200000:10", fd));
	assert_true(gives(cache, "uidmap=0:100000:10,20:200000:10,gidmap=0:100000:10,20:200000:10", fd));
	assert_false(gives(cache, "0:100000:10,20:200000:11", fd));
	assert_false(gives(cache, "0:100000:10,20:200001:10", fd));
	assert_false(gives(cache, "0:100000:10", fd));
	assert_false(gives(cache, "u:0:100000:10,u:20:200000:10,g:0:100000:10", fd));
	idm_userns_cache_free(cache);
}

TEST(the_least_recently_used_goes_first)
{
	AUTO_CLOSE int a = -1;
	AUTO_CLOSE int b = -1;
	AUTO_CLOSE int c = -1;
	AUTO_CLOSE int d = -1;
	struct idm_userns_cache *cache;

	need_root();
	cache = new_cache(3);
	a = get(cache, "0:100:1");
	b = get(cache, "0:200:1");
	c = get(cache, "0:300:1");
	assert_true(gives(cache, "0:100:1", a)); /* b is the oldest now */
	d = get(cache, "0:400:1");		 /* instead of b */
	assert_true(gives(cache, "0:300:1", c));
	assert_true(gives(cache, "0:100:1", a));
	assert_true(gives(cache, "0:400:1", d));
	assert_false(gives(cache, "0:200:1", b)); /* made anew, instead of c */
	assert_true(gives(cache, "0:400:1", d));
	assert_true(gives(cache, "0:100:1", a));
	assert_false(gives(cache, "0:300:1", c));
	idm_userns_cache_free(cache);
}

TEST(no_more_are_kept_than_wanted)
{
	size_t before = open_descriptors();
	struct idm_userns_cache *cache;

	need_root();
	cache = new_cache(5);
	for (int i = 0; i < 50; i++) {
		char text[32];

		snprintf(text, sizeof(text), "0:%d:1", 1000 + i);
		close(get(cache, text));
		assert_int_equal(open_descriptors(), before + (size_t)(i < 5 ? i + 1 : 5));
	}
	idm_userns_cache_free(cache);
	assert_int_equal(open_descriptors(), before);
}

TEST(a_cache_of_one)
{
	struct idm_userns_cache *cache;
	AUTO_CLOSE int a = -1;
	AUTO_CLOSE int b = -1;

	need_root();
	cache = new_cache(1);
	a = get(cache, "0:100:1");
	assert_true(gives(cache, "0:100:1", a));
	b = get(cache, "0:200:1");
	assert_true(gives(cache, "0:200:1", b));
	assert_false(gives(cache, "0:100:1", a));
	idm_userns_cache_free(cache);
}

TEST(refused_maps)
{
	AUTO_MAP struct idm_map *map = map_of("u:0:100:1");
	struct idm_userns_cache *cache = new_cache(2);
	struct idm_error err;

	for (int i = 0; i < 3; i++)
		assert_error(idm_userns_cache_open(cache, map, &err), -EINVAL, &err, "", "check map",
			     "no gid entries");
	assert_int_equal(idm_userns_cache_open(cache, map, NULL), -EINVAL);
	idm_userns_cache_free(cache);
}

static int get_within(struct idm_userns_cache *cache, const struct idm_map *map, rlim_t n,
		      struct idm_error *err)
{
	struct rlimit old, limit;
	int r;

	must(getrlimit(RLIMIT_NOFILE, &old));
	limit = (struct rlimit){ n, old.rlim_max };
	must(setrlimit(RLIMIT_NOFILE, &limit));
	r = idm_userns_cache_open(cache, map, err);
	must(setrlimit(RLIMIT_NOFILE, &old));
	return r;
}

/* With a descriptor more at each try, it fails at one step after the other; then it works. */
TEST(failures_are_not_cached)
{
	AUTO_MAP struct idm_map *map = map_of("u:0:100000:10,g:0:200000:10");
	int lowest = (int)must(dup(0)), failures = 0, fd;
	struct idm_userns_cache *cache;
	struct idm_error err;

	need_root();
	close(lowest);
	cache = new_cache(2);
	while ((fd = get_within(cache, map, (rlim_t)(lowest + failures), &err)) < 0) {
		assert_error(fd, -EMFILE, &err, NULL, NULL, "Too many open files");
		assert_true(++failures < 20);
	}
	assert_true(failures >= 4);
	assert_userns(fd, map);
	close(fd);
	idm_userns_cache_free(cache);
}

/* ---- threads ---- */

static struct {
	struct idm_userns_cache *cache;
	pthread_barrier_t start;
	int fds[THREADS];
	int probe;
} shared;

static void run_threads(void *(*body)(void *))
{
	pthread_t threads[THREADS];

	pthread_barrier_init(&shared.start, NULL, THREADS);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, body, (void *)(uintptr_t)i), 0);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&shared.start);
}

static void *get_the_same(void *i)
{
	pthread_barrier_wait(&shared.start);
	shared.fds[(uintptr_t)i] = get(shared.cache, "u:0:100000:10,g:0:200000:10");
	return NULL;
}

TEST(a_hundred_threads_that_miss_at_once_make_one)
{
	AUTO_MAP struct idm_map *map = map_of("u:0:100000:10,g:0:200000:10");

	need_root();
	for (int round = 0; round < 20; round++) {
		shared.cache = new_cache(3);
		run_threads(get_the_same);
		if (round == 0)
			assert_userns(shared.fds[0], map);
		for (size_t i = 1; i < THREADS; i++)
			assert_int_equal(namespace_of(shared.fds[i]), namespace_of(shared.fds[0]));
		for (size_t i = 0; i < THREADS; i++)
			close(shared.fds[i]);
		idm_userns_cache_free(shared.cache);
	}
}

/* Map k lets file 0 be seen as 5000 + k. */
static void get_and_look(unsigned int k)
{
	AUTO_CLOSE int fd = -1;
	AUTO_CLOSE int clone = -1;
	char text[32];

	snprintf(text, sizeof(text), "0:%u:1", 5000 + k);
	fd = get(shared.cache, text);
	clone = ownership_clone(shared.probe, fd);
	assert_int_equal(owner_seen(clone, 0).uid, 5000 + k);
	assert_int_equal(owner_seen(clone, 0).gid, 5000 + k);
}

static void *get_many(void *i)
{
	struct rng rng = { (uintptr_t)i };

	pthread_barrier_wait(&shared.start);
	for (int n = 0; n < (test_is_slow() ? 20 : 200); n++)
		get_and_look(rng_below(&rng, 20));
	return NULL;
}

/* More threads than slots: some have to be made beyond the limit, while they are in use. */
TEST_SINCE(5, 12, namespaces_without_mounts, many_threads_and_maps_in_a_small_cache)
{
	static const size_t sizes[] = { 1, 5, 20 };
	size_t before;

	scratch_enter();
	shared.probe = ownership_probe(1);
	before = open_descriptors();
	for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
		shared.cache = new_cache(sizes[s]);
		run_threads(get_many);
		assert_true(open_descriptors() <= before + sizes[s]);
		idm_userns_cache_free(shared.cache);
		assert_int_equal(open_descriptors(), before);
	}
	close(shared.probe);
}

static void *get_what_fails(void *i)
{
	AUTO_MAP struct idm_map *bad = map_of("u:0:1:1");
	struct idm_error err;

	pthread_barrier_wait(&shared.start);
	for (int n = 0; n < 20; n++)
		if (((uintptr_t)i + (uintptr_t)n) % 2)
			assert_error(idm_userns_cache_open(shared.cache, bad, &err), -EINVAL, &err, "",
				     "check map", "no gid entries");
		else
			close(get(shared.cache, "0:100000:10"));
	return NULL;
}

/* Those who waited for a maker that failed try for themselves, and get an error of their own. */
TEST(waiting_for_what_fails)
{
	need_root();
	shared.cache = new_cache(2);
	run_threads(get_what_fails);
	idm_userns_cache_free(shared.cache);
}

// SPDX-License-Identifier: MIT
/*
 * User namespaces that were made before, by what their map says. The search is a walk, which beats a
 * table for the few maps that a program has. A lookup that finds its map only
 * reads, so many threads that ask for the same map, as when containers start, do not queue.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/cancel.h"
#include "lib/base/error.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/syscall.h"

struct slot {
	struct slot *next;
	struct idm_map *map;
	uint64_t hash;
	uint64_t used; /* when it was asked for last; also written by those who only read */
	uint32_t done; /* 0 while its maker is at work: others wait for that */
	int fd;	       /* -1 until then */
	bool failed;   /* taken out of the list; the last waiter frees it */
	size_t users;  /* the maker and those who wait for it */
};

struct idm_userns_cache {
	pthread_rwlock_t lock;
	struct slot *first;
	size_t n, max;
	uint64_t clock; /* counts changes of who was asked for last */
};

static const enum idm_error_step step_cache = IDM_STEP_USE_CACHE;

/* FNV-1a over the entries, a word at a time. */
static uint64_t hash_side(uint64_t h, const struct idm_map *map, unsigned int kind)
{
	const struct idm_entry *e;
	size_t n = idm_map_entries(map, kind, &e);

	h = (h ^ n) * 0x100000001b3ULL;
	for (size_t i = 0; i < n; i++) {
		h = (h ^ e[i].disk) * 0x100000001b3ULL;
		h = (h ^ e[i].seen) * 0x100000001b3ULL;
		h = (h ^ e[i].count) * 0x100000001b3ULL;
	}
	return h;
}

static uint64_t hash_map(const struct idm_map *map)
{
	return hash_side(hash_side(0xcbf29ce484222325ULL, map, IDM_UID), map, IDM_GID);
}

int idm_userns_cache_new(size_t max, struct idm_userns_cache **cache, struct idm_error *err)
{
	HOLD_CANCEL;
	pthread_rwlockattr_t fair;
	struct idm_userns_cache *c;

	*cache = NULL;
	if (max < 1 || max > 65536)
		return idm_fail(err, -EINVAL, step_cache, NULL,
				"expected 1 to 65536 namespaces, got %zu", max);
	c = calloc(1, sizeof(*c));
	if (!c)
		return idm_fail_errno(err, -ENOMEM, step_cache, NULL);
	/* Else those who read could keep those who make from it for ever. */
	pthread_rwlockattr_init(&fair);
#ifdef __GLIBC__ /* with musl there are the commands alone, of one thread */
	pthread_rwlockattr_setkind_np(&fair, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
#endif
	pthread_rwlock_init(&c->lock, &fair);
	pthread_rwlockattr_destroy(&fair);
	c->max = max;
	*cache = c;
	return 0;
}

static void free_slot(struct slot *s)
{
	if (s->fd >= 0)
		close(s->fd);
	idm_map_free(s->map);
	free(s);
}

void idm_userns_cache_free(struct idm_userns_cache *cache)
{
	HOLD_CANCEL;

	if (!cache)
		return;
	while (cache->first) {
		struct slot *s = cache->first;

		cache->first = s->next;
		free_slot(s);
	}
	pthread_rwlock_destroy(&cache->lock);
	free(cache);
}

/* ---- under the lock, which may be one for reading ---- */

static struct slot *find_slot(const struct idm_userns_cache *c, const struct idm_map *map, uint64_t h)
{
	for (struct slot *s = c->first; s; s = s->next)
		if (s->hash == h && idm_map_equal(s->map, map))
			return s;
	return NULL;
}

/* If it was the last one anyway, nothing is written, so that threads on other processors can go on. */
static void note_use(struct idm_userns_cache *c, struct slot *s)
{
	uint64_t clock = __atomic_load_n(&c->clock, __ATOMIC_RELAXED);

	if (__atomic_load_n(&s->used, __ATOMIC_RELAXED) != clock)
		__atomic_store_n(&s->used, __atomic_add_fetch(&c->clock, 1, __ATOMIC_RELAXED),
				 __ATOMIC_RELAXED);
}

static int duplicate_slot_fd(struct idm_userns_cache *c, struct slot *s, struct idm_error *err)
{
	int fd = idm_sys_dup(s->fd);

	note_use(c, s);
	return fd < 0 ? idm_fail_errno(err, fd, step_cache, NULL) : fd;
}

/* ---- under the lock for writing ---- */

static void remove_slot(struct idm_userns_cache *c, struct slot *slot)
{
	for (struct slot **at = &c->first; *at; at = &(*at)->next)
		if (*at == slot) {
			*at = slot->next;
			c->n--;
			return;
		}
}

/* Closes the least recently used until `n` are left. Those that a thread makes or waits for stay. */
static void shrink_cache(struct idm_userns_cache *c, size_t n)
{
	while (c->n > n) {
		struct slot *oldest = NULL;

		for (struct slot *s = c->first; s; s = s->next)
			if (!s->users && (!oldest || s->used < oldest->used))
				oldest = s;
		if (!oldest)
			return;
		remove_slot(c, oldest);
		free_slot(oldest);
	}
}

static struct slot *add_slot(struct idm_userns_cache *c, const struct idm_map *map, uint64_t h)
{
	struct slot *s = calloc(1, sizeof(*s));

	if (!s || idm_map_copy(map, &s->map) < 0) {
		free(s);
		return NULL;
	}
	shrink_cache(c, c->max - 1);
	s->hash = h;
	s->fd = -1;
	s->used = ++c->clock;
	s->next = c->first;
	c->first = s;
	c->n++;
	return s;
}

static void release_slot(struct slot *s)
{
	if (--s->users == 0 && s->failed)
		free_slot(s);
}

/* Makes the namespace with the lock released, so that other maps are not held up. */
static int fill_slot(struct idm_userns_cache *c, struct slot *s, struct idm_error *err)
{
	int fd, r;

	s->users = 1;
	pthread_rwlock_unlock(&c->lock);
	fd = idm_userns_open(s->map, 0, err);
	pthread_rwlock_wrlock(&c->lock);

	s->fd = fd < 0 ? -1 : fd;
	if (fd < 0) {
		s->failed = true;
		remove_slot(c, s);
	}
	__atomic_store_n(&s->done, 1, __ATOMIC_RELEASE);
	idm_sys_futex_wake(&s->done);
	r = fd < 0 ? fd : duplicate_slot_fd(c, s, err);
	release_slot(s);
	shrink_cache(c, c->max); /* if all were busy when this one was added */
	return r;
}

/* Waits for the thread that is making it. -EAGAIN: that failed, and it is this thread's turn. */
static int await_slot(struct idm_userns_cache *c, struct slot *s, struct idm_error *err)
{
	int r;

	s->users++;
	pthread_rwlock_unlock(&c->lock);
	while (!__atomic_load_n(&s->done, __ATOMIC_ACQUIRE))
		idm_sys_futex_wait(&s->done, 0);
	pthread_rwlock_wrlock(&c->lock);
	r = s->failed ? -EAGAIN : duplicate_slot_fd(c, s, err);
	release_slot(s);
	return r;
}

/* ---- the call ---- */

/* -EAGAIN: it is not there, or not yet. */
static int duplicate_cached_fd(struct idm_userns_cache *c, const struct idm_map *map, uint64_t h,
			       struct idm_error *err)
{
	struct slot *s;
	int r;

	pthread_rwlock_rdlock(&c->lock);
	s = find_slot(c, map, h);
	r = s && s->fd >= 0 ? duplicate_slot_fd(c, s, err) : -EAGAIN;
	pthread_rwlock_unlock(&c->lock);
	return r;
}

static int fill_or_await_slot(struct idm_userns_cache *c, const struct idm_map *map, uint64_t h,
			      struct idm_error *err)
{
	struct slot *s;
	int r;

	pthread_rwlock_wrlock(&c->lock);
	s = find_slot(c, map, h);
	if (s && s->fd >= 0) {
		r = duplicate_slot_fd(c, s, err);
	} else if (s) {
		r = await_slot(c, s, err);
	} else {
		s = add_slot(c, map, h);
		r = s ? fill_slot(c, s, err) : idm_fail_errno(err, -ENOMEM, step_cache, NULL);
	}
	pthread_rwlock_unlock(&c->lock);
	return r;
}

int idm_userns_cache_open(struct idm_userns_cache *cache, const struct idm_map *map,
			  struct idm_error *err)
{
	HOLD_CANCEL;
	uint64_t h = hash_map(map);
	int r = duplicate_cached_fd(cache, map, h, err);

	while (r == -EAGAIN)
		r = fill_or_await_slot(cache, map, h, err);
	return r;
}

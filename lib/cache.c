// SPDX-License-Identifier: MIT
/*
 * User namespaces that were made before, by what their map says. The most recently used comes first;
 * the search is a walk, which beats a table for the few maps that a program has.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "error.h"
#include "kernel.h"

struct slot {
	struct slot *next;
	struct idm_map *map;
	uint64_t hash;
	int fd;	      /* -1 while its maker is at work */
	bool failed;  /* taken out of the list; the last waiter frees it */
	size_t users; /* the maker and those who wait for it */
};

struct idm_cache {
	pthread_mutex_t lock;
	pthread_cond_t made;
	struct slot *first;
	size_t n, max;
};

static const char step_cache[] = "use cache";

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

static uint64_t hash(const struct idm_map *map)
{
	return hash_side(hash_side(0xcbf29ce484222325ULL, map, IDM_UID), map, IDM_GID);
}

int idm_cache_new(size_t max, struct idm_cache **cache)
{
	struct idm_cache *c;

	*cache = NULL;
	if (max < 1 || max > 65536)
		return -EINVAL;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->made, NULL);
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

void idm_cache_free(struct idm_cache *cache)
{
	if (!cache)
		return;
	while (cache->first) {
		struct slot *s = cache->first;

		cache->first = s->next;
		free_slot(s);
	}
	pthread_cond_destroy(&cache->made);
	pthread_mutex_destroy(&cache->lock);
	free(cache);
}

/* ---- under the lock ---- */

static struct slot *find(struct idm_cache *c, const struct idm_map *map, uint64_t h)
{
	for (struct slot **at = &c->first; *at; at = &(*at)->next) {
		struct slot *s = *at;

		/* analyzer: one that has failed is taken out of the list before it is freed */
		if (s->hash != h || !idm_map_equal(s->map, map))
			continue;
		*at = s->next;
		s->next = c->first;
		c->first = s;
		return s;
	}
	return NULL;
}

static void take_out(struct idm_cache *c, struct slot *slot)
{
	for (struct slot **at = &c->first; *at; at = &(*at)->next)
		if (*at == slot) {
			*at = slot->next;
			c->n--;
			return;
		}
}

/* Closes the least recently used until `n` are left. Those that somebody works on or waits for stay. */
static void shrink(struct idm_cache *c, size_t n)
{
	while (c->n > n) {
		struct slot *last = NULL;

		for (struct slot *s = c->first; s; s = s->next)
			if (!s->users)
				last = s;
		if (!last)
			return;
		take_out(c, last);
		free_slot(last);
	}
}

static struct slot *add(struct idm_cache *c, const struct idm_map *map, uint64_t h)
{
	struct slot *s = calloc(1, sizeof(*s));

	if (!s || idm_map_copy(map, &s->map) < 0) {
		free(s);
		return NULL;
	}
	shrink(c, c->max - 1);
	s->hash = h;
	s->fd = -1;
	s->next = c->first;
	c->first = s;
	c->n++;
	return s;
}

static void let_go(struct slot *s)
{
	if (--s->users == 0 && s->failed)
		free_slot(s);
}

static int duplicate(const struct slot *s, struct idm_error *err)
{
	int fd = idm_sys_dup(s->fd);

	return fd < 0 ? idm_fail(err, fd, step_cache, NULL, NULL) : fd;
}

/* Makes the namespace with the lock released, so that other maps are not held up. */
static int make(struct idm_cache *c, struct slot *s, struct idm_error *err)
{
	int fd, r;

	s->users = 1;
	pthread_mutex_unlock(&c->lock);
	fd = idm_userns_open(s->map, 0, err);
	pthread_mutex_lock(&c->lock);

	s->fd = fd < 0 ? -1 : fd;
	if (fd < 0) {
		s->failed = true;
		take_out(c, s);
	}
	pthread_cond_broadcast(&c->made);
	r = fd < 0 ? fd : duplicate(s, err);
	let_go(s);
	shrink(c, c->max); /* if all were busy when this one was added */
	return r;
}

/* Waits for the thread that is making it. -EAGAIN: that failed, and it is this thread's turn. */
static int await(struct idm_cache *c, struct slot *s, struct idm_error *err)
{
	int r;

	s->users++;
	while (s->fd < 0 && !s->failed)
		pthread_cond_wait(&c->made, &c->lock);
	r = s->failed ? -EAGAIN : duplicate(s, err);
	let_go(s);
	return r;
}

int idm_cache_userns(struct idm_cache *cache, const struct idm_map *map, struct idm_error *err)
{
	uint64_t h = hash(map);
	struct slot *s;
	int r;

	pthread_mutex_lock(&cache->lock);
	for (;;) {
		s = find(cache, map, h);
		if (!s) {
			s = add(cache, map, h);
			r = s ? make(cache, s, err) : idm_fail(err, -ENOMEM, step_cache, NULL, NULL);
			break;
		}
		if (s->fd >= 0) {
			r = duplicate(s, err);
			break;
		}
		r = await(cache, s, err);
		if (r != -EAGAIN)
			break;
	}
	pthread_mutex_unlock(&cache->lock);
	return r;
}

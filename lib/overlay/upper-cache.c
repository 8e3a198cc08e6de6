// SPDX-License-Identifier: MIT
/*
 * The kernel assigns a unique ID to one mount only, and never changes the filesystem of a mount. So an
 * entry of the cache stays true, in every mount namespace. Nothing else is kept: each search lists the
 * IDs of all mounts, and asks for overlays and new mounts. A mount gets its ID when it is made, which
 * can be long before it is attached. So a list from the last ID on would miss mounts.
 */
#include "upper-cache.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/array.h"
#include "lib/base/cancel.h"
#include "lib/base/error.h"
#include "lib/sys/fail-errno.h"

struct idm_upper_cache {
	pthread_rwlock_t lock;
	uint64_t *ids; /* ascending */
	size_t n;
};

/* ---- the object ---- */

int idm_upper_cache_new(struct idm_upper_cache **cache, struct idm_error *err)
{
	HOLD_CANCEL;

	*cache = calloc(1, sizeof(**cache));
	if (!*cache)
		return idm_fail_errno(err, -ENOMEM, IDM_STEP_USE_CACHE, NULL);
	pthread_rwlock_init(&(*cache)->lock, NULL);
	return 0;
}

void idm_upper_cache_free(struct idm_upper_cache *cache)
{
	HOLD_CANCEL;

	if (!cache)
		return;
	pthread_rwlock_destroy(&cache->lock);
	free(cache->ids);
	free(cache);
}

/* ---- a search ---- */

static void copy_known_mounts(struct idm_plain_mounts *plain)
{
	const struct idm_upper_cache *cache = plain->cache;

	plain->known = cache->n ? reallocarray(NULL, cache->n, sizeof(*cache->ids)) : NULL;
	if (!plain->known)
		return;
	memcpy(plain->known, cache->ids, cache->n * sizeof(*cache->ids));
	plain->n_known = cache->n;
}

/* Searches do not wait for each other: each has a copy. */
void idm_plain_mounts_begin(struct idm_plain_mounts *plain, struct idm_upper_cache *cache)
{
	*plain = (struct idm_plain_mounts){ .cache = cache };
	if (!cache)
		return;
	pthread_rwlock_rdlock(&cache->lock);
	copy_known_mounts(plain);
	pthread_rwlock_unlock(&cache->lock);
}

static int compare_mount_ids(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* The kernel lists the IDs of a namespace in their order. So the next one is usually the right one. */
static bool find_known_mount(struct idm_plain_mounts *plain, uint64_t id)
{
	const uint64_t *found = NULL;

	if (plain->next < plain->n_known && plain->known[plain->next] == id)
		found = &plain->known[plain->next];
	else if (plain->n_known)
		found = bsearch(&id, plain->known, plain->n_known, sizeof(id), compare_mount_ids);
	if (found)
		plain->next = (size_t)(found - plain->known) + 1;
	return found;
}

bool idm_plain_mounts_find(struct idm_plain_mounts *plain, uint64_t id)
{
	if (!find_known_mount(plain, id))
		return false;
	idm_plain_mounts_add(plain, id);
	return true;
}

/* Without memory, the next search asks for the mount again. */
void idm_plain_mounts_add(struct idm_plain_mounts *plain, uint64_t id)
{
	uint64_t *new = plain->cache ? idm_array_append(&plain->met, &plain->n_met, sizeof(id)) : NULL;

	if (new)
		*new = id;
}

static void sort_met_mounts(const struct idm_plain_mounts *plain)
{
	for (size_t i = 1; i < plain->n_met; i++)
		if (plain->met[i - 1] > plain->met[i]) {
			qsort(plain->met, plain->n_met, sizeof(*plain->met), compare_mount_ids);
			return;
		}
}

static void replace_ids(struct idm_upper_cache *cache, struct idm_plain_mounts *plain)
{
	uint64_t *old;

	pthread_rwlock_wrlock(&cache->lock);
	old = cache->ids;
	cache->ids = plain->met;
	cache->n = plain->n_met;
	pthread_rwlock_unlock(&cache->lock);
	plain->met = old;
}

void idm_plain_mounts_end(struct idm_plain_mounts *plain, bool complete)
{
	if (plain->cache && complete) {
		sort_met_mounts(plain);
		replace_ids(plain->cache, plain);
	}
	free(plain->known);
	free(plain->met);
}

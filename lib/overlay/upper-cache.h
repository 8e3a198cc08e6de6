/* SPDX-License-Identifier: MIT */
/* Mounts that are no overlays. A search for an upper directory in use need not ask the kernel for them.
 */
#ifndef IDM_OVERLAY_UPPER_CACHE_H
#define IDM_OVERLAY_UPPER_CACHE_H

#include <stdbool.h>

#include "idmount.h"

/* One search's copy of a cache, and the mounts that it meets. All zeros: there is no cache. */
struct idm_plain_mounts {
	struct idm_upper_cache *cache;
	uint64_t *known, *met; /* unique mount IDs; those of `known` ascend */
	size_t n_known, n_met;
	size_t next; /* behind the known one that was found last */
};

/* `cache` may be NULL. Without memory the search asks for all mounts. */
void idm_plain_mounts_begin(struct idm_plain_mounts *plain, struct idm_upper_cache *cache);

/* Whether the mount is known. Then the search has met it. */
bool idm_plain_mounts_find(struct idm_plain_mounts *plain, uint64_t id);

/* The search has met a mount whose filesystem is no overlay. */
void idm_plain_mounts_add(struct idm_plain_mounts *plain, uint64_t id);

/* If the search has listed all mounts, the cache has what it met from here on, and nothing else. */
void idm_plain_mounts_end(struct idm_plain_mounts *plain, bool complete);

#endif

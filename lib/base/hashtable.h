/* SPDX-License-Identifier: MIT */
/* A table of things that have a link in them, found by a number. Several may have the same. */
#ifndef IDM_BASE_HASHTABLE_H
#define IDM_BASE_HASHTABLE_H

#include <stddef.h>
#include <stdint.h>

struct idm_hash_link {
	struct idm_hash_link *next;
	uint64_t key;
};

/* All zeros is an empty table. */
struct idm_hashtable {
	struct idm_hash_link **buckets;
	size_t size; /* a power of two, or 0 */
	size_t n;
	struct idm_hash_link *
		*first; /* buckets that it was begun with, which are not its own; NULL: none */
};

/* An empty table that uses these buckets, all NULL, until it has more than twice as many links. */
void idm_hashtable_begin(struct idm_hashtable *table, struct idm_hash_link **buckets, size_t size);

/* The thing that has this link as its `member`; NULL stays NULL. */
#define idm_container_of(type, member, link)                                                     \
	({                                                                                       \
		struct idm_hash_link *link_ = (link);                                            \
		link_ ? (type *)(void *)((char *)link_ - offsetof(type, member)) : (type *)NULL; \
	})

/* 0 or -ENOMEM. The key must not change as long as it is in there. */
int idm_hashtable_add(struct idm_hashtable *table, struct idm_hash_link *link);
void idm_hashtable_remove(struct idm_hashtable *table, struct idm_hash_link *link);

/* The first with that key, and the next one with the same. */
struct idm_hash_link *idm_hashtable_find(const struct idm_hashtable *table, uint64_t key);
struct idm_hash_link *idm_hashtable_again(struct idm_hash_link *link);

/* Calls `each` for all of them; it may remove the one that it is given. */
void idm_hashtable_each(struct idm_hashtable *table,
			void (*each)(struct idm_hash_link *link, void *data), void *data);

/* What the table itself has. */
void idm_hashtable_free(struct idm_hashtable *table);

#endif

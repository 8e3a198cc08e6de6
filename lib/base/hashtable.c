// SPDX-License-Identifier: MIT
#include "hashtable.h"

#include <errno.h>
#include <stdlib.h>

#define SMALLEST 16

/* Keys are addresses, inode and process numbers: what differs is in the low bits, but not the lowest. */
static struct idm_hash_link **find_bucket(const struct idm_hashtable *table, uint64_t key)
{
	return &table->buckets[(key * 0x9e3779b97f4a7c15ULL >> 32) & (table->size - 1)];
}

static void insert_link(struct idm_hashtable *table, struct idm_hash_link *link)
{
	struct idm_hash_link **at = find_bucket(table, link->key);

	link->next = *at;
	*at = link;
}

void idm_hashtable_begin(struct idm_hashtable *table, struct idm_hash_link **buckets, size_t size)
{
	*table = (struct idm_hashtable){ .buckets = buckets, .size = size, .first = buckets };
}

static int grow_buckets(struct idm_hashtable *table)
{
	struct idm_hashtable more = { .size = table->size ? 2 * table->size : SMALLEST, .n = table->n };

	more.buckets = calloc(more.size, sizeof(struct idm_hash_link *));
	if (!more.buckets)
		return -ENOMEM;
	for (size_t i = 0; i < table->size; i++)
		for (struct idm_hash_link *link = table->buckets[i], *next; link; link = next) {
			next = link->next;
			insert_link(&more, link);
		}
	idm_hashtable_free(table);
	*table = more;
	return 0;
}

int idm_hashtable_add(struct idm_hashtable *table, struct idm_hash_link *link)
{
	int r = table->n == 2 * table->size ? grow_buckets(table) : 0;

	if (r < 0)
		return r;
	insert_link(table, link);
	table->n++;
	return 0;
}

void idm_hashtable_remove(struct idm_hashtable *table, struct idm_hash_link *link)
{
	struct idm_hash_link **at = find_bucket(table, link->key);

	while (*at != link)
		at = &(*at)->next;
	*at = link->next;
	table->n--;
}

static struct idm_hash_link *find_link(struct idm_hash_link *link, uint64_t key)
{
	while (link && link->key != key)
		link = link->next;
	return link;
}

struct idm_hash_link *idm_hashtable_find(const struct idm_hashtable *table, uint64_t key)
{
	return table->size ? find_link(*find_bucket(table, key), key) : NULL;
}

struct idm_hash_link *idm_hashtable_again(struct idm_hash_link *link)
{
	return find_link(link->next, link->key);
}

void idm_hashtable_each(struct idm_hashtable *table,
			void (*each)(struct idm_hash_link *link, void *data), void *data)
{
	for (size_t i = 0; i < table->size; i++)
		for (struct idm_hash_link *link = table->buckets[i], *next; link; link = next) {
			next = link->next;
			each(link, data);
		}
}

void idm_hashtable_free(struct idm_hashtable *table)
{
	if (table->buckets != table->first)
		free((void *)table->buckets);
}

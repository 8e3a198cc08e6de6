/* SPDX-License-Identifier: MIT */
/* The items of an iterator: copies of what a callback got, each allocated by itself. */
#ifndef IDM_BASE_ITEMS_H
#define IDM_BASE_ITEMS_H

#include <stddef.h>

struct idm_items {
	void **array;
	size_t n, next;
};

/*
 * Adds an item, which belongs to the items from then on. NULL is what a copy is without memory. Returns 0, or
 * IDM_ITEMS_FULL without memory. It is no -errno, so that the caller knows it from what a listing returns.
 */
#define IDM_ITEMS_FULL 1
int idm_items_add(struct idm_items *items, void *item, void (*free_item)(void *item));

/* Returns NULL behind the last one. */
void *idm_items_next(struct idm_items *items);

void idm_items_free(struct idm_items *items, void (*free_item)(void *item));

#endif

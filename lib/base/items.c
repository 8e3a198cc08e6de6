// SPDX-License-Identifier: MIT
#include "items.h"

#include <stdlib.h>

#include "array.h"

int idm_items_add(struct idm_items *items, void *item, void (*free_item)(void *item))
{
	void **place = item ? idm_array_append(&items->array, &items->n, sizeof(*items->array)) : NULL;

	if (place) {
		*place = item;
		return 0;
	}
	if (item)
		free_item(item);
	return IDM_ITEMS_FULL;
}

void *idm_items_next(struct idm_items *items)
{
	return items->next < items->n ? items->array[items->next++] : NULL;
}

void idm_items_free(struct idm_items *items, void (*free_item)(void *item))
{
	for (size_t i = 0; i < items->n; i++)
		free_item(items->array[i]);
	free(items->array);
}

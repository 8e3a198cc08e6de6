// SPDX-License-Identifier: MIT
#include "array.h"

#include <stdlib.h>
#include <string.h>

void *idm_array_append(void *array, size_t *n, size_t size)
{
	char *items, *more;

	memcpy(&items, array, sizeof(items)); /* a pointer of another type may not be read as this one */
	/* With no item, or a power of two of them, all memory is in use. */
	if ((*n & (*n - 1)) == 0) {
		more = reallocarray(items, *n ? 2 * *n : 1, size);
		if (!more)
			return NULL;
		items = more;
		memcpy(array, &items, sizeof(items));
	}
	return items + (*n)++ * size;
}

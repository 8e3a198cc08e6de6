/* SPDX-License-Identifier: MIT */
/* An array that grows by one item at a time, and is to free(). */
#ifndef IDM_BASE_ARRAY_H
#define IDM_BASE_ARRAY_H

#include <stddef.h>

/*
 * Appends one item of `size` bytes, which is not initialised, to an array of *n items. `array` is the
 * address of the pointer to the array, which may be NULL with 0 items. Nothing else may change its size.
 * Returns the item, or NULL without memory: then nothing has changed.
 */
void *idm_array_append(void *array, size_t *n, size_t size);

#endif

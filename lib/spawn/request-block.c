// SPDX-License-Identifier: MIT
/* A growing block of memory for a request. All in it is found by offsets. */
#include "request-block.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Far more than execve(2) accepts. */
#define MOST (1U << 30)

static void grow_request(struct idm_block *block, size_t n)
{
	size_t size = block->size;
	char *data;

	while (size < block->used + n)
		size *= 2;
	if (size == block->size)
		return;
	data = n > MOST || size > MOST ? NULL : realloc(block->data, size);
	if (!data) {
		block->failed = size > MOST || n > MOST ? -E2BIG : -ENOMEM;
		return;
	}
	block->data = data;
	block->size = (uint32_t)size;
}

uint32_t idm_block_reserve(struct idm_block *block, size_t n)
{
	uint32_t at;

	if (block->failed)
		return 0;
	block->used = (block->used + 7) & ~7U;
	grow_request(block, n + 8);
	if (block->failed)
		return 0;
	at = block->used;
	memset(block->data + at, 0, n);
	block->used += (uint32_t)n;
	return at;
}

uint32_t idm_block_append(struct idm_block *block, const void *data, size_t n)
{
	uint32_t at = idm_block_reserve(block, n);

	if (at && n)
		memcpy(block->data + at, data, n);
	return at;
}

uint32_t idm_block_add_string(struct idm_block *block, const char *s)
{
	return s ? idm_block_append(block, s, strlen(s) + 1) : 0;
}

uint32_t idm_block_add_strings(struct idm_block *block, const char *const *strings)
{
	size_t n = 0;
	uint32_t at;

	while (strings[n])
		n++;
	at = idm_block_reserve(block, (n + 1) * sizeof(uintptr_t));
	for (size_t i = 0; i < n && at; i++) {
		uint32_t s = idm_block_add_string(block, strings[i]);

		if (s)
			*IDM_BLOCK_ELEMENT(block, at, uintptr_t, i) = s;
	}
	return at;
}

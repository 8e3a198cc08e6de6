/* SPDX-License-Identifier: MIT */
/* A growing block of memory for a request. Addresses in it are valid until the next addition. */
#ifndef IDM_SPAWN_REQUEST_BLOCK_H
#define IDM_SPAWN_REQUEST_BLOCK_H

#include <stddef.h>

#include "lib/spawn/executor/request.h"

struct idm_block {
	char *data;
	uint32_t used, size;
	int failed; /* -errno: an addition failed, and the request is incomplete */
};

static inline struct idm_request *idm_block_request(const struct idm_block *block)
{
	return (struct idm_request *)block->data;
}

/* The address of an element of an array, valid until the next addition. */
#define IDM_BLOCK_ELEMENT(block, array, type, i) ((type *)((block)->data + (array)) + (i))

/* Each returns the offset of the new bytes, or 0 after a failure. They are aligned for any number. */
uint32_t idm_block_reserve(struct idm_block *block, size_t n);
uint32_t idm_block_append(struct idm_block *block, const void *data, size_t n);
uint32_t idm_block_add_string(struct idm_block *block, const char *s);
uint32_t idm_block_add_strings(struct idm_block *block, const char *const *strings);

#endif

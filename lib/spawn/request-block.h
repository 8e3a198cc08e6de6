/* SPDX-License-Identifier: MIT */
/* The block of memory that a request is made in. An address in it is good until something is added. */
#ifndef IDM_SPAWN_REQUEST_BLOCK_H
#define IDM_SPAWN_REQUEST_BLOCK_H

#include <stddef.h>

#include "lib/spawn/executor/request.h"

struct idm_block {
	char *data;
	uint32_t used, size;
	int failed; /* -errno; the block is of no use then, but still there */
};

static inline struct idm_request *idm_block_request(const struct idm_block *block)
{
	return (struct idm_request *)block->data;
}

/* The place of an element of an array: good until something is put. */
#define IDM_BLOCK_ELEMENT(block, array, type, i) ((type *)((block)->data + (array)) + (i))

/* Room for n bytes of 0, aligned for any number. 0 once anything has failed. */
uint32_t idm_block_reserve(struct idm_block *block, size_t n);
uint32_t idm_block_append(struct idm_block *block, const void *data, size_t n);
uint32_t idm_block_add_string(struct idm_block *block, const char *s);
uint32_t idm_block_add_strings(struct idm_block *block, const char *const *strings);

#endif

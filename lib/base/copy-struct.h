/* SPDX-License-Identifier: MIT */
#ifndef IDM_BASE_COPY_STRUCT_H
#define IDM_BASE_COPY_STRUCT_H

#include <stddef.h>

#include "idmount.h"

/*
 * Copies a caller's option struct, which begins with a size_t size, into the library's of `size` bytes.
 * No program was compiled with less than `first` bytes, those of 0.1.
 * A shorter one comes from an older header: fields that it lacks keep their value, so set the defaults
 * before. A longer one comes from a newer header: its unknown fields must be 0. NULL changes nothing.
 * Returns 0, or fails in `step` with -EINVAL (the size) or -E2BIG.
 */
int idm_copy_struct(void *to, size_t size, size_t first, const void *from, enum idm_error_step step,
		    struct idm_error *err);

/* The same; `last` is the last member that 0.1 has. It stays when others are added behind it. */
#define IDM_COPY_STRUCT(to, last, from, step, err)                                                 \
	idm_copy_struct(to, sizeof(*(to)), offsetof(__typeof__(*(to)), last) + sizeof((to)->last), \
			from, step, err)

/*
 * Copies element `i` of a caller's array in the same way. The elements carry no size: `element_size` is
 * the one in the caller's header. Returns 0 or -E2BIG.
 */
int idm_copy_element(void *to, size_t size, const void *array, size_t i, size_t element_size);

/* Whether `flags` are among `known`. 0, or -EINVAL in `step`, which names the other bits. */
int idm_check_flags(unsigned int flags, unsigned int known, enum idm_error_step step,
		    const char *subject, struct idm_error *err);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef IDM_BASE_COPY_STRUCT_H
#define IDM_BASE_COPY_STRUCT_H

#include <stddef.h>

#include "idmount.h"

/*
 * Copies a caller's option struct, which begins with a size_t size, into ours of `size` bytes. A
 * shorter one comes from an older header: ours keeps what it lacks, so set the defaults before. A longer
 * one comes from a newer header: fine as long as what we do not know is 0. NULL leaves ours as it is.
 * Returns 0, or fails in `step` with -EINVAL (no size set) or -E2BIG.
 */
int idm_copy_struct(void *to, size_t size, const void *from, enum idm_error_step step,
		    struct idm_error *err);

/* Whether `flags` are among `known`. 0, or -EINVAL in `step`, which names the other bits. */
int idm_check_flags(unsigned int flags, unsigned int known, enum idm_error_step step,
		    const char *subject, struct idm_error *err);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef IDM_OPTIONS_H
#define IDM_OPTIONS_H

#include <stddef.h>

/*
 * Copies a caller's option struct, which begins with a size_t size, into ours of `size` bytes. A
 * shorter one comes from an older header: what it has not is 0. A longer one comes from a newer header:
 * fine as long as what we do not know is 0. Returns 0, -EINVAL (no size set) or -E2BIG.
 */
int idm_copy_options(void *to, size_t size, const void *from);

#endif

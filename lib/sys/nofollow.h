/* SPDX-License-Identifier: MIT */
/*
 * A path whose last component is not followed if it is a symbolic link. O_NOFOLLOW alone does not see to
 * that: behind "link/" and "link/." the kernel follows the link, and "link/x/.." leads to where it
 * points.
 */
#ifndef IDM_SYS_NOFOLLOW_H
#define IDM_SYS_NOFOLLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "idmount.h"

/* Whether the path ends in a name, so that O_NOFOLLOW is enough. */
bool idm_ends_in_name(const char *path);

/*
 * openat2(2) with O_NOFOLLOW for what the path names, without the slashes and "." at its end. A path
 * that then ends in ".." may have no symbolic link on its way: -ELOOP. Returns a descriptor or -errno.
 */
int idm_open_nofollow(int dirfd, const char *path, int flags, uint64_t resolve);

/* Fills in *err, as idm_fail(), with what the code means for such a path. */
void idm_fail_nofollow(struct idm_error *err, int code, enum idm_error_step step, const char *path);

/* Opens the path; an empty one is what dirfd refers to, or the working directory. */
int idm_open_or_dup(int dirfd, const char *path, int flags);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef IDM_OCI_NEW_TMPFS_H
#define IDM_OCI_NEW_TMPFS_H

#include <stddef.h>

#include "idmount.h"

struct placing;

/*
 * Creates the mount points of mounts that are on a tree with a new tmpfs. The trees have to exist.
 * Refuses a tmpfs in which the runtime has put other files. Returns 0 or -errno.
 */
int prepare_new_tmpfs(const struct placing *placings, size_t n, struct idm_error *err);

#endif

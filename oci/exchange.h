/* SPDX-License-Identifier: MIT */
#ifndef IDM_OCI_EXCHANGE_H
#define IDM_OCI_EXCHANGE_H

#include <stddef.h>

#include "idmount.h"

struct placing;

/* Where the mounts are, and what leads to them. */
struct mount_tables {
	int namespace; /* the mount namespace */
	int mountinfo; /* of a process in there, whose root directory is that of the namespace */
	int root;      /* the root filesystem in there */
	int proc;      /* idm_procfs_root() of the caller */
};

/*
 * Puts each tree into the place of the runtime's mount, which is removed. Returns 0 or -errno. After a
 * failure no tree is there, and mounts of the runtime can be missing: the container must not start.
 */
int exchange_mounts(struct placing *placings, size_t n, const struct mount_tables *where,
		    struct idm_error *err);

#endif

/* SPDX-License-Identifier: MIT */
/* The processes that can have mounted an overlay, and roots of user namespaces. */
#ifndef IDM_CLI_EXPLAIN_LAYER_MOUNTERS_H
#define IDM_CLI_EXPLAIN_LAYER_MOUNTERS_H

#include "idmount.h"

#define MOUNTERS_MOST 8

/* Root of a user namespace, with all capabilities in it. */
struct mounter {
	struct idm_map *userns_map; /* NULL: the initial one */
	int userns_fd;		    /* -1: the initial one */
	uint32_t uid, gid;	    /* as the caller counts IDs */
};

struct mounters {
	struct mounter list[MOUNTERS_MOST];
	size_t n; /* 0: not known */
};

/*
 * Root of the user namespace that mounted the overlay. If that is not visible, it can be the one that
 * owns the mount namespace of process `pid` (0: the caller), or each above. The mounters are not known
 * to a caller in another user namespace than the initial one, and to one that may not read the maps.
 * Call free_mounters() afterwards.
 */
void find_mounters(const struct idm_explain_info *place, pid_t pid, struct mounters *mounters);

/* Roots of the process's user namespace, and of those above but for the initial one. */
void find_roots(pid_t pid, struct mounters *roots);
void free_mounters(struct mounters *mounters);

#endif

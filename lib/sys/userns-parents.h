/* SPDX-License-Identifier: MIT */
/* User namespaces above another one. */
#ifndef IDM_SYS_USERNS_PARENTS_H
#define IDM_SYS_USERNS_PARENTS_H

#include "idmount.h"

/* Deeper ones cannot be created. */
#define IDM_USERNS_LEVELS_MOST 33

/* A process, and its capabilities in its own user namespace. */
struct idm_userns_member {
	int userns_fd; /* -1: the initial one */
	uint32_t uid;  /* the effective one, as the caller counts IDs */
	uint64_t capabilities;
};

/* Replaces the descriptor by one of the parent, or by -errno. */
void idm_replace_by_parent_userns(int *userns_fd);

/*
 * Sets *capabilities to those that the process has in a user namespace. They count in all namespaces
 * below its own, and the owner of one has all of them there. Returns 0, or -errno: a namespace on the
 * way up is not visible to the caller.
 */
int idm_find_capabilities_in(int userns_fd, const struct idm_userns_member *member,
			     uint64_t *capabilities);

/* Whether a user namespace is `top` or below it: 1, 0, or -errno: it is not visible to the caller. */
int idm_is_userns_below(int userns_fd, int top_fd);

#endif

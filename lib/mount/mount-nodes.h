/* SPDX-License-Identifier: MIT */
/* Mounts that are to be unmounted one by one, and their order: each before the one that it is on. */
#ifndef IDM_MOUNT_MOUNT_NODES_H
#define IDM_MOUNT_MOUNT_NODES_H

#include "idmount.h"

struct idm_mount_node {
	uint64_t id, parent;
	char *target;
	bool marked;	/* it is to be unmounted */
	bool set_aside; /* not before another one is */
};

struct idm_mount_nodes {
	struct idm_mount_node *v; /* in the order of the list */
	size_t n;
};

/* For the functions that list mounts; `data` are the nodes. 0, or -ENOMEM. */
int idm_mount_nodes_append(const struct idm_mount_info *mount, void *data);

struct idm_mount_node *idm_mount_nodes_find(const struct idm_mount_nodes *nodes, uint64_t id);

/* Marks every mount below this one, but not itself. */
void idm_mount_nodes_mark_below(struct idm_mount_nodes *nodes, uint64_t top);

/*
 * Finds the last marked one on which no other marked one is. NULL: none is left, or those that are left
 * wait for one that is set aside.
 */
struct idm_mount_node *idm_mount_nodes_topmost(const struct idm_mount_nodes *nodes);

void idm_mount_nodes_free(struct idm_mount_nodes *nodes);

#endif

/* SPDX-License-Identifier: MIT */
/* Mounts that are to be unmounted one by one, and their order: each before the one that it is on. */
#ifndef IDM_MOUNT_MOUNT_NODES_H
#define IDM_MOUNT_MOUNT_NODES_H

#include <stdbool.h>

#include "idmount.h"
#include "lib/base/hashtable.h"

struct idm_mount_node {
	struct idm_hash_link by_id;
	uint64_t id, parent;
	bool marked; /* it is to be unmounted */
	bool waits;  /* for one on it, which another mount covers */
	/* While the nodes are sorted. */
	size_t n_on; /* the mounts on it that have no place in the order yet */
	bool passed; /* its turn came before theirs */
	struct idm_mount_node *next;
	char target[];
};

struct idm_mount_nodes {
	struct idm_mount_node **v; /* in the order of the list, until they are sorted */
	size_t n;
	struct idm_hashtable by_id;
};

/*
 * For the functions that list mounts; `data` are the nodes. A mount that is there already is not added
 * again. 0, or -ENOMEM.
 */
int idm_mount_nodes_append(const struct idm_mount_info *mount, void *data);

struct idm_mount_node *idm_mount_nodes_find(const struct idm_mount_nodes *nodes, uint64_t id);

/* The mount that this one is on, or NULL if it is not among the nodes. */
struct idm_mount_node *idm_mount_nodes_parent(const struct idm_mount_nodes *nodes,
					      const struct idm_mount_node *node);

/*
 * Sorts them once, in the order of unmounting. The next one is always the last of the list on which no
 * mount is left. Mounts that are each on another one come last. A list that is read while mounts are
 * moved can show such mounts.
 */
void idm_mount_nodes_sort(struct idm_mount_nodes *nodes);

/* Marks every mount below this one, but not itself. The nodes are sorted. */
void idm_mount_nodes_mark_below(struct idm_mount_nodes *nodes, uint64_t top);

void idm_mount_nodes_free(struct idm_mount_nodes *nodes);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Mapped copies for the directories of an overlay. A storage's home has one copy, and all layers are
 * below it. So the kernel, or idmountd, is asked for one map.
 */
#ifndef IDM_CLI_OVERLAYFS_TREES_H
#define IDM_CLI_OVERLAYFS_TREES_H

#include "idmount.h"

struct mapped_trees {
	const struct idm_map *mappings; /* complete, see mappings.h */
	int userns_fd;			/* with the same map, from IDs on disk */
	struct mapped_tree *v;
	size_t n;
	char **paths; /* to which the results point */
	size_t n_paths;
};

void close_mapped_trees(struct mapped_trees *trees);

/* Finds a layer below a copy. Returns DONE, or reports and returns FAILED. */
int find_mapped_layer(struct mapped_trees *trees, const char *layer, struct idm_path *mapped);

/* The same for the upper directory and the work directory, which have to be below one copy. */
int find_mapped_upper(struct mapped_trees *trees, const char *upper, struct idm_path *mapped);
int find_mapped_work(struct mapped_trees *trees, const char *work, struct idm_path *mapped);

/* Attaches each copy over its own source, in the caller's mount namespace. Returns 0 or -errno. */
int attach_mapped_trees(const struct mapped_trees *trees, struct idm_error *err);

#endif

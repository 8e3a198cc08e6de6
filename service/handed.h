/* SPDX-License-Identifier: MIT */
/* The facts about the two descriptors that a client hands over. */
#ifndef IDM_SERVICE_HANDED_H
#define IDM_SERVICE_HANDED_H

#include "rule.h"

/*
 * Opens the parent of a user namespace. `userns_fd` can be any file of the client's. Returns a
 * descriptor, or a refusal. The inode number is that of no other namespace while it is open.
 */
int open_parent_userns(int userns_fd, uint64_t *inode, struct idm_service_reply *reply);

/* Notes the filesystem of namespaces. Called once, before the other functions. Returns 0 or -errno. */
int prepare_namespaces(void);

/* Opens the sysctl that read_handed_map() checks. Called once, before that. Returns 0 or -errno. */
int prepare_dumpable_sysctl(void);

/*
 * Makes the directory that is the root of the service's processes in handed user namespaces. Called
 * once, before the other functions. Returns 0 or -errno.
 */
int prepare_empty_root(void);

/* Reads the map of a user namespace as the service sees it. */
int read_handed_map(struct idm_map *map, int userns_fd, struct idm_service_reply *reply);

/* Looks at the tree, which can be any file of the client's. No filesystem's server is asked. */
int look_at_tree(int tree_fd, struct tree_facts *tree, struct idm_service_reply *reply);

/* The system call. */
int map_tree(int tree_fd, int userns_fd, struct idm_service_reply *reply);

#endif

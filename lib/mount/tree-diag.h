/* SPDX-License-Identifier: MIT */
/* Why the kernel would not copy or map a tree: it says EINVAL for seven causes, and EPERM for six. */
#ifndef IDM_MOUNT_TREE_DIAG_H
#define IDM_MOUNT_TREE_DIAG_H

#include "idmount.h"

/*
 * Fills in *err (may be NULL) and returns `code`: the -errno of the system call that was to clone the
 * mount at `source_fd` (which may be O_PATH) with the map `userns_fd` (-1: without one). `path` is what
 * the caller calls the source, `flags` are those of idm_tree_open(). IDM_TREE_SERVICE: no service runs.
 * Found out by trying again with throw-away objects; nothing changes.
 */
int idm_diagnose_not_mapped(int code, int source_fd, const char *path, int userns_fd, unsigned int flags,
			    struct idm_error *err);

#endif

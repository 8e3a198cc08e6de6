/* SPDX-License-Identifier: MIT */
/* The parts of attaching that idm_tree_attach() is not alone to need. */
#ifndef IDM_MOUNT_ATTACH_H
#define IDM_MOUNT_ATTACH_H

#include "target.h"

/* -ENOSYS before Linux 5.12. */
int idm_refuse_old_kernel(const char *path, struct idm_error *err);

/* Attaches the tree on top of what is at the target, which the caller knows as `path`. */
int idm_attach_on_top(int tree_fd, const struct idm_target *target, const char *path,
		      struct idm_error *err);

#endif

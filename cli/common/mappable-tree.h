/* SPDX-License-Identifier: MIT */
#ifndef IDM_CLI_COMMON_MAPPABLE_TREE_H
#define IDM_CLI_COMMON_MAPPABLE_TREE_H

#include "idmount.h"

/*
 * As idm_tree_open() of a path with IDM_TREE_RECURSIVE, but leaves out each mount below that cannot be
 * mapped, and prints a note about it. Requires CAP_SYS_ADMIN, for a mount namespace of its own.
 */
int open_mappable_tree(const char *source, int userns_fd, const struct idm_tree_options *options,
		       struct idm_error *err);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef IDM_CLI_COMMON_NEW_FILESYSTEM_H
#define IDM_CLI_COMMON_NEW_FILESYSTEM_H

#include <idmount.h>

/* Both return a new filesystem as a detached tree, or report and return -1. */
int open_new_filesystem(const struct idm_plan_add_options *options);
int open_unmapped_filesystem(const char *type, const char *const *options, size_t n);

#endif

/* SPDX-License-Identifier: MIT */
/* A procfs whose mountinfo contains the input. */
#ifndef FUZZ_PROCFS_H
#define FUZZ_PROCFS_H

#include <stddef.h>

#include "idmount.h"

void set_mountinfo(const char *text, size_t size); /* kept, not copied */

/* Checks the properties of every listed mount. */
void check_mount(const struct idm_mount_info *mount);

#endif

/* SPDX-License-Identifier: MIT */
/* A procfs whose mountinfo says what the input says. */
#ifndef FUZZ_PROCFS_H
#define FUZZ_PROCFS_H

#include <stddef.h>

#include "idmount.h"

void set_mountinfo(const char *text, size_t size); /* kept, not copied */

/* What holds for every mount that a listing reports. */
void check_mount(const struct idm_mount_info *mount);

#endif

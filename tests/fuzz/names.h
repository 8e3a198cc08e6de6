/* SPDX-License-Identifier: MIT */
#ifndef NAMES_H
#define NAMES_H

#include "lib/idmap/nss.h"

int __wrap_idm_nss_find_user(const char *name, struct idm_ids *ids);
int __wrap_idm_nss_find_group(const char *name, uint32_t *gid);
int __wrap_idm_nss_find_caller(char *name, size_t size);

#endif

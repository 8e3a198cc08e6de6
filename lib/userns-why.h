/* SPDX-License-Identifier: MIT */
/* Why the kernel refused a user namespace or its map, found out by looking. Each returns `code`. */
#ifndef IDM_USERNS_WHY_H
#define IDM_USERNS_WHY_H

#include "idmount.h"

/* Somebody in this process waits with __WALL for what is not his: this often we try to be faster. */
#define IDM_USERNS_ATTEMPTS 16

int idm_why_no_userns(int code, struct idm_error *err);
int idm_why_map_refused(const struct idm_map *map, unsigned int kind, int code, struct idm_error *err);
int idm_why_no_wait(int code, struct idm_error *err);
int idm_why_always_reaped(struct idm_error *err);

#endif

/* SPDX-License-Identifier: MIT */
/* Why the kernel refused a user namespace or its map, found out by looking. Each returns `code`. */
#ifndef IDM_USERNS_USERNS_DIAG_H
#define IDM_USERNS_USERNS_DIAG_H

#include "idmount.h"

int idm_diagnose_no_userns(int code, struct idm_error *err);
int idm_diagnose_map_refused(const struct idm_map *map, unsigned int kind, int code,
			     struct idm_error *err);

#endif

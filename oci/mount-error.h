/* SPDX-License-Identifier: MIT */
#ifndef IDM_OCI_MOUNT_ERROR_H
#define IDM_OCI_MOUNT_ERROR_H

#include "idmount.h"

struct idm_plan_entry;

/*
 * Puts the mount, and the annotation that asks for its map (NULL: the engine asks), before the subject
 * of an error about its source. Returns `code`, which may be a success.
 */
int name_mount_of_error(int code, const struct idm_plan_entry *step, const char *annotation,
			struct idm_error *err);

#endif

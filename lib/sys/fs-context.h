/* SPDX-License-Identifier: MIT */
/* What fsopen(2), fsconfig(2) and fsmount(2) say about a filesystem context, and why they fail. */
#ifndef IDM_SYS_FS_CONTEXT_H
#define IDM_SYS_FS_CONTEXT_H

#include "idmount.h"

/*
 * Adds the last message that the kernel has logged for the context: "overlay: Unknown parameter 'x'".
 * `fs` may be -1: then nothing is added.
 */
void idm_add_fs_log(int fs, struct idm_error *err);

/* Fills in why fsopen(2) of this type failed. Returns `code`. */
int idm_diagnose_fsopen(int code, const char *type, enum idm_error_step step, struct idm_error *err);

/* Adds to an error with -EPERM which privilege is missing, if that is known. */
void idm_hint_fs_privilege(int code, struct idm_error *err);

#endif

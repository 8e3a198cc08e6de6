/* SPDX-License-Identifier: MIT */
/* Why the kernel refused a new namespace to the command. Each returns `code`, a negative errno. */
#ifndef IDM_OCI_NAMESPACE_DIAG_H
#define IDM_OCI_NAMESPACE_DIAG_H

#include "idmount.h"

int diagnose_no_user_namespace(int code, struct idm_error *err);

/* Of unshare(2), which also fails with EPERM for a caller without the privilege. */
int diagnose_no_mount_namespace(int code, struct idm_error *err);

/* Of mount(2), which makes the mounts of a new mount namespace private. */
int diagnose_no_private_mounts(int code, struct idm_error *err);

#endif

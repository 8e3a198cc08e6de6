/* SPDX-License-Identifier: MIT */
/*
 * Another thread of the caller can reap the library's short-lived child by waiting with __WALL. Nothing
 * prevents that, so the library notices it and tries again.
 */
#ifndef IDM_SYS_REAPED_DIAG_H
#define IDM_SYS_REAPED_DIAG_H

#include "idmount.h"

#define IDM_CHILD_ATTEMPTS 16

/* Adds to the error of the last attempt that all attempts failed so. Returns -ESRCH. */
int idm_diagnose_always_reaped(struct idm_error *err);

#endif

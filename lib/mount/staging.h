/* SPDX-License-Identifier: MIT */
/*
 * A staging namespace: a small mount namespace that a caller keeps by a descriptor. A copy of it holds
 * one or two mounts, however many the caller's own mount namespace has.
 */
#ifndef IDM_MOUNT_STAGING_H
#define IDM_MOUNT_STAGING_H

#include "idmount.h"

/* Refuses a descriptor that is no mount namespace. A negative one is accepted, and not used. */
int idm_staging_check(int staging_fd, struct idm_error *err);

/*
 * For a subprocess: enters a new copy of the staging namespace, or of its own mount namespace if
 * `staging_fd` is negative. Sets *step to IDM_STEP_JOIN_STAGING if it fails there. Makes system calls
 * only.
 */
int idm_staging_enter(int staging_fd, enum idm_error_step *step);

/* Fills in why a subprocess failed at that step, or at another one. Returns `code`. */
int idm_diagnose_staging(int code, enum idm_error_step step, struct idm_error *err);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef IDM_OCI_UNTRACEABLE_H
#define IDM_OCI_UNTRACEABLE_H

#include "idmount.h"

/*
 * Returns 0 if a process of the caller that is not dumpable, and joins this user namespace, stays so.
 * Else -EPERM: other processes in there could trace it for a moment.
 */
int check_untraceable(int userns, struct idm_error *err);

#endif

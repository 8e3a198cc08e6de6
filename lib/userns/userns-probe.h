/* SPDX-License-Identifier: MIT */
/* A throw-away user namespace to find things out with. Closing the descriptor removes it. */
#ifndef IDM_USERNS_USERNS_PROBE_H
#define IDM_USERNS_USERNS_PROBE_H

#include "idmount.h"

/*
 * Returns a descriptor of a user namespace with a map that every caller may write: disk ID 0 is seen as
 * the caller.
 */
int idm_probe_userns(struct idm_error *err);

#endif

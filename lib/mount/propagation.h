/* SPDX-License-Identifier: MIT */
#ifndef IDM_MOUNT_PROPAGATION_H
#define IDM_MOUNT_PROPAGATION_H

#include "idmount.h"

/* Returns the flag of mount_setattr(2), or 0 for IDM_PROPAGATION_DEFAULT and for an unknown value. */
uint64_t idm_propagation_flag(enum idm_propagation propagation);

#endif

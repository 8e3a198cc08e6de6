/* SPDX-License-Identifier: MIT */
/* The same as exposure.h of all mounts of a plan. */
#ifndef IDM_CLI_COMMON_PLAN_EXPOSURE_H
#define IDM_CLI_COMMON_PLAN_EXPOSURE_H

#include "exposure.h"

/* Looks at the sources of binds, and at upper directories that store the IDs of the layers. */
void look_for_exposure_of_plan(struct exposed *found, const struct idm_plan *plan,
			       enum idm_upper_ids upper_ids);

#endif

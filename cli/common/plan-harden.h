/* SPDX-License-Identifier: MIT */
#ifndef IDM_CLI_COMMON_PLAN_HARDEN_H
#define IDM_CLI_COMMON_PLAN_HARDEN_H

#include "harden.h"

/* All mounts of a plan, see idm_plan_harden(). The result points into the plan. */
struct hardened harden_plan(struct idm_plan *plan, const struct idm_map *container);

#endif

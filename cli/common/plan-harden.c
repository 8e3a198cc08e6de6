// SPDX-License-Identifier: MIT
#include "plan-harden.h"

#include "oci/plan-view.h"

struct hardened harden_plan(struct idm_plan *plan, const struct idm_map *container)
{
	struct hardened all = { 0 };

	all.n = idm_plan_harden(plan, container, &all.why);
	all.added = find_hardened_entries(plan, &all.target);
	return all;
}

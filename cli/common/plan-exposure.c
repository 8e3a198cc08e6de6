// SPDX-License-Identifier: MIT
#include "plan-exposure.h"

#include "lib/rootfs/assemble.h"

static void look_at_step(struct exposed *found, const struct idm_plan_entry *step,
			 enum idm_upper_ids upper_ids)
{
	struct idm_attributes a = idm_plan_entry_attributes(step);
	struct words words = { .set = a.set, .clear = a.clear };
	struct idm_path place = { step->dirfd, step->source };

	if (step->kind == IDM_PLAN_ENTRY_OVERLAY) {
		if (!step->upper || upper_ids != IDM_UPPER_DISK)
			return;
		place.path = step->upper;
	}
	if (step->kind != IDM_PLAN_ENTRY_FILESYSTEM)
		look_for_exposure(found, &place, step->map, &words);
}

void look_for_exposure_of_plan(struct exposed *found, const struct idm_plan *plan,
			       enum idm_upper_ids upper_ids)
{
	for (size_t i = 0; i < plan->n; i++)
		look_at_step(found, &plan->steps[i], upper_ids);
}

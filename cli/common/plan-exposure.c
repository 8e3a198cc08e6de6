// SPDX-License-Identifier: MIT
#include "plan-exposure.h"

#include "oci/plan-view.h"

void look_for_exposure_of_plan(struct exposed *found, const struct idm_plan *plan,
			       enum idm_upper_ids upper_ids)
{
	for (size_t i = 0; i < count_plan_entries(plan); i++) {
		struct plan_store store;
		bool stores = get_plan_store(plan, i, upper_ids, &store);
		struct mount_options mount_options = { .set = store.attr_set,
						       .clear = store.attr_clear };

		if (stores)
			look_for_exposure(found, &store.path, store.map, &mount_options);
	}
}

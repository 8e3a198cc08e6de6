// SPDX-License-Identifier: MIT
#include "plan-view.h"

#include "lib/plan/plan.h"
#include "lib/rootfs/assemble.h"

size_t count_plan_entries(const struct idm_plan *plan)
{
	return plan->n;
}

uint32_t find_hardened_entries(const struct idm_plan *plan, const char **target)
{
	uint32_t hardened = 0;

	*target = NULL;
	for (size_t i = 0; i < plan->n; i++) {
		const struct idm_plan_entry *entry = &plan->entries[i];

		if (entry->hardened && !hardened)
			*target = entry->target;
		hardened |= entry->hardened;
	}
	return hardened;
}

bool get_plan_store(const struct idm_plan *plan, size_t i, enum idm_upper_ids upper_ids,
		    struct plan_store *store)
{
	const struct idm_plan_entry *entry = &plan->entries[i];
	struct idm_attributes a = idm_plan_entry_attributes(entry);

	*store = (struct plan_store){ .path = { entry->dirfd, entry->source },
				      .map = entry->map,
				      .attr_set = a.set,
				      .attr_clear = a.clear };
	if (entry->kind == IDM_PLAN_ENTRY_OVERLAY) {
		store->path.path = entry->upper;
		return entry->upper && upper_ids == IDM_UPPER_DISK;
	}
	return entry->kind == IDM_PLAN_ENTRY_BIND;
}

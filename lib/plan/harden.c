// SPDX-License-Identifier: MIT
/* Mounts of a plan ignore set-user-ID and device files unless their mount options ask for them. */
#include <string.h>

#include "lib/base/cancel.h"
#include "plan.h"

/* False for a proc, sysfs or devpts: the kernel provides its files. */
static bool holds_files_of_users(const struct idm_plan_entry *entry, bool first)
{
	if (entry->kind != IDM_PLAN_ENTRY_FILESYSTEM || entry->filesystem->on_device || entry->map)
		return true;
	return first && strcmp(entry->filesystem->name, "tmpfs") == 0;
}

static bool says_nothing_about(const struct idm_plan_entry *entry, uint32_t attribute)
{
	return !((entry->top.set | entry->top.clear | entry->deep.set | entry->deep.clear) & attribute);
}

static bool add_attribute(struct idm_plan_entry *entry, uint32_t attribute, bool deep)
{
	if (!says_nothing_about(entry, attribute))
		return false;
	if (deep)
		entry->deep.set |= attribute;
	else
		entry->top.set |= attribute;
	return true;
}

/*
 * A set-user-ID file is as dangerous as the owner that processes see. So nosuid covers the same mounts
 * as the map.
 */
static uint32_t harden_entry(struct idm_plan_entry *entry, uint32_t attributes)
{
	bool deep = entry->recursive && entry->map_scope != IDM_MAP_TOP;
	uint32_t added = 0;

	if (attributes & IDM_ATTR_NOSUID && add_attribute(entry, IDM_ATTR_NOSUID, deep))
		added = IDM_ATTR_NOSUID;
	if (attributes & IDM_ATTR_NODEV && add_attribute(entry, IDM_ATTR_NODEV, entry->recursive))
		added |= IDM_ATTR_NODEV;
	return added;
}

size_t idm_plan_harden(struct idm_plan *plan, const struct idm_map *container,
		       struct idm_hardening_info *why)
{
	HOLD_CANCEL;
	size_t n = 0;

	if (why)
		*why = (struct idm_hardening_info){ 0 };
	for (size_t i = 0; i < plan->n; i++) {
		struct idm_plan_entry *entry = &plan->entries[i];
		struct idm_hardening_info other;
		uint32_t attributes, added;

		if (!holds_files_of_users(entry, i == 0))
			continue;
		attributes = idm_map_hardening(entry->map, i ? IDM_HARDEN_BIND : IDM_HARDEN_ROOT,
					       container, &other);
		added = harden_entry(entry, attributes);
		if (!added || !other.kind)
			continue;
		entry->hardened = added;
		if (n++ == 0 && why)
			*why = other;
	}
	return n;
}

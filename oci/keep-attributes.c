// SPDX-License-Identifier: MIT
/*
 * The attributes of the host's mount that protect the host. The clone for a container has them, too. The
 * caller may clear them there, but the author of a container's options should not decide that: podman
 * writes "rw" for each volume without "ro".
 */
#include "lib/base/mount-attr.h"
#include "lib/plan/plan.h"
#include "lib/sys/syscall.h"
#include "oci.h"

#define KEPT (IDM_ATTR_RDONLY | IDM_ATTR_NOSUID | IDM_ATTR_NODEV | IDM_ATTR_NOEXEC)

/* All of them if that is not known. */
static uint32_t find_kept_attributes(int source)
{
	struct statfs fs;

	return idm_sys_fstatfs(source, &fs) < 0 ? KEPT
						: idm_attr_from_statfs((unsigned long)fs.f_flags) & KEPT;
}

/*
 * Each mount below has attributes of its own, so none of them is cleared there: where it is missing,
 * there is nothing to clear. On the top mount an option can also undo what another one sets for
 * all mounts ("rro,rw").
 */
static void keep_attributes_of(struct idm_plan_entry *entry, int source)
{
	uint32_t undone = entry->top.clear & entry->deep.set & KEPT;

	if (undone)
		undone &= ~find_kept_attributes(source);
	entry->deep.clear &= ~KEPT;
	entry->top.clear = (entry->top.clear & ~KEPT) | undone;
}

void idm_oci_keep_attributes(struct idm_oci *oci)
{
	for (size_t i = 0; i < oci->n; i++)
		if (oci->mounts[i].source >= 0)
			keep_attributes_of(&oci->plan->entries[oci->mounts[i].step],
					   oci->mounts[i].source);
}

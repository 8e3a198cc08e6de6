// SPDX-License-Identifier: MIT
/*
 * The translations of an ID on its way from the filesystem to the process. The kernel calls an ID that a
 * mount shows a vfsuid_t or vfsgid_t, to keep it apart from others (Linux 6.2).
 */
#include "internal.h"

uint32_t idm_show_id(const struct idm_explain_options *facts, unsigned int kind, uint32_t id)
{
	uint32_t seen;

	if (id == IDM_EXPLAIN_NO_ID || !facts->mount_map)
		return id;
	/* The first column of the mount's map has the numbers of the filesystem's user namespace. */
	if (facts->fs_map && idm_map_to_disk(facts->fs_map, kind, id, &id) < 0)
		return IDM_EXPLAIN_NO_ID;
	return idm_map_to_seen(facts->mount_map, kind, id, &seen) == 0 ? seen : IDM_EXPLAIN_NO_ID;
}

bool idm_store_id(const struct idm_explain_options *facts, unsigned int kind, uint32_t seen,
		  uint32_t *id)
{
	*id = seen;
	if (!facts->mount_map)
		return true;
	if (idm_map_to_disk(facts->mount_map, kind, seen, id) < 0)
		return false;
	return !facts->fs_map || idm_map_to_seen(facts->fs_map, kind, *id, id) == 0;
}

static bool is_outside_id(const struct idm_map *map, unsigned int kind, uint32_t id)
{
	uint32_t inside;

	return !map || idm_map_to_disk(map, kind, id, &inside) == 0;
}

bool idm_fs_has_id(const struct idm_explain_options *facts, unsigned int kind, uint32_t id)
{
	return is_outside_id(facts->fs_map, kind, id);
}

bool idm_userns_has_id(const struct idm_explain_options *facts, unsigned int kind, uint32_t id)
{
	return id != IDM_EXPLAIN_NO_ID && is_outside_id(facts->userns_map, kind, id);
}

bool idm_is_in_group(const struct idm_explain_options *facts, uint32_t gid)
{
	if (gid == IDM_EXPLAIN_NO_ID)
		return false;
	for (size_t i = 0; i < facts->n_groups; i++)
		if (facts->groups[i] == gid)
			return true;
	return facts->fsgid == gid;
}

bool idm_process_has_capability(const struct idm_explain_options *facts, int capability)
{
	return facts->capabilities >> capability & 1;
}

bool idm_is_capable_of(const struct idm_explain_options *facts, const struct idm_seen_inode *seen,
		       int capability)
{
	return idm_process_has_capability(facts, capability) &&
	       idm_userns_has_id(facts, IDM_UID, seen->uid) &&
	       idm_userns_has_id(facts, IDM_GID, seen->gid);
}

unsigned int idm_unmapped_sides(const struct idm_seen_inode *seen)
{
	return (seen->uid == IDM_EXPLAIN_NO_ID ? IDM_UID : 0) |
	       (seen->gid == IDM_EXPLAIN_NO_ID ? IDM_GID : 0);
}

// SPDX-License-Identifier: MIT
#include "cure-owner.h"

#include "cure-text.h"
#include "layer.h"

/* The caller counts as the mount shows IDs, which has no map here. */
static bool find_outside_id(const struct idm_map *userns, unsigned int kind, uint32_t inside,
			    uint32_t *id)
{
	*id = inside;
	return inside == IDM_EXPLAIN_NO_ID || !userns || idm_map_to_seen(userns, kind, inside, id) == 0;
}

/* A process that may not give a file away may leave it to its owner. */
static bool new_owner_allows(const struct verdict *v, uint32_t uid, uint32_t gid)
{
	struct idm_explain_inode inode = *v->facts.inode;
	struct idm_explain_options facts = v->facts;
	struct idm_explain_result result = IDM_EXPLAIN_RESULT_INIT;

	if (uid != IDM_EXPLAIN_NO_ID)
		inode.uid = uid;
	if (gid != IDM_EXPLAIN_NO_ID)
		inode.gid = gid;
	facts.inode = &inode;
	return idm_explain(&facts, &result, NULL) == 0 && !result.rule;
}

bool describe_new_owner(const struct verdict *v, char *text, size_t size)
{
	const struct idm_explain_options *facts = &v->facts;
	uint32_t uid, gid;

	if (facts->mount_map || facts->fs_map || v->place->unseen & IDM_UNSEEN_MOUNT_MAP ||
	    is_on_overlay(v) || !find_outside_id(facts->userns_map, IDM_UID, facts->new_uid, &uid) ||
	    !find_outside_id(facts->userns_map, IDM_GID, facts->new_gid, &gid) ||
	    !new_owner_allows(v, uid, gid))
		return false;
	if (gid == IDM_EXPLAIN_NO_ID)
		return write_cure(text, size, "chown %u", uid);
	if (uid == IDM_EXPLAIN_NO_ID)
		return write_cure(text, size, "chown :%u", gid);
	return write_cure(text, size, "chown %u:%u", uid, gid);
}

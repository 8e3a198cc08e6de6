// SPDX-License-Identifier: MIT
/* Changes of directories and of inodes: may_create(), may_delete(), notify_change(), setattr_prepare().
 */
#include <errno.h>
#include <linux/capability.h>
#include <sys/stat.h>

#include "internal.h"

/* mnt_want_write() */
static int check_mount_writable(struct idm_judge *judge, const struct idm_seen_inode *seen)
{
	if (judge->facts->fs_readonly)
		return idm_refuse(judge, seen, IDM_RULE_FILESYSTEM_READONLY, -EROFS);
	if (judge->facts->attr & IDM_ATTR_RDONLY)
		return idm_refuse(judge, seen, IDM_RULE_MOUNT_READONLY, -EROFS);
	return 0;
}

/* Refuses with a rule that names these sides, if there are any. */
static int check_sides(struct idm_judge *judge, enum idm_access_rule rule, unsigned int kinds, int code)
{
	judge->result->kinds = kinds;
	return kinds ? idm_refuse(judge, &judge->inode, rule, code) : 0;
}

/* ---- directories ---- */

static bool can_create_as(const struct idm_explain_options *facts, unsigned int kind, uint32_t fsid)
{
	uint32_t id;

	return idm_store_id(facts, kind, fsid, &id) && idm_fs_has_id(facts, kind, id);
}

int idm_check_create(struct idm_judge *judge)
{
	const struct idm_explain_options *facts = judge->facts;
	unsigned int kinds = (can_create_as(facts, IDM_UID, facts->fsuid) ? 0 : IDM_UID) |
			     (can_create_as(facts, IDM_GID, facts->fsgid) ? 0 : IDM_GID);
	int r = idm_check_permission(judge, &judge->inode, IDM_MAY_EXECUTE);

	if (r == 0)
		r = check_mount_writable(judge, &judge->inode);
	if (r == 0)
		r = check_sides(judge, IDM_RULE_UNMAPPED_NEW_ID, kinds, -EOVERFLOW);
	if (r == 0)
		r = idm_check_permission(judge, &judge->inode, IDM_MAY_WRITE | IDM_MAY_EXECUTE);
	return r;
}

/* In a sticky directory only the owners of the file and of the directory remove it. */
static int check_sticky(struct idm_judge *judge)
{
	const struct idm_explain_options *facts = judge->facts;

	if (!(judge->directory.inode->mode & S_ISVTX) || judge->inode.uid == facts->fsuid ||
	    judge->directory.uid == facts->fsuid)
		return 0;
	idm_note_capability(judge, CAP_FOWNER);
	if (idm_is_capable_of(facts, &judge->inode, CAP_FOWNER))
		return 0;
	return idm_refuse(judge, &judge->inode, IDM_RULE_STICKY, -EPERM);
}

static int check_not_fixed(struct idm_judge *judge, const struct idm_seen_inode *seen)
{
	if (seen->inode->flags & IDM_INODE_APPEND)
		return idm_refuse(judge, seen, IDM_RULE_APPEND_ONLY, -EPERM);
	if (seen->inode->flags & IDM_INODE_IMMUTABLE)
		return idm_refuse(judge, seen, IDM_RULE_IMMUTABLE, -EPERM);
	return 0;
}

/* may_delete() */
static int check_delete(struct idm_judge *judge)
{
	int r = check_sides(judge, IDM_RULE_UNMAPPED_OWNER, idm_unmapped_sides(&judge->inode),
			    -EOVERFLOW);

	if (r == 0)
		r = idm_check_permission(judge, &judge->directory, IDM_MAY_WRITE | IDM_MAY_EXECUTE);
	if (r == 0)
		r = check_not_fixed(judge, &judge->directory);
	if (r == 0)
		r = check_sticky(judge);
	if (r == 0)
		r = check_not_fixed(judge, &judge->inode);
	return r;
}

int idm_check_unlink(struct idm_judge *judge)
{
	int r = idm_check_permission(judge, &judge->directory, IDM_MAY_EXECUTE);

	if (r == 0)
		r = check_mount_writable(judge, &judge->directory);
	return r < 0 ? r : check_delete(judge);
}

/* ---- inodes ---- */

/* inode_owner_or_capable(): here the process's user namespace needs to have the owner only. */
static int check_owner(struct idm_judge *judge)
{
	const struct idm_explain_options *facts = judge->facts;

	if (judge->inode.uid == facts->fsuid)
		return 0;
	idm_note_capability(judge, CAP_FOWNER);
	if (judge->result->capable && idm_userns_has_id(facts, IDM_UID, judge->inode.uid))
		return 0;
	return idm_refuse(judge, &judge->inode, IDM_RULE_NOT_OWNER, -EPERM);
}

int idm_check_chmod(struct idm_judge *judge)
{
	int r = check_mount_writable(judge, &judge->inode);

	if (r == 0)
		r = check_not_fixed(judge, &judge->inode);
	if (r == 0)
		r = check_sides(judge, IDM_RULE_UNMAPPED_OWNER, idm_unmapped_sides(&judge->inode),
				-EOVERFLOW);
	return r < 0 ? r : check_owner(judge);
}

/* The IDs of a chown(2) outside of the process's user namespace; IDM_EXPLAIN_NO_ID: unchanged. */
struct new_owner {
	uint32_t uid, gid;
};

static bool convert_new_id(const struct idm_explain_options *facts, unsigned int kind, uint32_t inside,
			   uint32_t *id)
{
	*id = inside;
	if (inside == IDM_EXPLAIN_NO_ID || !facts->userns_map)
		return true;
	return idm_map_to_seen(facts->userns_map, kind, inside, id) == 0;
}

static int get_new_owner(struct idm_judge *judge, struct new_owner *new)
{
	const struct idm_explain_options *facts = judge->facts;
	unsigned int kinds = (convert_new_id(facts, IDM_UID, facts->new_uid, &new->uid) ? 0 : IDM_UID) |
			     (convert_new_id(facts, IDM_GID, facts->new_gid, &new->gid) ? 0 : IDM_GID);

	return check_sides(judge, IDM_RULE_UNKNOWN_NEW_ID, kinds, -EINVAL);
}

static bool can_store_new_id(const struct idm_explain_options *facts, unsigned int kind, uint32_t id)
{
	uint32_t stored;

	return id == IDM_EXPLAIN_NO_ID || idm_store_id(facts, kind, id, &stored);
}

/* The new IDs must be mapped, and the old ones that stay. */
static int check_owner_mapped(struct idm_judge *judge, const struct new_owner *new)
{
	const struct idm_explain_options *facts = judge->facts;
	unsigned int lost = (can_store_new_id(facts, IDM_UID, new->uid) ? 0 : IDM_UID) |
			    (can_store_new_id(facts, IDM_GID, new->gid) ? 0 : IDM_GID);
	unsigned int changed = (new->uid == IDM_EXPLAIN_NO_ID ? 0 : IDM_UID) |
			       (new->gid == IDM_EXPLAIN_NO_ID ? 0 : IDM_GID);
	int r = check_sides(judge, IDM_RULE_UNMAPPED_NEW_ID, lost, -EOVERFLOW);

	if (r < 0)
		return r;
	return check_sides(judge, IDM_RULE_UNMAPPED_OWNER, idm_unmapped_sides(&judge->inode) & ~changed,
			   -EOVERFLOW);
}

/* `old` is the owner or the group. An unmapped one can be changed where the filesystem was mounted. */
static bool may_chown(struct idm_judge *judge, uint32_t old)
{
	const struct idm_explain_options *facts = judge->facts;

	idm_note_capability(judge, CAP_CHOWN);
	return idm_is_capable_of(facts, &judge->inode, CAP_CHOWN) ||
	       (old == IDM_EXPLAIN_NO_ID && facts->fs_capabilities >> CAP_CHOWN & 1);
}

static bool may_change_owner(struct idm_judge *judge, uint32_t uid)
{
	uint32_t old = judge->inode.uid;

	return uid == IDM_EXPLAIN_NO_ID || (old == judge->facts->fsuid && uid == old) ||
	       may_chown(judge, old);
}

static bool may_change_group(struct idm_judge *judge, uint32_t gid)
{
	uint32_t old = judge->inode.gid;
	bool is_owner = judge->inode.uid == judge->facts->fsuid;

	return gid == IDM_EXPLAIN_NO_ID ||
	       (is_owner && (gid == old || idm_is_in_group(judge->facts, gid))) || may_chown(judge, old);
}

/* A changed owner removes set-user-ID and set-group-ID bits, which is a change of the mode. */
static bool loses_privilege_bits(const struct idm_judge *judge)
{
	uint32_t mode = judge->inode.inode->mode;

	if (S_ISDIR(mode))
		return false;
	if (mode & S_ISUID)
		return true;
	if (!(mode & S_ISGID))
		return false;
	return mode & S_IXGRP || !(idm_is_in_group(judge->facts, judge->inode.gid) ||
				   idm_is_capable_of(judge->facts, &judge->inode, CAP_FSETID));
}

int idm_check_chown(struct idm_judge *judge)
{
	struct new_owner new;
	int r = check_mount_writable(judge, &judge->inode);

	if (r == 0)
		r = get_new_owner(judge, &new);
	if (r == 0)
		r = check_not_fixed(judge, &judge->inode);
	if (r == 0)
		r = check_owner_mapped(judge, &new);
	if (r != 0)
		return r;
	if (!may_change_owner(judge, new.uid))
		return idm_refuse(judge, &judge->inode, IDM_RULE_CHANGE_OWNER, -EPERM);
	if (!may_change_group(judge, new.gid))
		return idm_refuse(judge, &judge->inode, IDM_RULE_CHANGE_GROUP, -EPERM);
	return loses_privilege_bits(judge) ? check_owner(judge) : 0;
}

// SPDX-License-Identifier: MIT
/* Mode, access control list, capabilities, and the attributes of the mount: fs/namei.c, fs/posix_acl.c.
 */
#include <errno.h>
#include <linux/capability.h>
#include <sys/stat.h>

#include "internal.h"

int idm_refuse(struct idm_judge *judge, const struct idm_seen_inode *seen, enum idm_access_rule rule,
	       int code)
{
	judge->result->rule = rule;
	judge->result->errnum = -code;
	judge->result->on_directory = seen->is_parent;
	return code;
}

void idm_note_capability(struct idm_judge *judge, int capability)
{
	judge->result->capability = capability;
	judge->result->capable = idm_process_has_capability(judge->facts, capability);
}

/* ---- mode and ACL ---- */

/* Whether the entry has all wanted bits. Notes the entry, and the bits that it lacks. */
static bool entry_allows(struct idm_judge *judge, enum idm_access_class entry, uint32_t id,
			 unsigned int bits, unsigned int want)
{
	judge->result->entry = entry;
	judge->result->entry_id = id;
	judge->result->missing = want & ~bits;
	return !judge->result->missing;
}

static const struct idm_acl_entry *find_acl_user(const struct idm_explain_options *facts,
						 const struct idm_explain_inode *inode)
{
	for (size_t i = 0; i < inode->n_acl; i++)
		if (inode->acl[i].kind == IDM_UID &&
		    idm_show_id(facts, IDM_UID, inode->acl[i].id) == facts->fsuid)
			return &inode->acl[i];
	return NULL;
}

/*
 * One entry of the process's groups with all bits is enough. The bits of several entries do not add up.
 * Returns whether any entry applies, and sets *allowed.
 */
static bool acl_groups_apply(struct idm_judge *judge, const struct idm_seen_inode *seen,
			     unsigned int want, bool *allowed)
{
	const struct idm_explain_inode *inode = seen->inode;
	unsigned int mask = inode->mode >> 3;
	bool found = idm_is_in_group(judge->facts, seen->gid);

	*allowed = found &&
		   entry_allows(judge, IDM_CLASS_GROUP, seen->gid, inode->acl_group & mask, want);
	for (size_t i = 0; i < inode->n_acl && !*allowed; i++) {
		const struct idm_acl_entry *e = &inode->acl[i];
		uint32_t gid = idm_show_id(judge->facts, IDM_GID, e->id);

		if (e->kind != IDM_GID || !idm_is_in_group(judge->facts, gid))
			continue;
		found = true;
		*allowed = entry_allows(judge, IDM_CLASS_ACL_GROUP, gid, e->permissions & mask, want);
	}
	return found;
}

/* posix_acl_permission(), for a process that is not the owner. */
static bool acl_allows(struct idm_judge *judge, const struct idm_seen_inode *seen, unsigned int want)
{
	const struct idm_explain_inode *inode = seen->inode;
	const struct idm_acl_entry *user = find_acl_user(judge->facts, inode);
	bool allowed;

	if (user)
		return entry_allows(judge, IDM_CLASS_ACL_USER, judge->facts->fsuid,
				    user->permissions & inode->mode >> 3, want);
	if (acl_groups_apply(judge, seen, want, &allowed))
		return allowed;
	return entry_allows(judge, IDM_CLASS_OTHER, 0, inode->mode, want);
}

/* acl_permission_check(). With an empty mask the kernel does not look at the ACL at all. */
static bool mode_allows(struct idm_judge *judge, const struct idm_seen_inode *seen, unsigned int want)
{
	const struct idm_explain_inode *inode = seen->inode;

	if (seen->uid == judge->facts->fsuid)
		return entry_allows(judge, IDM_CLASS_OWNER, seen->uid, inode->mode >> 6, want);
	if (inode->flags & IDM_INODE_ACL && inode->mode & S_IRWXG)
		return acl_allows(judge, seen, want);
	if (idm_is_in_group(judge->facts, seen->gid))
		return entry_allows(judge, IDM_CLASS_GROUP, seen->gid, inode->mode >> 3, want);
	return entry_allows(judge, IDM_CLASS_OTHER, 0, inode->mode, want);
}

/* ---- capabilities ---- */

/* The smaller of the capabilities that override the mode, or -1. CAP_DAC_OVERRIDE includes the other. */
static int get_overriding_capability(const struct idm_explain_inode *inode, unsigned int want)
{
	if (S_ISDIR(inode->mode))
		return want & IDM_MAY_WRITE ? CAP_DAC_OVERRIDE : CAP_DAC_READ_SEARCH;
	if (want == IDM_MAY_READ)
		return CAP_DAC_READ_SEARCH;
	/* Root cannot execute what no user may execute. */
	if (want & IDM_MAY_EXECUTE && !(inode->mode & (S_IXUSR | S_IXGRP | S_IXOTH)))
		return -1;
	return CAP_DAC_OVERRIDE;
}

static bool capability_overrides(struct idm_judge *judge, const struct idm_seen_inode *seen,
				 unsigned int want)
{
	int capability = get_overriding_capability(seen->inode, want);

	if (capability < 0) {
		judge->result->capability = -1;
		judge->result->capable = false;
		return false;
	}
	if (!idm_process_has_capability(judge->facts, capability) &&
	    idm_process_has_capability(judge->facts, CAP_DAC_OVERRIDE))
		capability = CAP_DAC_OVERRIDE;
	idm_note_capability(judge, capability);
	return idm_is_capable_of(judge->facts, seen, capability);
}

/* ---- inode_permission() ---- */

static int check_inode_writable(struct idm_judge *judge, const struct idm_seen_inode *seen)
{
	uint32_t mode = seen->inode->mode;

	/* A device or a pipe can be written to on a read-only filesystem. */
	if (judge->facts->fs_readonly && (S_ISREG(mode) || S_ISDIR(mode)))
		return idm_refuse(judge, seen, IDM_RULE_FILESYSTEM_READONLY, -EROFS);
	if (seen->inode->flags & IDM_INODE_IMMUTABLE)
		return idm_refuse(judge, seen, IDM_RULE_IMMUTABLE, -EPERM);
	judge->result->kinds = idm_unmapped_sides(seen);
	/* The filesystem could not write the inode back. */
	if (judge->result->kinds)
		return idm_refuse(judge, seen, IDM_RULE_UNMAPPED_OWNER, -EACCES);
	return 0;
}

int idm_check_permission(struct idm_judge *judge, const struct idm_seen_inode *seen, unsigned int want)
{
	int r = want & IDM_MAY_WRITE ? check_inode_writable(judge, seen) : 0;

	if (r < 0 || mode_allows(judge, seen, want) || capability_overrides(judge, seen, want))
		return r;
	return idm_refuse(judge, seen, IDM_RULE_PERMISSION, -EACCES);
}

/* ---- open(2), access(2), execve(2) ---- */

static bool is_device_node(uint32_t mode)
{
	return S_ISCHR(mode) || S_ISBLK(mode);
}

/* The mount is looked at last: may_open() comes before the write access is taken. */
int idm_check_open(struct idm_judge *judge, unsigned int want)
{
	const struct idm_seen_inode *seen = &judge->inode;
	uint32_t mode = seen->inode->mode;
	int r;

	if (is_device_node(mode) && judge->facts->attr & IDM_ATTR_NODEV)
		return idm_refuse(judge, seen, IDM_RULE_NODEV, -EACCES);
	r = idm_check_permission(judge, seen, want);
	if (r < 0 || !(want & IDM_MAY_WRITE))
		return r;
	if (seen->inode->flags & IDM_INODE_APPEND && !S_ISDIR(mode))
		return idm_refuse(judge, seen, IDM_RULE_APPEND_ONLY, -EPERM);
	if (judge->facts->attr & IDM_ATTR_RDONLY && (S_ISREG(mode) || S_ISDIR(mode)))
		return idm_refuse(judge, seen, IDM_RULE_MOUNT_READONLY, -EROFS);
	return 0;
}

int idm_check_execute(struct idm_judge *judge)
{
	const struct idm_seen_inode *seen = &judge->inode;
	uint32_t mode = seen->inode->mode;

	if (!S_ISREG(mode) && !S_ISDIR(mode))
		return idm_refuse(judge, seen, IDM_RULE_NO_PROGRAM, -EACCES);
	if (S_ISREG(mode) && judge->facts->attr & IDM_ATTR_NOEXEC)
		return idm_refuse(judge, seen, IDM_RULE_NOEXEC, -EACCES);
	return idm_check_permission(judge, seen, IDM_MAY_EXECUTE);
}

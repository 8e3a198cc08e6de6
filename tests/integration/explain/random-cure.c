// SPDX-License-Identifier: MIT
/* Cures: what a verdict names is changed, and nothing else. */
#include "random-case.h"

static void add_acl_bits(struct file *file, const struct idm_explain_result *result)
{
	unsigned int kind = result->entry == IDM_CLASS_ACL_USER ? IDM_UID : IDM_GID;

	if (result->entry == IDM_CLASS_GROUP && file->flags & IDM_INODE_ACL)
		file->acl_group |= result->missing;
	if (result->entry != IDM_CLASS_ACL_USER && result->entry != IDM_CLASS_ACL_GROUP)
		return;
	for (size_t i = 0; i < file->n_acl; i++)
		if (file->acl[i].kind == kind)
			file->acl[i].permissions |= result->missing;
}

/* The group bits are the mask of an ACL. */
static void add_bits(struct file *file, const struct idm_explain_result *result)
{
	unsigned int shift = result->entry == IDM_CLASS_OWNER	? 6
			     : result->entry == IDM_CLASS_OTHER ? 0
								: 3;

	file->mode |= result->missing << shift;
	add_acl_bits(file, result);
}

/* Without a map, a mount maps every ID. */
static bool drop_map(struct random_case *c)
{
	bool had = c->mount_map && !c->fs->ns->map;

	if (had)
		idm_map_free(c->mount_map);
	if (had)
		c->mount_map = NULL;
	return had;
}

/* Makes the process the owner, as the filesystem stores it. */
static bool own(struct random_case *c, struct file *file)
{
	uint32_t id = to_outside(&c->process, IDM_UID, c->process.uid);

	if (c->fs->ns->map || (c->mount_map && idm_map_to_disk(c->mount_map, IDM_UID, id, &id) < 0))
		return false;
	file->uid = id;
	return true;
}

static bool add_capability(struct random_case *c, const struct idm_explain_result *result)
{
	if (result->capable)
		return false;
	c->process.capabilities |= 1ULL << result->capability;
	return true;
}

static bool cure_permission(struct rng *rng, struct random_case *c, struct file *file,
			    const struct idm_explain_result *result)
{
	if (one_in(rng, 2) && result->capability >= 0)
		return add_capability(c, result);
	add_bits(file, result);
	return true;
}

static bool cure_new_owner(struct random_case *c, const struct idm_explain_result *result)
{
	c->new_uid = result->kinds & IDM_UID ? c->process.uid : c->new_uid;
	c->new_gid = result->kinds & IDM_GID ? c->process.gid : c->new_gid;
	return true;
}

static bool cure_mount(struct random_case *c, const struct idm_explain_result *result)
{
	c->fs_readonly &= result->rule != IDM_RULE_FILESYSTEM_READONLY;
	c->attr &= result->rule == IDM_RULE_MOUNT_READONLY ? ~IDM_ATTR_RDONLY
		   : result->rule == IDM_RULE_NOEXEC	   ? ~IDM_ATTR_NOEXEC
		   : result->rule == IDM_RULE_NODEV	   ? ~IDM_ATTR_NODEV
							   : ~0U;
	/* A filesystem of a user namespace has no devices, whatever the mount has. */
	return result->rule != IDM_RULE_NODEV || !c->fs->ns->map;
}

static bool cure_flags(struct file *file, const struct idm_explain_result *result)
{
	file->flags &= result->rule == IDM_RULE_IMMUTABLE ? ~IDM_INODE_IMMUTABLE : ~IDM_INODE_APPEND;
	return true;
}

bool cure(struct rng *rng, struct random_case *c, struct file *file,
	  const struct idm_explain_result *result)
{
	switch (result->rule) {
	case IDM_RULE_PERMISSION:
		return cure_permission(rng, c, file, result);
	case IDM_RULE_FILESYSTEM_READONLY:
	case IDM_RULE_MOUNT_READONLY:
	case IDM_RULE_NOEXEC:
	case IDM_RULE_NODEV:
		return cure_mount(c, result);
	case IDM_RULE_IMMUTABLE:
	case IDM_RULE_APPEND_ONLY:
		return cure_flags(file, result);
	case IDM_RULE_UNMAPPED_OWNER:
	case IDM_RULE_UNMAPPED_NEW_ID:
		return drop_map(c);
	case IDM_RULE_UNKNOWN_NEW_ID:
		return cure_new_owner(c, result);
	case IDM_RULE_STICKY:
	case IDM_RULE_NOT_OWNER:
		return own(c, file);
	case IDM_RULE_CHANGE_OWNER:
	case IDM_RULE_CHANGE_GROUP:
		return add_capability(c, result);
	default:
		return false;
	}
}

struct file *subject_of(struct random_case *c, int try, bool on_directory)
{
	if (try <= FILE_CHMOD || try == FILE_CHOWN)
		return &c->file;
	return try == UNLINK && !on_directory ? &c->victim : &c->directory;
}

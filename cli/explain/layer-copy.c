// SPDX-License-Identifier: MIT
/* Copies of an overlay to its upper layer, which a change of a file of a lower one requires. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "layer-check.h"
#include "lib/sys/syscall.h"

bool is_special_file(uint32_t mode)
{
	return !S_ISREG(mode) && !S_ISDIR(mode) && !S_ISLNK(mode);
}

static bool is_copied(const struct verdict *v, const struct layer_file *file)
{
	if (!file->lower || v->facts.access == IDM_ACCESS_READ || v->facts.access == IDM_ACCESS_EXECUTE)
		return false;
	/* A whiteout hides a file that is removed. Its directory gets that, so it is copied. */
	if (v->facts.access == IDM_ACCESS_UNLINK)
		return !v->place->is_last;
	return v->facts.access != IDM_ACCESS_WRITE || S_ISREG(v->facts.inode->mode);
}

static bool has_owner(const struct mounter *mounter, unsigned int kind, uint32_t seen)
{
	uint32_t inside;

	return seen != IDM_EXPLAIN_NO_ID &&
	       (!mounter->userns_map || idm_map_to_disk(mounter->userns_map, kind, seen, &inside) == 0);
}

/* ovl_copy_up_one(): owner and group have to exist in the user namespace that mounted the overlay. */
static bool can_copy(const struct mounter *mounter, const struct idm_explain_result *layer)
{
	return has_owner(mounter, IDM_UID, layer->uid) && has_owner(mounter, IDM_GID, layer->gid);
}

/* The upper layer stores what the overlay shows. */
static bool upper_has_id(const struct layer_file *file, unsigned int kind, uint32_t seen)
{
	uint32_t disk;

	return !file->upper_map || idm_map_to_disk(file->upper_map, kind, seen, &disk) == 0;
}

static bool upper_has_owner(const struct layer_file *file, const struct idm_explain_result *layer)
{
	return upper_has_id(file, IDM_UID, layer->uid) && upper_has_id(file, IDM_GID, layer->gid);
}

/* The overlay shows the IDs of the layer. Those that its map leaves out cannot be stored. */
static bool has_unmapped_acl(const struct layer_check *check)
{
	const struct verdict *v = check->v;
	const struct idm_explain_inode *inode = v->facts.inode;

	for (size_t i = 0; i < inode->n_acl; i++)
		if (inode->acl[i].id == IDM_EXPLAIN_NO_ID ||
		    !upper_has_id(check->file, inode->acl[i].kind, inode->acl[i].id))
			return true;
	return S_ISDIR(inode->mode) && has_unmapped_default_acl(v->place->fd, check->file->upper_map);
}

/* may_create(): so must those of a new file. */
bool can_create(const struct mounter *mounter, const struct idm_explain_options *facts)
{
	return facts->access != IDM_ACCESS_CREATE ||
	       (has_owner(mounter, IDM_UID, facts->fsuid) && has_owner(mounter, IDM_GID, facts->fsgid));
}

int refuse_creator(struct verdict *v)
{
	snprintf(v->layer_reason, sizeof(v->layer_reason),
		 "the user namespace that mounted the overlay does not have user %u or group %u",
		 v->facts.fsuid, v->facts.fsgid);
	v->reason = v->layer_reason;
	v->result.errnum = EOVERFLOW;
	return 1;
}

static int refuse_copy(struct verdict *v, const struct layer_copy *copy)
{
	snprintf(v->layer_reason, sizeof(v->layer_reason),
		 "the overlay cannot copy it to the upper layer: %s", copy->reason);
	v->reason = v->layer_reason;
	v->result.errnum = copy->errnum;
	return 1;
}

static const char no_owner[] =
	"the user namespace that mounted it does not have the owner or group of the file, "
	"or of a directory on the way";

static void fail_copy(struct layer_copy *copy, int errnum, const char *reason)
{
	copy->errnum = errnum;
	copy->reason = reason;
}

/* Where it is not visible whether the file has an owner, EOVERFLOW is possible, too. */
int judge_copy(struct layer_check *check, size_t i)
{
	struct verdict *v = check->v;
	struct layer_copy copy = v->copies[i];

	if (!is_copied(v, check->file) || (!copy.errnum && !copy.may_lack_owner))
		return 0;
	if (copy.errnum && copy.errnum != EOVERFLOW && copy.may_lack_owner) {
		v->other_errnum = EOVERFLOW;
		v->other_case = "it, or a directory on the way, has no owner in its layer";
	}
	if (!copy.errnum) {
		check->doubt = "the file, and each directory on the way, has the owner that is shown";
		fail_copy(&copy, EOVERFLOW, no_owner);
	}
	return refuse_copy(v, &copy);
}

/*
 * A copy marks the directory that gets it as impure, by an attribute. may_write_xattr() refuses that if
 * the owner is not mapped. The directory can have the mark already. Root of a container has no trusted
 * attributes: the overlay then does without.
 */
static int find_parent_errnum(const struct layer_check *check, size_t i,
			      const struct idm_explain_info *place,
			      const struct idm_explain_result *layer)
{
	const struct mounter *mounter = &check->mounters.list[i];
	const char *mark = check->file->userxattr ? "user.overlay.impure" : "trusted.overlay.impure";
	char value;
	bool lacks_mark = check->file->has_marks &&
			  idm_sys_getxattr(place->fd, mark, &value, 1) == -ENODATA;

	if (layer->uid == IDM_EXPLAIN_NO_ID || layer->gid == IDM_EXPLAIN_NO_ID)
		return lacks_mark ? EPERM : EACCES;
	/* In a sticky directory, only its owner sets attributes of users. */
	if (lacks_mark && check->file->userxattr && place->facts->inode->mode & S_ISVTX &&
	    find_mounter_errnum(mounter, place, IDM_ACCESS_CHMOD))
		return EPERM;
	return find_mounter_errnum(mounter, place, IDM_ACCESS_WRITE);
}

static const char *describe_parent(const struct idm_explain_result *layer)
{
	if (layer->uid == IDM_EXPLAIN_NO_ID || layer->gid == IDM_EXPLAIN_NO_ID)
		return "the map of the upper layer leaves out the owner or group of the directory for the copy";
	return "the process that mounted it may not write to the directory for the copy";
}

/* ovl_copy_up_one(), for each directory on the way and then the file. The first failure counts. */
void note_copy(struct layer_check *check, size_t i, const struct idm_explain_info *place,
	       const struct idm_explain_result *layer)
{
	struct layer_copy *copy = &check->v->copies[i];

	if (!check->file->lower) {
		*copy = (struct layer_copy){ .parent_reason = describe_parent(layer),
					     .parent_errnum = find_parent_errnum(check, i, place,
										 layer) };
		return;
	}
	if (copy->errnum)
		return;
	copy->may_lack_owner |= may_lack_owner(check->v);
	if (!can_copy(&check->mounters.list[i], layer))
		fail_copy(copy, EOVERFLOW, no_owner);
	else if (copy->parent_errnum)
		fail_copy(
			copy, copy->parent_errnum,
			"the map of the upper layer leaves out the owner or group of the directory for the "
			"copy");
	else if (has_unmapped_acl(check))
		fail_copy(
			copy, EINVAL,
			"an ACL of the file, or of a directory on the way, has an ID that the map of a "
			"layer leaves out");
	else if (!upper_has_owner(check->file, layer))
		fail_copy(
			copy, EOVERFLOW,
			"the map of the upper layer leaves out the owner or group of the file, or of a "
			"directory on the way");
}

int judge_data_copy(struct layer_check *check, size_t i, const struct idm_explain_result *layer)
{
	struct layer_copy copy;

	if (can_copy(&check->mounters.list[i], layer))
		return 0;
	fail_copy(&copy, EOVERFLOW, no_owner);
	return refuse_copy(check->v, &copy);
}

/* ---- new owners ---- */

/* chown(2) counts inside the user namespace of the process. */
static bool upper_has_new_id(const struct layer_check *check, unsigned int kind, uint32_t inside)
{
	const struct idm_map *userns = check->v->facts.userns_map;
	uint32_t seen = inside;

	if (inside == IDM_EXPLAIN_NO_ID || (userns && idm_map_to_seen(userns, kind, inside, &seen) < 0))
		return true;
	return upper_has_id(check->file, kind, seen);
}

/* A new file has the group of a directory with the set-group-ID bit. */
static bool upper_has_new_owner(const struct layer_check *check)
{
	const struct idm_explain_options *facts = &check->v->facts;
	uint32_t gid = facts->inode->mode & S_ISGID ? facts->inode->gid : facts->fsgid;

	if (facts->access == IDM_ACCESS_CREATE)
		return upper_has_id(check->file, IDM_UID, facts->fsuid) &&
		       upper_has_id(check->file, IDM_GID, gid);
	return facts->access != IDM_ACCESS_CHOWN || (upper_has_new_id(check, IDM_UID, facts->new_uid) &&
						     upper_has_new_id(check, IDM_GID, facts->new_gid));
}

int judge_new_owner(struct layer_check *check)
{
	struct verdict *v = check->v;

	if (upper_has_new_owner(check))
		return 0;
	snprintf(v->layer_reason, sizeof(v->layer_reason),
		 "the map of the upper layer leaves out the new owner or group");
	v->reason = v->layer_reason;
	v->result.errnum = EOVERFLOW;
	return 1;
}

bool requires_upper(const struct layer_check *check)
{
	return is_copied(check->v, check->file) || check->v->facts.access == IDM_ACCESS_CREATE;
}

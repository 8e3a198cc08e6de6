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

/* The overlay shows the IDs of the layer. Those that its map leaves out cannot be stored. */
static bool has_unmapped_acl(const struct verdict *v)
{
	const struct idm_explain_inode *inode = v->facts.inode;

	for (size_t i = 0; i < inode->n_acl; i++)
		if (inode->acl[i].id == IDM_EXPLAIN_NO_ID)
			return true;
	return S_ISDIR(inode->mode) && has_unmapped_default_acl(v->place->fd);
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

static const char *copy_error_text(int errnum)
{
	if (errnum == EOVERFLOW)
		return "the user namespace that mounted it does not have the owner or group of the file, "
		       "or of a directory on the way";
	if (errnum == EINVAL)
		return "an ACL of the file, or of a directory on the way, has an ID that the map of the "
		       "layer leaves out";
	return "the map of the upper layer leaves out the owner or group of the directory for the copy";
}

static int refuse_copy(struct verdict *v, int errnum)
{
	snprintf(v->layer_reason, sizeof(v->layer_reason),
		 "the overlay cannot copy it to the upper layer: %s", copy_error_text(errnum));
	v->reason = v->layer_reason;
	v->result.errnum = errnum;
	return 1;
}

/* Where it is not visible whether the file has an owner, EOVERFLOW is possible, too. */
int judge_copy(struct layer_check *check, size_t i)
{
	struct verdict *v = check->v;
	const struct layer_copy *copy = &v->copies[i];

	if (!is_copied(v, check->file) || (!copy->errnum && !copy->may_lack_owner))
		return 0;
	if (copy->errnum && copy->errnum != EOVERFLOW && copy->may_lack_owner) {
		v->other_errnum = EOVERFLOW;
		v->other_case = "it, or a directory on the way, has no owner in its layer";
	}
	if (!copy->errnum)
		check->doubt = "the file, and each directory on the way, has the owner that is shown";
	return refuse_copy(v, copy->errnum ? copy->errnum : EOVERFLOW);
}

/*
 * A copy marks the directory that gets it as impure, by an attribute. may_write_xattr() refuses that if
 * the owner is not mapped. The directory can have the mark already.
 */
static int find_parent_errnum(const struct layer_check *check, const struct idm_explain_info *place,
			      const struct idm_explain_result *layer)
{
	const char *mark = check->file->userxattr ? "user.overlay.impure" : "trusted.overlay.impure";
	char value;

	if (layer->uid != IDM_EXPLAIN_NO_ID && layer->gid != IDM_EXPLAIN_NO_ID)
		return 0;
	return idm_sys_getxattr(place->fd, mark, &value, 1) == -ENODATA ? EPERM : EACCES;
}

/* ovl_copy_up_one(), for each directory on the way and then the file. The first failure counts. */
void note_copy(struct layer_check *check, size_t i, const struct idm_explain_info *place,
	       const struct idm_explain_result *layer)
{
	struct layer_copy *copy = &check->v->copies[i];

	if (!check->file->lower) {
		*copy = (struct layer_copy){ .parent_errnum = find_parent_errnum(check, place, layer) };
		return;
	}
	if (copy->errnum)
		return;
	copy->may_lack_owner |= may_lack_owner(check->v);
	if (!can_copy(&check->mounters.list[i], layer))
		copy->errnum = EOVERFLOW;
	else if (copy->parent_errnum)
		copy->errnum = copy->parent_errnum;
	else if (has_unmapped_acl(check->v))
		copy->errnum = EINVAL;
}

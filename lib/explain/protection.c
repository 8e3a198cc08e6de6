// SPDX-License-Identifier: MIT
/* Links and files of others in sticky directories: may_follow_link() and may_create_in_sticky(). */
#include <errno.h>
#include <sys/stat.h>

#include "internal.h"

/* An owner that the mount does not map equals no other, not even that of the directory. */
static bool is_trusted(const struct idm_judge *judge)
{
	uint32_t uid = judge->inode.uid;

	return uid != IDM_EXPLAIN_NO_ID && (uid == judge->facts->fsuid || uid == judge->directory.uid);
}

int idm_check_follow(struct idm_judge *judge)
{
	const uint32_t open_to_all = S_ISVTX | S_IWOTH;

	if (judge->facts->protected_symlinks && !is_trusted(judge) &&
	    (judge->directory.inode->mode & open_to_all) == open_to_all)
		return idm_refuse(judge, &judge->inode, IDM_RULE_PROTECTED_LINK, -EACCES);
	if (judge->facts->attr & IDM_ATTR_NOSYMFOLLOW)
		return idm_refuse(judge, &judge->inode, IDM_RULE_NOSYMFOLLOW, -ELOOP);
	return 0;
}

/* The sysctl for files of this type. Other types have none: a sticky directory protects them always. */
static uint32_t protection_of(const struct idm_judge *judge)
{
	uint32_t mode = judge->inode.inode->mode;

	if (S_ISREG(mode))
		return judge->facts->protected_regular;
	return S_ISFIFO(mode) ? judge->facts->protected_fifos : 1;
}

static bool is_protected(const struct idm_judge *judge)
{
	uint32_t mode = judge->directory.inode->mode, protection = protection_of(judge);

	if (!(mode & S_ISVTX) || !protection || is_trusted(judge))
		return false;
	return mode & S_IWOTH || (mode & S_IWGRP && protection >= 2);
}

/* Before any permission. */
int idm_check_overwrite(struct idm_judge *judge)
{
	if (is_protected(judge))
		return idm_refuse(judge, &judge->inode, IDM_RULE_PROTECTED_FILE, -EACCES);
	return idm_check_open(judge, IDM_MAY_WRITE);
}

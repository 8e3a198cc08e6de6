// SPDX-License-Identifier: MIT
/*
 * Maps whose disk column names the owner of a source. stat(2) counts in the caller's user namespace, and
 * a disk ID in the namespace that mounted the filesystem.
 */
#include <errno.h>

#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/sys/capability.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/probe.h"
#include "lib/sys/procfs.h"
#include "lib/sys/syscall.h"

#include "idmap.h"
#include "nss.h"
#include "own-mappings.h"

static const enum idm_error_step step_parse = IDM_STEP_PARSE_MAP;

/* An ID that the namespace lacks appears as the overflow ID, which can be an ID of the namespace too. */
static bool may_be_unknown(const struct stat *st)
{
	return !idm_in_initial_userns() &&
	       (st->st_uid == idm_overflow_id(IDM_UID) || st->st_gid == idm_overflow_id(IDM_GID));
}

static int find_source_owner(const char *path, struct idm_ids *owner, struct idm_error *err)
{
	struct stat st;
	int r = idm_sys_fstatat(AT_FDCWD, path, &st, 0);

	if (r < 0)
		return idm_fail_errno(err, r, step_parse, path);
	if (may_be_unknown(&st)) {
		idm_fail(err, -EOVERFLOW, step_parse, path,
			 "its owner is %u:%u, which also stands for IDs that this user namespace lacks",
			 st.st_uid, st.st_gid);
		idm_hint(err, "write the owner's IDs in numbers");
		return -EOVERFLOW;
	}
	*owner = (struct idm_ids){ st.st_uid, st.st_gid };
	return 0;
}

/*
 * The kernel maps no mount by the namespace of its filesystem, and fails with EINVAL before it looks at
 * the caller. EINVAL also stands for a filesystem that cannot be mapped at all.
 */
static bool is_mounted_outside(const char *path)
{
	AUTO_CLOSE int source = idm_sys_openat(AT_FDCWD, path, O_PATH, 0), copy = -1;
	AUTO_CLOSE int own = idm_procfs_open_self("ns/user", step_parse, NULL);

	copy = source < 0 ? source : idm_probe_clone(source, -1, 0);
	return copy < 0 || own < 0 || idm_probe_map(copy, own) != -EINVAL;
}

static int count_outside(const char *path, struct idm_ids *owner, struct idm_error *err)
{
	struct idm_ids outer;
	int r = idm_find_outer_id(IDM_UID, owner->uid, &outer.uid);

	if (r == 0)
		r = idm_find_outer_id(IDM_GID, owner->gid, &outer.gid);
	if (r < 0)
		return idm_fail(err, r, step_parse, path,
				"its owner %u:%u has no ID outside of this user namespace", owner->uid,
				owner->gid);
	*owner = outer;
	return 0;
}

int idm_map_parse_owner(struct idm_map *map, const char *text, const char *source, struct idm_error *err)
{
	struct idm_ids owner;
	int r = find_source_owner(source, &owner, err);

	if (r == 0 && !idm_in_initial_userns() && is_mounted_outside(source))
		r = count_outside(source, &owner, err);
	return r < 0 ? r : idm_map_parse_owned_by(map, text, &owner, err);
}

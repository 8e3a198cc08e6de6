// SPDX-License-Identifier: MIT
#include "place.h"

#include <errno.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/file-type.h"
#include "lib/sys/refused.h"
#include "lib/sys/syscall.h"

static const enum idm_error_step step_assemble = IDM_STEP_ASSEMBLE_PLAN;

int idm_diagnose_not_placed(int code, const struct idm_plan_entry *step, struct idm_error *err)
{
	char name[IDM_PLAN_ENTRY_NAME];

	if (code == -EPERM)
		return idm_diagnose_move_refused(-EPERM, IDM_STEP_ATTACH,
						 idm_plan_entry_name(step, name, sizeof(name)), err);
	idm_fail_errno(err, code, IDM_STEP_ATTACH, idm_plan_entry_name(step, name, sizeof(name)));
	if (code == -ENOSPC)
		idm_hint(err, "the mount namespace is full; sysctl fs.mount-max is the limit");
	return code;
}

/*
 * The target is a single name. No symbolic link can be on the way, and nothing can lead out of the root.
 */
static bool is_one_name(const char *target)
{
	return *target && !strchr(target, '/') && strcmp(target, ".") != 0 && strcmp(target, "..") != 0;
}

/*
 * Moves a directory to such a name with one call. The kernel refuses to put a directory on a symbolic
 * link, which is not a directory. The "." ensures that the tree is a directory. If the call fails, for
 * whatever reason, the caller opens the target first.
 */
bool idm_place_at_name(int root, const char *target, int tree)
{
	target += strspn(target, "/");
	return is_one_name(target) &&
	       idm_sys_move_mount(tree, ".", root, target, MOVE_MOUNT_T_AUTOMOUNTS) == 0;
}

int idm_is_site_root(int root, int target)
{
	uint64_t root_id = 0, id = 0;
	bool unique;
	int r = idm_mount_id(root, "", &root_id, &unique);

	if (r == 0)
		r = idm_mount_id(target, "", &id, &unique);
	return r < 0 ? r : id == root_id && idm_is_same_inode(root, target);
}

/*
 * A symbolic link can lead to the root, too. The mount would cover all others, and the root filesystem.
 */
static int refuse_root(int root, const struct idm_plan_entry *step, int target, struct idm_error *err)
{
	char name[IDM_PLAN_ENTRY_NAME];
	int r = idm_is_site_root(root, target);

	if (r == 0)
		return 0;
	idm_plan_entry_name(step, name, sizeof(name));
	return r < 0 ? idm_fail_errno(err, r, step_assemble, name)
		     : idm_fail(err, -EINVAL, step_assemble, name,
				"expected a target below the root, got the root itself");
}

int idm_open_entry_target(int root, const struct idm_plan_entry *step, int tree, bool mkdir,
			  struct idm_target *target, struct idm_error *err)
{
	unsigned int flags = IDM_ATTACH_IN_ROOT | (mkdir ? IDM_ATTACH_MKDIR : 0);
	mode_t type = S_IFDIR; /* the root of every filesystem is a directory */
	int r = step->kind == IDM_PLAN_ENTRY_BIND ? idm_file_type(tree, &type) : 0;

	if (r < 0)
		return idm_fail_errno(err, r, step_assemble, step->source);
	r = idm_target_open(target, root, step->target, flags, S_ISDIR(type), err);
	return r < 0 ? r : refuse_root(root, step, target->fd, err);
}

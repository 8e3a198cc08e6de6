// SPDX-License-Identifier: MIT
#include "place.h"

#include <errno.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/file-type.h"
#include "lib/sys/nofollow.h"
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
 * whatever reason, the caller opens the target first. Returns 0 or -errno.
 */
static int place_at_name(int root, const char *target, int tree)
{
	target += strspn(target, "/");
	return is_one_name(target) ? idm_sys_move_mount(tree, ".", root, target, MOVE_MOUNT_T_AUTOMOUNTS)
				   : -EINVAL;
}

/*
 * Whether the target is the root itself: 1, 0 or -errno. The root is the root of its mount, and most
 * targets are not that of theirs.
 */
static int is_site_root(int root, int target)
{
	uint64_t root_id = 0, id = 0;
	bool unique;
	int r = idm_is_mount_point(target);

	if (r <= 0)
		return r;
	r = idm_mount_id(root, "", &root_id, &unique);
	if (r == 0)
		r = idm_mount_id(target, "", &id, &unique);
	return r < 0 ? r : id == root_id;
}

void idm_close_moment(int *kept)
{
	volatile int *place = kept;
	int fd = *place;

	*place = -1;
	idm_close_fd(&fd);
}

static int open_inside(int root, const char *target, int kind)
{
	return idm_open_nofollow(root, target, O_PATH | kind, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

/* Most targets are directories. Opening one as such shows that it is one. */
static int open_any_kind(int root, const char *target, bool *directory)
{
	int fd = open_inside(root, target, O_DIRECTORY);

	*directory = fd >= 0;
	return fd == -ENOTDIR ? open_inside(root, target, 0) : fd;
}

/* A file is not the root, which is a directory. A symbolic link must not be covered. */
static bool may_be_covered(int root, int target, bool directory)
{
	struct statx st;

	if (directory)
		return is_site_root(root, target) == 0;
	return idm_sys_statx(target, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st) == 0 &&
	       !S_ISDIR(st.stx_mode) && !S_ISLNK(st.stx_mode);
}

/* The kernel refuses to move a directory to a file, and a file to a directory. */
static bool place_at_path(int root, const char *target, int tree, int *opened)
{
	bool directory, moved;

	*(volatile int *)opened = open_any_kind(root, target, &directory);
	moved = *opened >= 0 && may_be_covered(root, *opened, directory) &&
		idm_sys_move_mount_fd(tree, *opened, 0) == 0;
	idm_close_moment(opened);
	return moved;
}

bool idm_place_simply(int root, const char *target, int tree, int *opened)
{
	int r = place_at_name(root, target, tree);

	/* A name that is missing cannot be opened either. */
	return r == 0 ||
	       (r != -ENOENT && idm_ends_in_name(target) && place_at_path(root, target, tree, opened));
}

/*
 * A symbolic link can lead to the root, too. The mount would cover all others, and the root filesystem.
 */
static int refuse_root(int root, const struct idm_plan_entry *step, int target, struct idm_error *err)
{
	char name[IDM_PLAN_ENTRY_NAME];
	int r = is_site_root(root, target);

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

// SPDX-License-Identifier: MIT
#include "attach-diag.h"

#include <errno.h>
#include <sys/stat.h>

#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/list/mount-place.h"
#include "lib/list/mount-query.h"
#include "lib/sys/probe.h"
#include "lib/sys/syscall.h"

static const enum idm_error_step step_attach = IDM_STEP_ATTACH;

static bool fail_attach(struct idm_error *err, int code, const char *path, const char *reason)
{
	idm_fail(err, code, step_attach, path, "%s", reason);
	return true;
}

/* ENOENT of a target that is on no mount of any namespace; EINVAL of one that is on another's. */
static bool target_is_elsewhere(int code, int target_fd, const char *path, struct idm_error *err)
{
	/* What can be copied is in the caller's namespace, also where a chroot(2) hides it from a list.
	 */
	AUTO_CLOSE int copy = idm_probe_clone(target_fd, -1, false);
	enum idm_place place = copy >= 0 ? IDM_PLACE_OWN : idm_place_of(target_fd);

	if (place == IDM_PLACE_OWN)
		return false;
	idm_fail(err, code, step_attach, path, "the target %s", idm_place_text(place));
	if (place == IDM_PLACE_NOWHERE)
		idm_hint(err, "it was unmounted, or its mount namespace no longer exists");
	else
		idm_hint(err, "only a process in that mount namespace can attach there: nsenter(1) and "
			      "setns(2) "
			      "enter it");
	return true;
}

static bool tree_is_no_mount(int tree_fd)
{
	struct statx st;

	return idm_sys_statx(tree_fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st) == 0 &&
	       st.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT &&
	       !(st.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

static bool is_on_mount(int fd, const char *path, void *id)
{
	uint64_t other;
	bool unique;

	(void)path;
	return idm_mount_id(fd, "", &other, &unique) == 0 && other == *(uint64_t *)id;
}

/* A mount cannot be moved into itself, nor to a place on a mount below it. */
static bool target_is_in_tree(int tree_fd, int target_fd)
{
	uint64_t id;
	bool unique;

	return idm_mount_id(target_fd, "", &id, &unique) == 0 &&
	       (is_on_mount(tree_fd, "", &id) || idm_query_mounts_below(tree_fd, is_on_mount, &id));
}

bool idm_diagnose_not_put(int code, int tree_fd, int target_fd, const char *path, struct idm_error *err)
{
	if (err && code == -ELOOP)
		return fail_attach(err, code, path,
				   target_is_in_tree(tree_fd, target_fd)
					   ? "the target is below the tree itself"
					   : "the tree holds the file of this mount namespace or an "
					     "older one");
	if (!err || (code != -ENOENT && code != -EINVAL))
		return false;
	if (code == -ENOENT && idm_is_deleted(tree_fd))
		return fail_attach(err, code, path, "the source was deleted, and cannot be mounted");
	if (code == -ENOENT && idm_is_deleted(target_fd))
		return fail_attach(err, code, path, "the target was deleted");
	if (target_is_elsewhere(code, target_fd, path, err))
		return true;
	return code == -EINVAL && tree_is_no_mount(tree_fd) &&
	       fail_attach(err, code, path,
			   "expected the root of a tree, got a descriptor inside a mount");
}

void idm_hint_block_device(struct idm_error *err)
{
	idm_hint(err,
		 "mount the filesystem on the device first, and name the directory where it is mounted");
}

int idm_diagnose_not_on_directory(int code, mode_t type, const char *path, struct idm_error *err)
{
	if (!S_ISBLK(type))
		return code;
	idm_fail(err, code, step_attach, path, "expected a directory as source, got a block device");
	idm_hint_block_device(err);
	return code;
}

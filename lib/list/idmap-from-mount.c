// SPDX-License-Identifier: MIT
/* The map of a mount that exists. */
#include "idmap-from-mount.h"

#include <errno.h>

#include "internal.h"
#include "lib/base/arguments.h"
#include "lib/base/cancel.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/idmap/idmap.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/syscall.h"

static const enum idm_error_step step = IDM_STEP_READ_MAP;

static int copy_found_map(const struct idm_mount_info *mount, void *data)
{
	struct idm_mount_map *found = data;

	found->state = mount->map_state;
	return mount->map ? idm_map_copy(mount->map, &found->map) : 0;
}

/*
 * An O_PATH descriptor of a copy of the mount. The copy has the map and the attributes of the mount. It
 * is in no namespace, since its tree is closed. The kernel reports such a mount. It refuses one that is
 * alone in a detached tree (-ENOENT, Linux 7.0).
 */
static int open_loose_copy(int fd)
{
	AUTO_CLOSE int tree = idm_sys_open_tree(fd, "", OPEN_TREE_CLONE | AT_EMPTY_PATH);

	return tree < 0 ? tree : idm_sys_open_tree(tree, "", AT_EMPTY_PATH);
}

struct detached {
	struct idm_mount_map *found;
	bool told;
};

static int copy_detached_map(const struct idm_mount_info *mount, void *data)
{
	struct detached *detached = data;

	detached->told = true;
	return copy_found_map(mount, detached->found);
}

/* Returns -ENOENT if the kernel does not report it. Fills in no error. */
static int query_detached(int fd, struct idm_mount_map *found)
{
	struct detached detached = { found, false };
	const struct idm_lister lister = { .level = IDM_LIST_NEWEST,
					   .each = copy_detached_map,
					   .data = &detached };
	AUTO_CLOSE int copy = idm_kernel_reports_fd() ? open_loose_copy(fd) : -ENOENT;
	int r = copy < 0 ? copy : idm_statmount_by_fd(&lister, copy);

	return detached.told || r == -ENOMEM ? r : -ENOENT;
}

int idm_copy_mount_map(int fd, struct idm_mount_map *found, struct idm_error *err)
{
	int r;

	*found = (struct idm_mount_map){ IDM_MAP_NONE, NULL };
	r = idm_list_path(fd, "", IDM_LIST_EMPTY_PATH, copy_found_map, found, err);
	return r == -ENOENT ? query_detached(fd, found) : r;
}

static int diagnose_map_state(enum idm_map_state state, struct idm_error *err)
{
	if (state == IDM_MAP_NONE)
		return idm_fail(err, -ENODATA, step, NULL, "the mount is not ID-mapped");
	if (state == IDM_MAP_UNREADABLE)
		return idm_fail(err, -EOPNOTSUPP, step, NULL,
				"not supported by this kernel (needs Linux 6.15)");
	idm_fail(err, -EOPNOTSUPP, step, NULL,
		 "parts of the map are not visible from this user namespace");
	idm_hint(err, "the initial user namespace sees all of it");
	return -EOPNOTSUPP;
}

/* Both sides or none. */
static int append_both_sides(struct idm_map *map, const struct idm_map *more, struct idm_error *err)
{
	struct idm_map *sum;
	int r = idm_map_copy(map, &sum);

	if (r < 0)
		return idm_fail_errno(err, r, step, NULL);
	r = idm_map_add(sum, IDM_UID, more->uid.entries, more->uid.n, err);
	if (r == 0)
		r = idm_map_add(sum, IDM_GID, more->gid.entries, more->gid.n, err);
	if (r == 0)
		idm_map_move(map, sum);
	idm_map_free(sum);
	return r;
}

int idm_map_add_mount(struct idm_map *map, int fd, struct idm_error *err)
{
	HOLD_CANCEL;
	struct idm_mount_map found;
	int r = idm_check_fd(fd, step, err, "fd");

	if (r < 0)
		return r;
	r = idm_copy_mount_map(fd, &found, err);
	if (r == -ENOMEM)
		idm_fail_errno(err, r, step, NULL);
	else if (r == 0)
		r = found.state == IDM_MAP_READ ? append_both_sides(map, found.map, err)
						: diagnose_map_state(found.state, err);
	idm_map_free(found.map);
	return r;
}

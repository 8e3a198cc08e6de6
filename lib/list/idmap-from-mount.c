// SPDX-License-Identifier: MIT
/* The map of a mount that exists. */
#include "idmap-from-mount.h"

#include <errno.h>

#include "lib/base/arguments.h"
#include "lib/base/cancel.h"
#include "lib/base/error.h"
#include "lib/idmap/idmap.h"
#include "lib/sys/fail-errno.h"

static const enum idm_error_step step = IDM_STEP_READ_MAP;

static int copy_found_map(const struct idm_mount_info *mount, void *data)
{
	struct idm_mount_map *found = data;

	found->state = mount->map_state;
	return mount->map ? idm_map_copy(mount->map, &found->map) : 0;
}

int idm_copy_mount_map(int fd, struct idm_mount_map *found, struct idm_error *err)
{
	*found = (struct idm_mount_map){ IDM_MAP_NONE, NULL };
	return idm_list_path(fd, "", IDM_LIST_EMPTY_PATH, copy_found_map, found, err);
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

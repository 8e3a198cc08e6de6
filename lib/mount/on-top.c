// SPDX-License-Identifier: MIT
#include "on-top.h"

#include <errno.h>

#include "lib/base/error.h"
#include "lib/list/idmap-from-mount.h"
#include "lib/sys/fail-errno.h"

static const enum idm_error_step step = IDM_STEP_MAP_ON_TOP;

static int diagnose_unreadable_map(enum idm_map_state state, const char *path, struct idm_error *err)
{
	if (state == IDM_MAP_UNREADABLE)
		return idm_fail(
			err, -EOPNOTSUPP, step, path,
			"reading the source's map is not supported by this kernel (needs Linux 6.15)");
	idm_fail(err, -EOPNOTSUPP, step, path,
		 "parts of the source's map are not visible from this user namespace");
	idm_hint(err, "the initial user namespace sees all of it");
	return -EOPNOTSUPP;
}

/* The map of the mount; the caller frees it. */
static int read_source_map(int source, const char *path, struct idm_map **map, struct idm_error *err)
{
	struct idm_mount_map own;
	int r = idm_copy_mount_map(source, &own, err);

	*map = own.map;
	if (r == -ENOMEM)
		return idm_fail_errno(err, r, step, path);
	if (r < 0) {
		idm_subject(err, path);
		return r;
	}
	if (own.state == IDM_MAP_NONE)
		return -ENODATA;
	return own.state == IDM_MAP_READ ? 0 : diagnose_unreadable_map(own.state, path, err);
}

static int check_left(const struct idm_map *map, const char *path, struct idm_error *err)
{
	const struct idm_entry *entries;

	if (idm_map_entries(map, IDM_UID, &entries) && idm_map_entries(map, IDM_GID, &entries))
		return 0;
	return idm_fail(err, -EINVAL, step, path, "the map contains no %s ID that the source shows",
			idm_map_entries(map, IDM_UID, &entries) ? "group" : "user");
}

/* Puts what the namespace maps behind `map`. */
static int compose_with_userns(struct idm_map *map, int userns_fd, const char *path,
			       struct idm_error *err)
{
	struct idm_map *then;
	int r = idm_map_new(&then);

	if (r < 0)
		return idm_fail_errno(err, r, step, path);
	r = idm_map_add_userns(then, userns_fd, err);
	if (r == 0 && idm_map_compose(map, then) < 0)
		r = idm_fail_errno(err, -ENOMEM, step, path);
	idm_map_free(then);
	return r < 0 ? r : check_left(map, path, err);
}

int idm_userns_on_top(int source, const char *path, int userns_fd, struct idm_error *err)
{
	struct idm_map *map;
	int r = read_source_map(source, path, &map, err);

	if (r == 0)
		r = compose_with_userns(map, userns_fd, path, err);
	if (r == 0)
		r = idm_userns_open(map, 0, err);
	idm_map_free(map);
	return r;
}

// SPDX-License-Identifier: MIT
#include "userns-probe.h"

#include <unistd.h>

#include "lib/base/error.h"
#include "lib/sys/fail-errno.h"

int idm_probe_userns(struct idm_error *err)
{
	struct idm_entry uid = { 0, geteuid(), 1 }, gid = { 0, getegid(), 1 };
	struct idm_map *map;
	int r = idm_map_new(&map);

	if (r < 0)
		return idm_fail_errno(err, r, IDM_STEP_MAKE_USERNS, NULL);
	r = idm_map_add(map, IDM_UID, &uid, 1, err);
	if (r == 0)
		r = idm_map_add(map, IDM_GID, &gid, 1, err);
	if (r == 0)
		r = idm_userns_open(map, 0, err);
	idm_map_free(map);
	return r;
}

// SPDX-License-Identifier: MIT
#include "engine.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/error.h"
#include "lib/sys/capability.h"
#include "lib/sys/fail-errno.h"

static const enum idm_error_step step_read = IDM_STEP_READ_MAP;

bool is_rootless_engine(void)
{
	struct stat st;

	return !idm_in_initial_userns() && stat("/etc", &st) == 0 && st.st_uid != 0;
}

/* The own IDs, and those outside of the user namespace. Read inside, the outside is its parent. */
static int read_engine_map(struct idm_map **map, struct idm_error *err)
{
	int r;

	if (idm_map_new(map) < 0)
		return idm_fail_errno(err, -ENOMEM, step_read, NULL);
	r = idm_map_add_pid(*map, getpid(), err);
	if (r < 0) {
		idm_map_free(*map);
		*map = NULL;
	}
	return r;
}

int count_disk_ids_on_host(const struct idm_map *inside, struct idm_map **map, struct idm_error *err)
{
	int r = read_engine_map(map, err);

	if (r < 0)
		return r;
	idm_map_invert(*map);
	r = idm_map_compose(*map, inside);
	if (r == 0)
		return 0;
	idm_map_free(*map);
	*map = NULL;
	return idm_fail_errno(err, r, step_read, NULL);
}

int count_seen_ids_on_host(const struct idm_map *inside, struct idm_map **map, struct idm_error *err)
{
	struct idm_map *engine = NULL;
	int r = read_engine_map(&engine, err);

	*map = NULL;
	if (r < 0)
		return r;
	r = idm_map_copy(inside, map);
	if (r == 0)
		r = idm_map_compose(*map, engine);
	idm_map_free(engine);
	if (r == 0)
		return 0;
	idm_map_free(*map);
	*map = NULL;
	return idm_fail_errno(err, r, step_read, NULL);
}

static int add_all_entries(struct idm_map *to, const struct idm_map *from, unsigned int kind,
			   struct idm_error *err)
{
	const struct idm_entry *entries;
	size_t n = idm_map_entries(from, kind, &entries);

	return idm_map_add(to, kind, entries, n, err);
}

int add_engine_ids(struct idm_map *map, struct idm_error *err)
{
	struct idm_map *equal = NULL, *back = NULL;
	int r;

	if (idm_in_initial_userns())
		return 0;
	r = read_engine_map(&equal, err);
	if (r < 0)
		return r;
	r = idm_map_copy(equal, &back);
	if (r == 0) {
		idm_map_invert(back);
		r = idm_map_compose(equal, back);
	}
	if (r < 0)
		idm_fail_errno(err, r, step_read, NULL);
	if (r == 0)
		r = add_all_entries(map, equal, IDM_UID, err);
	if (r == 0)
		r = add_all_entries(map, equal, IDM_GID, err);
	idm_map_free(equal);
	idm_map_free(back);
	return r;
}

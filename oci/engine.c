// SPDX-License-Identifier: MIT
#include "engine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/base/read-file.h"
#include "lib/sys/capability.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/procfs.h"

static const enum idm_error_step step_read = IDM_STEP_READ_MAP;

bool is_rootless_engine(void)
{
	struct stat st;

	return !idm_in_initial_userns() && stat("/etc", &st) == 0 && st.st_uid != 0;
}

static int add_side(struct idm_map *map, unsigned int kind, struct idm_error *err)
{
	const char *name = kind == IDM_UID ? "uid_map" : "gid_map";
	AUTO_CLOSE int fd = idm_procfs_open_self(name, step_read, err);
	AUTO_FREE char *text = NULL;
	size_t length;
	int r;

	if (fd < 0)
		return fd;
	r = idm_read_file(fd, IDM_READ_FILE_MOST, &text, &length);
	return r < 0 ? idm_fail_errno(err, r, step_read, name)
		     : idm_map_parse_kernel(map, kind, text, err);
}

/* The own IDs, and those outside of the user namespace. Read inside, the outside is its parent. */
static int read_engine_map(struct idm_map **map, struct idm_error *err)
{
	int r;

	if (idm_map_new(map) < 0)
		return idm_fail_errno(err, -ENOMEM, step_read, NULL);
	r = add_side(*map, IDM_UID, err);
	if (r == 0)
		r = add_side(*map, IDM_GID, err);
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
	if (r == 0)
		r = read_engine_map(&back, err);
	if (r == 0) {
		idm_map_invert(back);
		r = idm_map_compose(equal, back);
	}
	if (r == 0)
		r = add_all_entries(map, equal, IDM_UID, err);
	if (r == 0)
		r = add_all_entries(map, equal, IDM_GID, err);
	idm_map_free(equal);
	idm_map_free(back);
	return r;
}

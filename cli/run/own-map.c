// SPDX-License-Identifier: MIT
/*
 * The maps of an ordinary user's container. The user's own map has all IDs of the user: the own ID as 0,
 * and the subordinate IDs from 1 on. Root filesystems are stored so. A map that changes owners has to be
 * made in a user namespace with all IDs of both columns. Otherwise the namespace has the container's IDs
 * alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/common/report.h"
#include "oci/new-namespaces.h"
#include "run.h"

/* ---- the user's own map ---- */

static int add_one(struct idm_map *map, unsigned int kind, uint32_t disk, uint32_t seen, uint32_t count)
{
	struct idm_entry e = { disk, seen, count };
	struct idm_error err;

	return idm_map_add(map, kind, &e, 1, &err) < 0 ? report_error(&err) : DONE;
}

/* The user's own ID is root's, and so are their files. Their ranges follow. */
static int shift_by_own(struct idm_map *map, const struct idm_map *ranges, unsigned int kind,
			uint32_t own)
{
	const struct idm_entry *e;
	size_t n = idm_map_entries(ranges, kind, &e);
	int status = add_one(map, kind, 0, own, 1);

	for (size_t i = 0; i < n && status == DONE; i++)
		status = add_one(map, kind, e[i].disk + 1, e[i].seen, e[i].count);
	return status;
}

/* A user without ranges has one ID, which is enough unless the map is "auto". */
static int find_ranges(struct idm_map *ranges, bool required)
{
	struct idm_error err;
	int r = idm_map_parse(ranges, "auto", IDM_MAP_PARSE_LOOKUP, &err);

	return r < 0 && (required || r != -ENOENT) ? report_error(&err) : DONE;
}

static int make_own_map(struct idm_map **own, bool ranges_required)
{
	__attribute__((cleanup(idm_map_freep))) struct idm_map *ranges = NULL;
	int status;

	if (idm_map_new(own) < 0 || idm_map_new(&ranges) < 0)
		return out_of_memory();
	status = find_ranges(ranges, ranges_required);
	if (status == DONE)
		status = shift_by_own(*own, ranges, IDM_UID, geteuid());
	if (status == DONE)
		status = shift_by_own(*own, ranges, IDM_GID, getegid());
	return status;
}

/* ---- from the host's IDs to those of the namespace ---- */

/* Replaces the seen IDs, which are the host's, by those that the namespace has for them. */
static int compose_with_inverse(struct idm_map *map, const struct idm_map *userns)
{
	struct idm_map *inverse;
	int r = idm_map_copy(userns, &inverse);

	if (r < 0)
		return out_of_memory();
	idm_map_invert(inverse);
	r = idm_map_compose(map, inverse);
	idm_map_free(inverse);
	return r < 0 ? out_of_memory() : DONE;
}

int run_move_maps(struct run_request *q, const struct idm_map *userns)
{
	int status = compose_with_inverse(q->maps.map, userns);

	return status == DONE && q->disk_map ? compose_with_inverse(q->disk_map, userns) : status;
}

static bool has_changed_id(const struct idm_map *map)
{
	for (unsigned int kind = IDM_UID; kind <= IDM_GID; kind <<= 1) {
		const struct idm_entry *e;
		size_t n = idm_map_entries(map, kind, &e);

		for (size_t i = 0; i < n; i++)
			if (e[i].disk != e[i].seen)
				return true;
	}
	return false;
}

/* The owners of a root filesystem on disk, as the host counts, and the IDs that they become. */
static int make_disk_map(struct run_request *q, const struct idm_map *own)
{
	if (idm_map_copy(own, &q->disk_map) < 0)
		return out_of_memory();
	idm_map_invert(q->disk_map);
	if (idm_map_compose(q->disk_map, q->maps.map) < 0)
		return out_of_memory();
	q->keeps_owners = !has_changed_id(q->disk_map);
	return DONE;
}

/* ---- what has to be mapped ---- */

static bool look_at_top(const struct run_request *q, struct stat *st)
{
	const struct idm_path rootfs = { AT_FDCWD, q->rootfs },
			      *top = q->rootfs ? &rootfs : q->layers.lower;

	return fstatat(top->dirfd, top->path, st, 0) == 0;
}

/*
 * Whether the files of the root filesystem have the owners of the user's own map, and the container has
 * another root. Files of the container's own root are right as they are.
 */
static bool has_own_root(const struct run_request *q)
{
	struct stat st;
	uint32_t root;

	return look_at_top(q, &st) && st.st_uid == geteuid() &&
	       idm_map_to_seen(q->maps.map, IDM_UID, 0, &root) == 0 && root != st.st_uid;
}

/* Without the map of the user's own files the container's IDs are those on disk. */
static bool shows_owner(const struct run_request *q, uint32_t uid)
{
	uint32_t id;

	return q->root_mapped ? idm_map_to_seen(q->disk_map, IDM_UID, uid, &id) == 0
			      : idm_map_to_disk(q->maps.map, IDM_UID, uid, &id) == 0;
}

/* The container's root could change nothing there, and would see the overflow ID as owner. */
static void note_hidden_top(const struct run_request *q)
{
	bool changes = q->ephemeral || q->upper; /* whose top directory is another one */
	struct stat st;

	if (!changes && look_at_top(q, &st) && !shows_owner(q, st.st_uid))
		report_note("%s: the top directory belongs to uid %u, which the map does not show",
			    q->rootfs ? q->rootfs : q->layers.lower->path, st.st_uid);
}

static bool has_mapped_bind(const struct run_request *q)
{
	for (size_t i = 0; i < q->n_binds; i++)
		if (q->binds[i].map || q->binds[i].container_map)
			return true;
	return false;
}

static int choose_automatic(struct run_request *q, struct idm_map **userns)
{
	int status = make_own_map(userns, true);

	idm_map_free(q->maps.map);
	q->maps.map = NULL;
	if (status == DONE && idm_map_copy(*userns, &q->maps.map) < 0)
		status = out_of_memory();
	return status == DONE ? make_disk_map(q, *userns) : status;
}

static int choose_own(struct run_request *q, struct idm_map **userns)
{
	int status = make_own_map(userns, false);
	struct idm_error err;

	if (status == DONE && check_own_ids(q->maps.map, &err) < 0)
		status = report_error(&err);
	return status == DONE ? make_disk_map(q, *userns) : status;
}

static int choose_userns(struct run_request *q, struct idm_map **userns)
{
	if (q->automatic)
		return choose_automatic(q, userns);
	q->root_mapped = has_own_root(q);
	if (q->root_mapped || has_mapped_bind(q))
		return choose_own(q, userns);
	return idm_map_copy(q->maps.map, userns) < 0 ? out_of_memory() : DONE;
}

int run_choose_userns(struct run_request *q, struct idm_map **userns)
{
	int status;

	*userns = NULL;
	status = choose_userns(q, userns);
	if (status == DONE)
		note_hidden_top(q);
	return status;
}

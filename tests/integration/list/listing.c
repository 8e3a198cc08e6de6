// SPDX-License-Identifier: MIT
#include "listing.h"

#include <sched.h>

/* ---- mounts ---- */

static char base[64];

/*
 * The file of a mount namespace can be mounted only in one with a lower ID. Each processor hands out IDs
 * of its own, so that on one processor a later namespace has a higher ID.
 */
static void stay_on_this_processor(void)
{
	cpu_set_t here;

	CPU_ZERO(&here);
	CPU_SET(sched_getcpu(), &here);
	must(sched_setaffinity(0, sizeof(here), &here));
}

void listing_enter(void)
{
	stay_on_this_processor();
	scratch_enter();
	mount_mappable(SOURCE);
	snprintf(base, sizeof(base), SCRATCH "/%d", (int)getpid());
	scratch_dir(base);
	do_mount("base", base, "tmpfs", 0, "mode=0755");
}

const char *at(const char *name)
{
	static char paths[8][4096];
	static unsigned int next;
	char *path = paths[next++ % ARRAY_SIZE(paths)];

	snprintf(path, sizeof(paths[0]), "%s%s%s", base, *name ? "/" : "", name);
	return path;
}

const char *made(const char *name)
{
	const char *path = at(name);

	scratch_dir(path);
	return path;
}

void put(const char *name, const char *map)
{
	mount_mapped(SOURCE, made(name), map);
}

void mount_theirs(void *unused)
{
	(void)unused;
	must(unshare(CLONE_NEWNS));
	put("theirs", "0:3:1");
}

/* ---- levels ---- */

/* The newest level that this kernel really has. */
static enum idm_list_level newest(void)
{
	if (kernel_is_before(6, 8))
		return IDM_LIST_MOUNTINFO;
	if (kernel_is_before(6, 12))
		return IDM_LIST_STATMOUNT;
	return kernel_is_before(6, 13) ? IDM_LIST_NAMESPACES : IDM_LIST_NEWEST;
}

enum idm_list_level really(enum idm_list_level level)
{
	return level < newest() ? level : newest();
}

bool maps_are_told(enum idm_list_level level)
{
	return level == IDM_LIST_NEWEST && !kernel_is_before(6, 15);
}

int list_by(enum idm_list_level level, unsigned int flags,
	    int (*each)(const struct idm_mount_info *mount, void *data), void *data,
	    struct idm_error *err)
{
	return level == IDM_LIST_NEWEST ? idm_list(flags, each, data, err)
					: idm_list_at(level, flags, each, data, err);
}

int list_path_by(enum idm_list_level level, int dirfd, const char *path,
		 int (*each)(const struct idm_mount_info *mount, void *data), void *data,
		 struct idm_error *err)
{
	return level == IDM_LIST_NEWEST
		       ? idm_list_path(dirfd, path, *path ? 0 : IDM_LIST_EMPTY_PATH, each, data, err)
		       : idm_list_path_at(level, dirfd, path, each, data, err);
}

/* ---- what was told ---- */

int listing_keep(const struct idm_mount_info *mount, void *data)
{
	struct listing *list = data;
	struct idm_mount_info *m;

	assert_int_equal(mount->size, sizeof(*mount));
	list->mounts = reallocarray(list->mounts, list->n + 1, sizeof(*list->mounts));
	assert_non_null(list->mounts);
	m = &list->mounts[list->n++];
	*m = *mount;
	m->target = strdup(mount->target);
	m->source = strdup(mount->source);
	m->root = strdup(mount->root);
	m->fstype = strdup(mount->fstype);
	if (mount->map)
		assert_ok(idm_map_copy(mount->map, (struct idm_map **)&m->map), NULL);
	return 0;
}

int listing_never(const struct idm_mount_info *mount, void *unused)
{
	(void)unused;
	fail_msg("told of %s", mount->target);
}

void listing_free(struct listing *list)
{
	for (size_t i = 0; i < list->n; i++) {
		struct idm_mount_info *m = &list->mounts[i];

		free((char *)m->target);
		free((char *)m->source);
		free((char *)m->root);
		free((char *)m->fstype);
		idm_map_free((struct idm_map *)m->map);
	}
	free(list->mounts);
}

struct listing listing_at(const char *file, int line, enum idm_list_level level, unsigned int flags)
{
	struct listing list = { 0 };
	struct idm_error err;
	int r = list_by(level, flags, listing_keep, &list, &err);

	if (r)
		fail_at(file, line, "the listing by level %d returns %d: %s", (int)level, r,
			err.message);
	return list;
}

const struct idm_mount_info *find(const struct listing *list, const char *target)
{
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->mounts[i].target, target) == 0)
			return &list->mounts[i];
	return NULL;
}

const struct idm_mount_info *find_in(const struct listing *list, const char *target, uint64_t inode)
{
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->mounts[i].target, target) == 0 &&
		    list->mounts[i].namespace_inode == inode)
			return &list->mounts[i];
	return NULL;
}

bool is_ours(const struct idm_mount_info *mount)
{
	size_t length = strlen(base);

	return strncmp(mount->target, base, length) == 0 &&
	       (mount->target[length] == '/' || !mount->target[length]);
}

size_t count_ours(const struct listing *list)
{
	size_t n = 0;

	for (size_t i = 0; i < list->n; i++)
		n += is_ours(&list->mounts[i]);
	return n;
}

void assert_mapped_at(const char *file, int line, const struct idm_mount_info *m,
		      enum idm_list_level level, const char *map)
{
	AUTO_MAP struct idm_map *expected = map_of(map);
	bool told = maps_are_told(level);

	if (!m)
		fail_at(file, line, "not listed by level %d", (int)level);
	if (!(m->attr & IDM_ATTR_IDMAP))
		fail_at(file, line, "%s is not mapped by level %d", m->target, (int)level);
	assert_int_at(file, line, "map_state", m->map_state, true,
		      told ? IDM_MAP_READ : IDM_MAP_UNREADABLE);
	if (told)
		assert_same_map_at(file, line, m->map, expected);
	else if (m->map)
		fail_at(file, line, "%s has a map at level %d", m->target, (int)level);
}

void assert_path_at(const char *file, int line, enum idm_list_level level, int dirfd, const char *path,
		    const char *target, const char *map)
{
	AUTO_LISTING struct listing list = { 0 };
	struct idm_error err;
	int r = list_path_by(level, dirfd, path, listing_keep, &list, &err);

	if (r)
		fail_at(file, line, "the mount of %s by level %d: %d: %s", path, (int)level, r,
			err.message);
	assert_int_at(file, line, "number of mounts", (long long)list.n, true, 1);
	assert_string_at(file, line, "target", list.mounts[0].target, target);
	if (map)
		assert_mapped_at(file, line, &list.mounts[0], level, map);
	else
		assert_int_at(file, line, "map_state", list.mounts[0].map_state, true, IDM_MAP_NONE);
}

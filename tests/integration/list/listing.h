/* SPDX-License-Identifier: MIT */
/* Mounts to be listed, and what was told of them, by each of the kernel's ways of telling. */
#ifndef IDM_INTEGRATION_LIST_LISTING_H
#define IDM_INTEGRATION_LIST_LISTING_H

#include "lib/base/macros.h"
#include "lib/list/internal.h"
#include "lib/sys/syscall.h"
#include "tests/integration/mount/trees.h"
#include "tests/lib/neighbour.h"

#define ALL IDM_LIST_ALL_NAMESPACES
#define UNMAPPED IDM_LIST_UNMAPPED

/* ---- mounts ---- */

#define SOURCE SCRATCH "/source" /* a mount of a filesystem that can be ID-mapped, outside of base */

/*
 * Enters SCRATCH, with SOURCE and, at base, a tmpfs named "base". No other process calls its base the
 * same: it is told from those of tests that run at the same time, in other mount namespaces.
 */
void listing_enter(void);

/* A path below base, "" for base itself; of the last eight only. And a new directory there. */
const char *at(const char *name);
const char *made(const char *name);

/* Mounts SOURCE with the map at the directory below base, which may be a new one. */
void put(const char *name, const char *map);

/* In a mount namespace of its own, puts "theirs" with the map 0:3:1. For neighbours. */
void mount_theirs(void *unused);

/* ---- levels ---- */

/* What a level comes to on this kernel. */
enum idm_list_level really(enum idm_list_level level);

/* The last is idm_list() and idm_list_path() themselves. */
#define FOR_EACH_LEVEL(level) \
	for (enum idm_list_level level = IDM_LIST_MOUNTINFO; level <= IDM_LIST_NEWEST; level++)

/* Those that find other namespaces by ioctl, and those that look for them in /proc. */
#define FOR_EACH_LEVEL_BY_IOCTL(level) \
	FOR_EACH_LEVEL(level)          \
	if (really(level) >= IDM_LIST_NAMESPACES)
#define FOR_EACH_LEVEL_BY_PROC(level) \
	FOR_EACH_LEVEL(level)         \
	if (really(level) < IDM_LIST_NAMESPACES)

int list_by(enum idm_list_level level, unsigned int flags,
	    int (*each)(const struct idm_mount_info *mount, void *data), void *data,
	    struct idm_error *err);
int list_path_by(enum idm_list_level level, int dirfd, const char *path,
		 int (*each)(const struct idm_mount_info *mount, void *data), void *data,
		 struct idm_error *err);

/* ---- what was told ---- */

struct listing {
	struct idm_mount_info *mounts; /* with strings and maps of their own */
	size_t n;
};

void listing_free(struct listing *list);
#define AUTO_LISTING __attribute__((cleanup(listing_free)))

/* Callbacks: keeps the mount in a struct listing; fails the test. */
int listing_keep(const struct idm_mount_info *mount, void *list);
int listing_never(const struct idm_mount_info *mount, void *unused);

struct listing listing_at(const char *file, int line, enum idm_list_level level, unsigned int flags);
#define list_of(level, flags) listing_at(HERE, level, flags)

/* The first at that target; or NULL. And the first in that mount namespace. */
const struct idm_mount_info *find(const struct listing *list, const char *target);
const struct idm_mount_info *find_in(const struct listing *list, const char *target, uint64_t inode);

/* Whether the mount is at base or below it, and how many are. */
bool is_ours(const struct idm_mount_info *mount);
size_t count_ours(const struct listing *list);

/* Whether the map can be read, where the caller has all IDs. */
bool maps_are_told(enum idm_list_level level);

/* The mount is there and has the map; where the kernel does not tell, some map. */
void assert_mapped_at(const char *file, int line, const struct idm_mount_info *m,
		      enum idm_list_level level, const char *map);
#define assert_mapped(m, level, map) assert_mapped_at(HERE, m, level, map)

/* A path is on the mount at the target, and that has the map. NULL: it is not mapped. */
void assert_path_at(const char *file, int line, enum idm_list_level level, int dirfd, const char *path,
		    const char *target, const char *map);
#define assert_path(level, dirfd, path, target, map) \
	assert_path_at(HERE, level, dirfd, path, target, map)

#endif

/* SPDX-License-Identifier: MIT */
/* Maps and user namespaces, as tests want them. */
#ifndef IDM_LIB_MAPS_H
#define IDM_LIB_MAPS_H

#include "test.h"

static inline void free_map(struct idm_map **map)
{
	idm_map_free(*map);
}

#define AUTO_MAP __attribute__((cleanup(free_map)))

/* The map that the text says, without lookups; "" is an empty map. Fails the test if it is refused. */
struct idm_map *map_of(const char *text);

/* Prints a map; to free(). */
char *map_text(const struct idm_map *map, enum idm_format format, unsigned int kinds);

/* The map in the library's own words: "u:0:1:2,g:…", or "0:1:2" where the sides agree. */
void assert_map_at(const char *file, int line, const char *what, const struct idm_map *map,
		   const char *text);
#define assert_map(map, text) assert_map_at(HERE, #map, map, text)

void assert_same_map_at(const char *file, int line, const struct idm_map *actual,
			const struct idm_map *expected);
#define assert_same_map(actual, expected) assert_same_map_at(HERE, actual, expected)

/*
 * A random valid map: up to `most` entries on each side, of which some touch, with IDs below `bound`. A
 * side can be empty.
 */
struct idm_map *random_map(struct rng *rng, uint32_t most, uint32_t bound);

/* A user namespace with the map that the text says. */
int userns_of(const char *text);

/*
 * Checks the map of a user namespace by the kernel, without the library: a forked child joins it and
 * reads its own uid_map and gid_map. Fails the test if it is not `map`.
 */
void assert_userns_at(const char *file, int line, int userns, const struct idm_map *map);
#define assert_userns(userns, map) assert_userns_at(HERE, userns, map)

/*
 * The same by sight, which is cheap: a directory in SCRATCH with files "0" to `files` - 1, each owned by
 * the uid and gid of its name, and how those look through a detached clone of it with the map of
 * `userns`. An unmapped ID is 65534. After scratch_enter().
 */
int ownership_probe(unsigned int files);
int ownership_clone(int probe, int userns);

struct owner {
	uint32_t uid, gid;
};

struct owner owner_seen(int clone, unsigned int file);

/* Before Linux 5.12: a user namespace is made in every way, but the kernel maps no mount by it. */
void namespaces_without_mounts(void);

/* For tests that are not tried before Linux 5.12, or before Linux 6.15. */
void mounts_are_not_mapped(void);
void maps_are_not_read(void);

#endif

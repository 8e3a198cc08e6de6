/* SPDX-License-Identifier: MIT */
/* What a map looks like inside; for the files that make maps. */
#ifndef IDM_IDMAP_IDMAP_H
#define IDM_IDMAP_IDMAP_H

#include "idmount.h"

/* One past the last ID. The kernel uses 2^32-1 for an invalid ID, so it is never mapped. */
#define IDM_ID_END 4294967295ULL

/* Linux 4.15 and newer; the text has to fit in one page with its NUL. */
#define IDM_KERNEL_ENTRIES 340
#define IDM_KERNEL_BYTES 4095

struct idm_side {
	struct idm_entry *entries; /* canonical: sorted by disk, merged, no overlap */
	size_t n;
};

struct idm_map {
	struct idm_side uid;
	struct idm_side gid;
};

/* The side of one kind; NULL for anything but IDM_UID and IDM_GID. */
static inline const struct idm_side *idm_map_side(const struct idm_map *map, unsigned int kind)
{
	return kind == IDM_UID ? &map->uid : kind == IDM_GID ? &map->gid : NULL;
}

/* One side as the text of uid_map or gid_map. */
struct idm_kernel_text {
	char bytes[IDM_KERNEL_BYTES + 1];
	size_t n;
};

/* Checks one side as idm_map_check() does, and prints it. */
int idm_map_print_kernel(const struct idm_map *map, unsigned int kind, struct idm_kernel_text *text,
			 struct idm_error *err);

/*
 * Parses text in one of the dialects of idm_map_parse() and adds it to the map. `lookup` allows names of
 * users and groups. Errors as idm_map_parse().
 */
int idm_map_parse_text(struct idm_map *map, const char *text, bool lookup, struct idm_error *err);

/*
 * The same without lookups, for a mount of a container. Behind "@" the second column counts in its user
 * namespace, whose map is `container`: "@1000:0", "uids=@1000-0-1". NULL: no container exists.
 */
int idm_map_parse_inside(struct idm_map *map, const char *text, const struct idm_map *container,
			 struct idm_error *err);

struct idm_ids;

/* The same with lookups. As a disk ID, the word "owner" stands for these two IDs. */
int idm_map_parse_owned_by(struct idm_map *map, const char *text, const struct idm_ids *owner,
			   struct idm_error *err);

/*
 * The same for the owner and the group of a file, as the caller sees them. -EOVERFLOW: they may be IDs
 * that the caller's user namespace lacks.
 */
int idm_map_parse_owner(struct idm_map *map, const char *text, const char *source,
			struct idm_error *err);

/* Moves everything out of *from, instead of what *to held. */
void idm_map_move(struct idm_map *to, struct idm_map *from);

#endif

// SPDX-License-Identifier: MIT
#include "exposed-way.h"

#include <sys/stat.h>
#include <unistd.h>

static bool is_trusted(uint32_t owner)
{
	return owner == 0 || owner == geteuid();
}

/* By a path without the map of the mount, the owner on disk can change what is there. */
static bool has_trusted_owner(const struct way_place *place)
{
	return is_trusted(place->shown) && is_trusted(place->disk);
}

/* Which users a group has is not asked. With an ACL, the bits of the group are the mask of all entries.
 */
void note_place_on_way(struct exposed_way *way, const struct way_place *place)
{
	bool is_shared = place->mode & (S_IWGRP | S_IWOTH), is_trusted_place = has_trusted_owner(place);

	way->is_exposed |= way->is_open || (way->is_sticky && !is_trusted_place);
	if (!place->mount || place->mount != way->mount)
		way->is_mount_exposed = way->is_exposed;
	way->mount = place->mount;
	way->is_exposed |= place->is_foreign;
	way->is_sticky = S_ISDIR(place->mode) && is_shared && place->mode & S_ISVTX;
	way->is_open = S_ISDIR(place->mode) && (!is_trusted_place || (is_shared && !way->is_sticky));
}

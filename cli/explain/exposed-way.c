// SPDX-License-Identifier: MIT
#include "exposed-way.h"

#include <sys/stat.h>
#include <unistd.h>

static bool is_trusted_owner(uint32_t owner)
{
	return owner == 0 || owner == geteuid();
}

/* Which users a group has is not asked. With an ACL, the bits of the group are the mask of all entries.
 */
void note_place_on_way(struct exposed_way *way, uint32_t mode, uint32_t owner)
{
	bool is_shared = mode & (S_IWGRP | S_IWOTH);

	way->is_exposed |= way->is_open || (way->is_sticky && !is_trusted_owner(owner));
	way->is_sticky = S_ISDIR(mode) && is_shared && mode & S_ISVTX;
	way->is_open = S_ISDIR(mode) && (!is_trusted_owner(owner) || (is_shared && !way->is_sticky));
}

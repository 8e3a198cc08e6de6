// SPDX-License-Identifier: MIT
#include "place-copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/macros.h"
#include "lib/idmap/idmap-copy.h"
#include "lib/list/mount-copy.h"
#include "lib/sys/syscall.h"

/* A place, and what it points to. */
struct copied_place {
	struct idm_explain_info info; /* first: its address is that of the copy */
	struct idm_explain_options facts;
	struct idm_explain_inode inode, directory;
};

/* Copies an array; *complete becomes false without memory. */
static void *copy_items(const void *items, size_t n, size_t size, bool *complete)
{
	void *copy = n ? reallocarray(NULL, n, size) : NULL;

	if (copy)
		memcpy(copy, items, n * size);
	else if (n)
		*complete = false;
	return copy;
}

static const struct idm_map *copy_place_map(const struct idm_map *map, bool *complete)
{
	struct idm_map *copy = idm_copy_map_or_null(map);

	if (map && !copy)
		*complete = false;
	return copy;
}

static void copy_place_inode(struct idm_explain_inode *copy, const struct idm_explain_inode *inode,
			     bool *complete)
{
	*copy = *inode;
	copy->acl = copy_items(inode->acl, inode->n_acl, sizeof(*inode->acl), complete);
}

static void copy_place_facts(struct copied_place *copy, const struct idm_explain_options *facts,
			     bool *complete)
{
	copy->facts = *facts;
	copy->facts.mount_map = copy_place_map(facts->mount_map, complete);
	copy->facts.fs_map = copy_place_map(facts->fs_map, complete);
	copy->facts.userns_map = copy_place_map(facts->userns_map, complete);
	copy->facts.groups = copy_items(facts->groups, facts->n_groups, sizeof(*facts->groups), complete);
	copy_place_inode(&copy->inode, facts->inode, complete);
	copy->facts.inode = &copy->inode;
	if (facts->directory) {
		copy_place_inode(&copy->directory, facts->directory, complete);
		copy->facts.directory = &copy->directory;
	}
}

static bool copy_place_parts(struct copied_place *copy, const struct idm_explain_info *place)
{
	bool complete = true;

	copy->info = *place;
	copy->info.fd = copy->info.fs_userns_fd = -1;
	copy->info.path = strdup(place->path);
	copy->info.mount = place->mount ? idm_copy_mount_info(place->mount) : NULL;
	copy->info.facts = &copy->facts;
	copy_place_facts(copy, place->facts, &complete);
	return complete && copy->info.path && !copy->info.mount == !place->mount;
}

int idm_copy_place(const struct idm_explain_info *place, struct idm_explain_info **copy)
{
	struct copied_place *made = calloc(1, sizeof(*made));
	int r = made && copy_place_parts(made, place) ? 0 : -ENOMEM;

	if (r == 0)
		r = made->info.fd = idm_sys_dup(place->fd);
	if (r >= 0 && place->fs_userns_fd >= 0)
		r = made->info.fs_userns_fd = idm_sys_dup(place->fs_userns_fd);
	if (r < 0)
		idm_free_place(made);
	else
		*copy = &made->info;
	return r < 0 ? r : 0;
}

void idm_free_place(void *copy)
{
	struct copied_place *place = copy;

	if (!place)
		return;
	idm_close_fd(&place->info.fd);
	idm_close_fd(&place->info.fs_userns_fd);
	free((char *)place->info.path);
	idm_free_mount_info((struct idm_mount_info *)place->info.mount);
	idm_map_free((struct idm_map *)place->facts.mount_map);
	idm_map_free((struct idm_map *)place->facts.fs_map);
	idm_map_free((struct idm_map *)place->facts.userns_map);
	free((uint32_t *)place->facts.groups);
	free((struct idm_acl_entry *)place->inode.acl);
	free((struct idm_acl_entry *)place->directory.acl);
	free(place);
}

// SPDX-License-Identifier: MIT
/* No recursion: mounts can be stacked higher than the stack of a thread is. */
#include "mount-nodes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/array.h"

int idm_mount_nodes_append(const struct idm_mount_info *mount, void *data)
{
	struct idm_mount_nodes *nodes = data;
	struct idm_mount_node *new = idm_array_append(&nodes->v, &nodes->n, sizeof(*new));

	if (!new)
		return -ENOMEM;
	*new = (struct idm_mount_node){ mount->id, mount->parent_id, strdup(mount->target), false,
					false };
	return new->target ? 0 : -ENOMEM;
}

struct idm_mount_node *idm_mount_nodes_find(const struct idm_mount_nodes *nodes, uint64_t id)
{
	for (size_t i = 0; i < nodes->n; i++)
		if (nodes->v[i].id == id)
			return &nodes->v[i];
	return NULL;
}

static bool is_on_marked(const struct idm_mount_nodes *nodes, const struct idm_mount_node *node)
{
	for (size_t i = 0; i < nodes->n; i++)
		if (nodes->v[i].marked && nodes->v[i].id == node->parent)
			return true;
	return false;
}

/* A mount that was moved can be listed before the one that it is on. */
void idm_mount_nodes_mark_below(struct idm_mount_nodes *nodes, uint64_t top)
{
	bool progress = true;

	while (progress) {
		progress = false;
		for (size_t i = 0; i < nodes->n; i++) {
			struct idm_mount_node *node = &nodes->v[i];

			if (node->marked || node->id == top)
				continue;
			node->marked = node->parent == top || is_on_marked(nodes, node);
			progress |= node->marked;
		}
	}
}

static bool has_marked_child(const struct idm_mount_nodes *nodes, uint64_t id)
{
	for (size_t i = nodes->n; i-- > 0;)
		if (nodes->v[i].marked && nodes->v[i].parent == id)
			return true;
	return false;
}

/*
 * A list from a time at which mounts were moved may have a mount on each: then it is the last of all.
 */
struct idm_mount_node *idm_mount_nodes_topmost(const struct idm_mount_nodes *nodes)
{
	struct idm_mount_node *last = NULL;
	bool waits = false;

	for (size_t i = nodes->n; i-- > 0;) {
		struct idm_mount_node *node = &nodes->v[i];

		if (!node->marked)
			continue;
		waits |= node->set_aside;
		if (!node->set_aside && !has_marked_child(nodes, node->id))
			return node;
		if (!last)
			last = node;
	}
	return waits ? NULL : last;
}

void idm_mount_nodes_free(struct idm_mount_nodes *nodes)
{
	for (size_t i = 0; i < nodes->n; i++)
		free(nodes->v[i].target);
	free(nodes->v);
}

// SPDX-License-Identifier: MIT
/*
 * Each function looks at a mount once: a mount namespace can have 100,000 of them. No recursion: mounts
 * can be stacked higher than the stack of a thread is.
 */
#include "mount-nodes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/array.h"

static struct idm_mount_node *make_node(const struct idm_mount_info *mount)
{
	size_t size = strlen(mount->target) + 1;
	struct idm_mount_node *node = malloc(sizeof(*node) + size);

	if (!node)
		return NULL;
	*node = (struct idm_mount_node){ .by_id.key = mount->id,
					 .id = mount->id,
					 .parent = mount->parent_id };
	memcpy(node->target, mount->target, size);
	return node;
}

int idm_mount_nodes_append(const struct idm_mount_info *mount, void *data)
{
	struct idm_mount_nodes *nodes = data;
	struct idm_mount_node *node, **place;

	if (idm_mount_nodes_find(nodes, mount->id))
		return 0;
	node = make_node(mount);
	if (!node || idm_hashtable_add(&nodes->by_id, &node->by_id) < 0) {
		free(node);
		return -ENOMEM;
	}
	place = idm_array_append(&nodes->v, &nodes->n, sizeof(struct idm_mount_node *));
	if (!place) {
		idm_hashtable_remove(&nodes->by_id, &node->by_id);
		free(node);
		return -ENOMEM;
	}
	*place = node;
	return 0;
}

struct idm_mount_node *idm_mount_nodes_find(const struct idm_mount_nodes *nodes, uint64_t id)
{
	return idm_container_of(struct idm_mount_node, by_id, idm_hashtable_find(&nodes->by_id, id));
}

struct idm_mount_node *idm_mount_nodes_parent(const struct idm_mount_nodes *nodes,
					      const struct idm_mount_node *node)
{
	return idm_mount_nodes_find(nodes, node->parent);
}

/* ---- the order ---- */

struct order {
	struct idm_mount_node *first, **end;
};

static void count_mounts_on(const struct idm_mount_nodes *nodes)
{
	for (size_t i = 0; i < nodes->n; i++) {
		struct idm_mount_node *parent = idm_mount_nodes_parent(nodes, nodes->v[i]);

		if (parent)
			parent->n_on++;
	}
}

static void put_next(struct order *order, struct idm_mount_node *node)
{
	*order->end = node;
	order->end = &node->next;
}

/* Those whose turn has come already follow the last one that was on them. */
static void put_with_passed(struct order *order, const struct idm_mount_nodes *nodes,
			    struct idm_mount_node *node)
{
	for (node->passed = true; node && node->passed && !node->n_on;) {
		put_next(order, node);
		node = idm_mount_nodes_parent(nodes, node);
		if (node)
			node->n_on--;
	}
}

static void put_rest(struct order *order, const struct idm_mount_nodes *nodes)
{
	for (size_t i = nodes->n; i-- > 0;)
		if (nodes->v[i]->n_on)
			put_next(order, nodes->v[i]);
}

void idm_mount_nodes_sort(struct idm_mount_nodes *nodes)
{
	struct order order = { .end = &order.first };
	size_t n = 0;

	count_mounts_on(nodes);
	for (size_t i = nodes->n; i-- > 0;)
		put_with_passed(&order, nodes, nodes->v[i]);
	put_rest(&order, nodes);
	*order.end = NULL;
	for (struct idm_mount_node *node = order.first; node; node = node->next)
		nodes->v[n++] = node;
}

/* From the end, where each mount comes before those on it. */
void idm_mount_nodes_mark_below(struct idm_mount_nodes *nodes, uint64_t top)
{
	for (size_t i = nodes->n; i-- > 0;) {
		struct idm_mount_node *node = nodes->v[i];
		const struct idm_mount_node *parent = idm_mount_nodes_parent(nodes, node);

		if (node->id != top)
			node->marked = node->parent == top || (parent && parent->marked);
	}
}

void idm_mount_nodes_free(struct idm_mount_nodes *nodes)
{
	for (size_t i = 0; i < nodes->n; i++)
		free(nodes->v[i]);
	free(nodes->v);
	idm_hashtable_free(&nodes->by_id);
}

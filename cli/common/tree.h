/* SPDX-License-Identifier: MIT */
/* Rows of a table below those that hold them, with lines as those of tree(1). */
#ifndef IDM_CLI_COMMON_TREE_H
#define IDM_CLI_COMMON_TREE_H

#include <stdint.h>

#include "columns.h"

struct tree_node;

/* The rows of a table behind its heading, in their order. Begins as { 0 }. */
struct tree {
	struct tree_node *nodes;
	size_t n;
};

/* Adds the next row. Returns false if memory was not enough. */
bool tree_add(struct tree *tree, uint64_t id, uint64_t parent);

/*
 * Puts each row behind the row of its parent, if there is one, and lines in front of a column, if it
 * exists. Releases the tree. Without memory, the table has failed.
 */
void tree_arrange(struct tree *tree, struct table *table, size_t column);

#endif

// SPDX-License-Identifier: MIT
#include "tree.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/array.h"

#define NO_NODE SIZE_MAX

struct tree_node {
	uint64_t id, parent_id;
	size_t parent, first, last, next; /* indices of nodes, or NO_NODE */
	bool placed;
};

/* What the arrangement has done so far. */
struct arrangement {
	const struct tree *tree;
	const struct table *table;
	size_t column;
	char **cells; /* in the new order */
	size_t n;
};

bool tree_add(struct tree *tree, uint64_t id, uint64_t parent)
{
	struct tree_node *new = idm_array_append(&tree->nodes, &tree->n, sizeof(*new));

	if (new)
		*new = (struct tree_node){ id, parent, NO_NODE, NO_NODE, NO_NODE, NO_NODE, false };
	return new;
}

/* ---- parents ---- */

/* A mount and its row, in the order of IDs. */
struct row_of_id {
	uint64_t id;
	size_t row;
};

static int compare_ids(const void *a, const void *b)
{
	const struct row_of_id *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static void append_child(struct tree *tree, size_t parent, size_t child)
{
	struct tree_node *p = &tree->nodes[parent];

	tree->nodes[child].parent = parent;
	if (p->last == NO_NODE)
		p->first = child;
	else
		tree->nodes[p->last].next = child;
	p->last = child;
}

static bool link_nodes(struct tree *tree)
{
	struct row_of_id *rows = calloc(tree->n + 1, sizeof(*rows));

	if (!rows)
		return false;
	for (size_t i = 0; i < tree->n; i++)
		rows[i] = (struct row_of_id){ tree->nodes[i].id, i };
	qsort(rows, tree->n, sizeof(*rows), compare_ids);
	for (size_t i = 0; i < tree->n; i++) {
		const struct row_of_id key = { .id = tree->nodes[i].parent_id },
				       *found = bsearch(&key, rows, tree->n, sizeof(*rows), compare_ids);

		if (found && found->row != i)
			append_child(tree, found->row, i);
	}
	free(rows);
	return true;
}

/* ---- the new order ---- */

static size_t find_depth(const struct tree *tree, size_t node)
{
	size_t depth = 0;

	for (; tree->nodes[node].parent != NO_NODE; node = tree->nodes[node].parent)
		depth++;
	return depth;
}

/* Puts the lines in front of the text: from the node's own, at the end, to that of its first ancestor.
 */
static char *draw_lines(const struct tree *tree, size_t node, const char *text)
{
	static const char *const utf8[] = { "└─", "├─", "  ", "│ " };
	static const char *const ascii[] = { "`-", "|-", "  ", "| " };
	const char *const *lines = use_utf8() ? utf8 : ascii;
	size_t depth = find_depth(tree, node), most = depth * strlen(lines[0]) + strlen(text) + 1;
	char *copy = malloc(most), *at = copy ? copy + most - strlen(text) - 1 : NULL;
	int own = 0;

	if (!copy)
		return NULL;
	memcpy(at, text, strlen(text) + 1);
	for (; tree->nodes[node].parent != NO_NODE; node = tree->nodes[node].parent) {
		const char *line = lines[own + (tree->nodes[node].next != NO_NODE)];

		at -= strlen(line);
		memcpy(at, line, strlen(line));
		own = 2;
	}
	memmove(copy, at, strlen(at) + 1);
	return copy;
}

static bool place_row(struct arrangement *a, size_t node)
{
	size_t columns = a->table->columns;
	char **row = a->table->cells + (node + 1) * columns, *text;

	a->tree->nodes[node].placed = true;
	memcpy(a->cells + a->n, row, columns * sizeof(*row));
	a->n += columns;
	if (a->column >= columns || a->tree->nodes[node].parent == NO_NODE)
		return true;
	text = draw_lines(a->tree, node, row[a->column]);
	if (!text)
		return false;
	free(row[a->column]);
	a->cells[a->n - columns + a->column] = text;
	return true;
}

/* Returns the next node in the order of the tree below `root`, or NO_NODE. */
static size_t next_node(const struct tree *tree, size_t node, size_t root)
{
	if (tree->nodes[node].first != NO_NODE)
		return tree->nodes[node].first;
	while (node != root && tree->nodes[node].next == NO_NODE)
		node = tree->nodes[node].parent;
	return node == root ? NO_NODE : tree->nodes[node].next;
}

static bool place_trees(struct arrangement *a)
{
	const struct tree *tree = a->tree;
	bool good = true;

	for (size_t root = 0; root < tree->n; root++)
		if (tree->nodes[root].parent == NO_NODE)
			for (size_t i = root; i != NO_NODE; i = next_node(tree, i, root))
				good &= place_row(a, i);
	return good;
}

/* Before Linux 6.8, IDs are used again. So mounts that change during the listing can form a ring. */
static bool place_rings(struct arrangement *a)
{
	bool good = true;

	for (size_t i = 0; i < a->tree->n; i++) {
		if (a->tree->nodes[i].placed)
			continue;
		a->tree->nodes[i].parent = NO_NODE;
		good &= place_row(a, i);
	}
	return good;
}

void tree_arrange(struct tree *tree, struct table *table, size_t column)
{
	struct arrangement a = { .tree = tree, .table = table, .column = column };

	if (!table->failed) {
		a.cells = calloc(table->rows + 1, sizeof(*a.cells));
		table->failed = !a.cells || !link_nodes(tree);
	}
	if (!table->failed) {
		memcpy(a.cells, table->cells, table->columns * sizeof(*a.cells));
		a.n = table->columns;
		table->failed = !place_trees(&a) || !place_rings(&a);
		free(table->cells);
		table->cells = a.cells;
		a.cells = NULL;
	}
	free(a.cells);
	free(tree->nodes);
	*tree = (struct tree){ 0 };
}

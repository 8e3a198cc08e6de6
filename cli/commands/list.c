// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli/common/columns.h"
#include "cli/common/command.h"
#include "cli/common/json-print.h"
#include "cli/common/map-text.h"
#include "cli/common/mount-options.h"
#include "cli/common/report.h"
#include "cli/common/suggest.h"
#include "cli/common/tree.h"
#include "lib/base/macros.h"
#include "lib/base/mount-attr.h"

enum { OPTION_JSON = LONG_ONLY, OPTION_ALL_NAMESPACES, OPTION_TREE };

static const struct option_row options[] = {
	{ 'o', "output", "COLUMNS",
	  "show these columns, separated by commas; with + in front\n"
	  "after the usual ones: TARGET SOURCE FSTYPE MAP FLAGS\n"
	  "UID-MAP GID-MAP STATE ROOT ID PARENT NAMESPACE" },
	{ 'n', "noheadings", NULL, "leave out the headings" },
	{ 'r', "raw", NULL, "print for scripts: one blank between columns, maps as for -m" },
	{ 'u', "notruncate", NULL, "cut no column to the width of the terminal" },
	{ OPTION_TREE, "tree", NULL, "show mounts below the mapped mounts that hold them" },
	{ OPTION_JSON, "json", NULL, "print a JSON array" },
	{ OPTION_ALL_NAMESPACES, "all-namespaces", NULL,
	  "show the mounts of every mount namespace on this host" },
	{ 0 },
};

static const char details[] =
	"Without TARGET, lists all ID-mapped mounts. With TARGET, lists the one that holds each. Maps\n"
	"can be read from Linux 6.15 on.\n";

struct listing;
typedef void add_cell(struct listing *l, const struct idm_mount_info *m);

/* A column that -o can name. */
struct column {
	const char *name;
	add_cell *add;
	int cut; /* as in struct table */
};

/* The request, and the mounts found so far. */
struct listing {
	bool all;
	bool as_json; /* else a table */
	bool as_tree;
	struct json json;
	struct table table;
	const struct column *columns[TABLE_COLUMNS];
	struct tree tree;
};

static const char *state_text(enum idm_map_state state)
{
	static const char *const texts[] = {
		[IDM_MAP_NONE] = "none",
		[IDM_MAP_READ] = "read",
		[IDM_MAP_PARTLY] = "partly visible",
		[IDM_MAP_INVISIBLE] = "not visible from here",
		[IDM_MAP_UNREADABLE] = "map not readable on this kernel",
	};

	return texts[state];
}

/* ---- as JSON ---- */

static void add_json(struct json *json, const struct idm_mount_info *m)
{
	char flags[256];

	json_open(json, NULL, '{');
	idm_describe_attr(m->attr, m->propagation, flags, sizeof(flags));
	json_add_name(json, "target", m->target);
	json_add_name(json, "source", m->source);
	json_add_name(json, "root", m->root);
	json_add_name(json, "fstype", m->fstype);
	json_add_string(json, "flags", flags);
	json_add_string(json, "mapState", state_text(m->map_state));
	json_add_map(json, m->map);
	json_add_number(json, "id", m->id);
	json_add_number(json, "parentId", m->parent_id);
	json_add_number(json, "namespaceId", m->namespace_id);
	json_add_number(json, "namespaceInode", m->namespace_inode);
	json_close(json);
}

/* ---- cells ---- */

/* Adds a text that was allocated, or notes that it could not be. */
static void add_allocated(struct table *table, char *text)
{
	if (text)
		table_cell(table, text);
	else
		table->failed = true;
	free(text);
}

static void add_id(struct table *table, uint64_t id)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)id);
	table_cell(table, text);
}

static void add_target_cell(struct listing *l, const struct idm_mount_info *m)
{
	table_cell(&l->table, m->target);
}

/* The form is that of findmnt(8) for a bind mount: DEVICE[/PART]. */
static void add_source_cell(struct listing *l, const struct idm_mount_info *m)
{
	bool whole = strcmp(m->root, "/") == 0;
	size_t size = strlen(m->source) + strlen(m->root) + 3;
	char *text = malloc(size);

	if (text)
		snprintf(text, size, whole ? "%s" : "%s[%s]", m->source, m->root);
	add_allocated(&l->table, text);
}

static void add_fstype_cell(struct listing *l, const struct idm_mount_info *m)
{
	table_cell(&l->table, m->fstype);
}

/* The notation of -m. */
static char *print_raw_map(const struct idm_map *map, unsigned int kinds)
{
	ssize_t length = idm_map_print(map, IDM_FORMAT_TEXT, kinds, NULL, 0);
	char *text = length < 0 ? NULL : malloc((size_t)length + 1);

	if (!text)
		return NULL;
	idm_map_print(map, IDM_FORMAT_TEXT, kinds, text, (size_t)length + 1);
	return text;
}

static void add_map_of(struct listing *l, const struct idm_mount_info *m, unsigned int kinds)
{
	static const char partly[] = " (partly visible)";
	char *text, *longer;

	if (!m->map) {
		table_cell(&l->table, l->table.raw ? "" : state_text(m->map_state));
		return;
	}
	text = l->table.raw ? print_raw_map(m->map, kinds) : summarize_map(m->map, kinds);
	if (text && !l->table.raw && m->map_state == IDM_MAP_PARTLY) {
		longer = realloc(text, strlen(text) + sizeof(partly));
		if (!longer)
			free(text);
		text = longer ? strcat(longer, partly) : NULL;
	}
	add_allocated(&l->table, text);
}

static void add_both_maps(struct listing *l, const struct idm_mount_info *m)
{
	add_map_of(l, m, IDM_BOTH);
}

static void add_uid_map(struct listing *l, const struct idm_mount_info *m)
{
	add_map_of(l, m, IDM_UID);
}

static void add_gid_map(struct listing *l, const struct idm_mount_info *m)
{
	add_map_of(l, m, IDM_GID);
}

static void add_flags_cell(struct listing *l, const struct idm_mount_info *m)
{
	char text[256];

	idm_describe_attr(m->attr, m->propagation, text, sizeof(text));
	table_cell(&l->table, text);
}

static void add_state_cell(struct listing *l, const struct idm_mount_info *m)
{
	table_cell(&l->table, state_text(m->map_state));
}

static void add_root_cell(struct listing *l, const struct idm_mount_info *m)
{
	table_cell(&l->table, m->root);
}

static void add_mount_id(struct listing *l, const struct idm_mount_info *m)
{
	add_id(&l->table, m->id);
}

static void add_parent_id(struct listing *l, const struct idm_mount_info *m)
{
	add_id(&l->table, m->parent_id);
}

static void add_namespace(struct listing *l, const struct idm_mount_info *m)
{
	add_id(&l->table, m->namespace_inode);
}

/* ---- columns ---- */

/*
 * The usual ones first. The less needed is cut first: flags, then the source, then the map. A target and
 * an ID are never cut, because they may be copied from the terminal.
 */
static const struct column columns[] = {
	{ "TARGET", add_target_cell, 0 }, { "SOURCE", add_source_cell, 2 },
	{ "FSTYPE", add_fstype_cell, 0 }, { "MAP", add_both_maps, 1 },
	{ "FLAGS", add_flags_cell, 3 },	  { "UID-MAP", add_uid_map, 1 },
	{ "GID-MAP", add_gid_map, 1 },	  { "STATE", add_state_cell, 1 },
	{ "ROOT", add_root_cell, 2 },	  { "ID", add_mount_id, 0 },
	{ "PARENT", add_parent_id, 0 },	  { "NAMESPACE", add_namespace, 0 },
};

#define ALL_COLUMNS (sizeof(columns) / sizeof(columns[0]))
#define USUAL_COLUMNS 5

static bool append_column(struct listing *l, const struct column *column)
{
	if (l->table.columns == TABLE_COLUMNS)
		return false;
	l->table.cut[l->table.columns] = column->cut;
	l->columns[l->table.columns++] = column;
	return true;
}

static void append_usual_columns(struct listing *l)
{
	if (l->all)
		append_column(l, &columns[ALL_COLUMNS - 1]);
	for (size_t i = 0; i < USUAL_COLUMNS; i++)
		append_column(l, &columns[i]);
}

static const struct column *find_column(const char *name, size_t n)
{
	for (size_t i = 0; i < ALL_COLUMNS; i++)
		if (strncasecmp(columns[i].name, name, n) == 0 && !columns[i].name[n])
			return &columns[i];
	return NULL;
}

static int report_unknown_column(const char *list, size_t n)
{
	AUTO_FREE char *name = strndup(list, n);
	struct suggestion s = { .word = name };

	if (!name)
		return out_of_memory();
	for (size_t i = 0; i < ALL_COLUMNS; i++)
		suggest_word(&s, columns[i].name);
	return report_unknown_word(&s, "-o ", "column", "\"idmount help list\"");
}

static int select_columns(struct listing *l, const char *list)
{
	if (!list || *list == '+')
		append_usual_columns(l);
	if (list)
		list += *list == '+';
	while (list) {
		size_t n = strcspn(list, ",");
		const struct column *column = find_column(list, n);

		if (!column)
			return report_unknown_column(list, n);
		if (!append_column(l, column))
			return report_usage("-o: expected at most %d columns", TABLE_COLUMNS);
		list = list[n] ? list + n + 1 : NULL;
	}
	return DONE;
}

static void begin_table(struct listing *l)
{
	for (size_t i = 0; i < l->table.columns; i++)
		table_cell(&l->table, l->columns[i]->name);
}

static void add_mount_row(struct listing *l, const struct idm_mount_info *m)
{
	for (size_t i = 0; i < l->table.columns; i++)
		l->columns[i]->add(l, m);
	if (l->as_tree && !tree_add(&l->tree, m->id, m->parent_id))
		l->table.failed = true;
}

/* ---- the command ---- */

static int add_mount(const struct idm_mount_info *mount, void *data)
{
	struct listing *l = data;

	if (l->as_json)
		add_json(&l->json, mount);
	else
		add_mount_row(l, mount);
	return 0;
}

/* A named mount must be mapped. */
static int add_named(const struct idm_mount_info *mount, void *data)
{
	return mount->map_state == IDM_MAP_NONE ? 1 : add_mount(mount, data);
}

static int list_target(struct listing *l, const char *target)
{
	struct idm_error err;
	int r;

	if (!*target) /* to the library, that is a directory descriptor */
		return report_usage("TARGET is empty");
	r = idm_list_path(AT_FDCWD, target, 0, add_named, l, &err);

	if (r < 0)
		return report_error(&err);
	if (r > 0)
		return report_failure("%s: list: it is not on an ID-mapped mount", target);
	return DONE;
}

static int list_all_mounts(struct listing *l)
{
	struct idm_error err;
	int r = idm_list(l->all ? IDM_LIST_ALL_NAMESPACES : 0, add_mount, l, &err);

	return r < 0 ? report_error(&err) : DONE;
}

static size_t index_of_target(const struct listing *l)
{
	size_t c = 0;

	while (c < l->table.columns && l->columns[c]->add != add_target_cell)
		c++;
	return c;
}

static int print_listing(struct listing *l)
{
	if (l->as_json) {
		json_print(&l->json);
		return DONE;
	}
	if (l->as_tree)
		tree_arrange(&l->tree, &l->table, index_of_target(l));
	if (table_print(&l->table))
		return DONE;
	return out_of_memory();
}

static void parse_list_option(struct listing *l, int letter, const char *value, const char **output)
{
	switch (letter) {
	case 'o':
		*output = value;
		break;
	case 'n':
		l->table.no_headings = true;
		break;
	case 'r':
		l->table.raw = true;
		break;
	case 'u':
		l->table.whole = true;
		break;
	case OPTION_TREE:
		l->as_tree = true;
		break;
	case OPTION_JSON:
		l->as_json = true;
		break;
	case OPTION_ALL_NAMESPACES:
		l->all = true;
	}
}

static int check_list_request(struct listing *l, const char *output, size_t targets)
{
	if (targets && l->all)
		return report_usage(
			"--all-namespaces: a TARGET is looked up in this mount namespace only");
	if (l->as_json && (output || l->as_tree || l->table.raw || l->table.no_headings))
		return report_usage("--json excludes -o, -n, -r and --tree");
	if (l->as_tree && l->table.raw)
		return report_usage("--tree and -r exclude each other");
	return select_columns(l, output);
}

static int list_targets(struct listing *l, char **target, size_t n)
{
	int status = DONE;

	for (size_t i = 0; i < n; i++) {
		int one = list_target(l, target[i]);

		status = one > status ? one : status;
	}
	return n ? status : list_all_mounts(l);
}

static int run_list(int argc, char **argv)
{
	struct arguments a = { .command = &command_list, .argc = argc, .argv = argv };
	struct listing l = { 0 };
	const char *output = NULL;
	int letter, status;
	char **target;
	size_t n;

	while ((letter = next_command_option(&a)) > 0)
		parse_list_option(&l, letter, a.value, &output);
	if (letter < 0)
		return letter == OPTION_HELP ? DONE : USAGE;
	n = operands(&a, &target);
	status = check_list_request(&l, output, n);
	if (status != DONE)
		return status;
	if (l.as_json)
		json_open(&l.json, NULL, '[');
	else
		begin_table(&l);
	status = list_targets(&l, target, n);
	return print_listing(&l) == DONE ? status : FAILED;
}

const struct command command_list = {
	.name = "list",
	.operands = "[TARGET...]",
	.summary = "show ID-mapped mounts and their maps",
	.details = details,
	.options = options,
	.run = run_list,
};

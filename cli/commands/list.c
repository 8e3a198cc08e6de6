// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/columns.h"
#include "cli/common/command.h"
#include "cli/common/json-print.h"
#include "cli/common/mount-options.h"
#include "cli/common/report.h"
#include "lib/base/mount-attr.h"

enum { OPTION_JSON = LONG_ONLY, OPTION_ALL_NAMESPACES };

static const struct option_row options[] = {
	{ OPTION_JSON, "json", NULL, "print a JSON array" },
	{ OPTION_ALL_NAMESPACES, "all-namespaces", NULL,
	  "show the mounts of every mount namespace on this host" },
	{ 0 },
};

static const char details[] =
	"Without TARGET, lists all ID-mapped mounts. With TARGET, lists the one that holds each. Maps\n"
	"can be read from Linux 6.15 on.\n";

/* The request, and the mounts found so far. */
struct listing {
	bool all;
	bool as_json; /* else a table */
	struct json json;
	struct table table;
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

/* ---- as a table ---- */

static void head(struct table *table, bool all)
{
	table->columns = all ? 7 : 6;
	if (all)
		table_cell(table, "NAMESPACE");
	table_cell(table, "TARGET");
	table_cell(table, "SOURCE");
	table_cell(table, "FSTYPE");
	table_cell(table, "UID MAP");
	table_cell(table, "GID MAP");
	table_cell(table, "FLAGS");
}

/* The form is that of findmnt(8) for a bind mount: DEVICE[/PART]. */
static void source_cell(struct table *table, const struct idm_mount_info *m)
{
	size_t size = strlen(m->source) + strlen(m->root) + 3;
	char *text = malloc(size);

	if (!text) {
		table->failed = true;
		return;
	}
	if (strcmp(m->root, "/") == 0)
		snprintf(text, size, "%s", m->source);
	else
		snprintf(text, size, "%s[%s]", m->source, m->root);
	table_cell(table, text);
	free(text);
}

static void map_cell(struct table *table, const struct idm_mount_info *m, unsigned int kind)
{
	static const char partly[] = " (partly visible)";
	ssize_t length = m->map ? idm_map_print(m->map, IDM_FORMAT_TEXT, kind, NULL, 0) : 0;
	char *text;

	if (length <= 0) {
		table_cell(table, m->map ? "-" : state_text(m->map_state));
		return;
	}
	text = malloc((size_t)length + sizeof(partly));
	if (!text) {
		table->failed = true;
		return;
	}
	idm_map_print(m->map, IDM_FORMAT_TEXT, kind, text, (size_t)length + 1);
	/* The heading names the kind, so the entries need no "u:". */
	for (char *from = text, *to = text; (*to = *from) != '\0'; from++)
		if ((*from != 'u' && *from != 'g') || from[1] != ':')
			to++;
		else
			from++;
	if (m->map_state == IDM_MAP_PARTLY)
		strcat(text, partly);
	table_cell(table, text);
	free(text);
}

static void add_mount_row(struct table *table, const struct idm_mount_info *m, bool all)
{
	char text[256];

	if (all) {
		snprintf(text, sizeof(text), "%llu", (unsigned long long)m->namespace_inode);
		table_cell(table, text);
	}
	table_cell(table, m->target);
	source_cell(table, m);
	table_cell(table, m->fstype);
	map_cell(table, m, IDM_UID);
	map_cell(table, m, IDM_GID);
	idm_describe_attr(m->attr, m->propagation, text, sizeof(text));
	table_cell(table, text);
}

/* ---- the command ---- */

static int add_mount(const struct idm_mount_info *mount, void *data)
{
	struct listing *l = data;

	if (l->as_json)
		add_json(&l->json, mount);
	else
		add_mount_row(&l->table, mount, l->all);
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

static int print_listing(struct listing *l)
{
	if (l->as_json) {
		json_print(&l->json);
		return DONE;
	}
	if (table_print(&l->table))
		return DONE;
	return out_of_memory();
}

static int run_list(int argc, char **argv)
{
	struct arguments a = { .command = &command_list, .argc = argc, .argv = argv };
	struct listing l = { 0 };
	int letter, status = DONE;
	char **target;
	size_t n;

	while ((letter = next_command_option(&a)) > 0) {
		l.as_json |= letter == OPTION_JSON;
		l.all |= letter == OPTION_ALL_NAMESPACES;
	}
	if (letter < 0)
		return letter == OPTION_HELP ? DONE : USAGE;
	n = operands(&a, &target);
	if (n && l.all)
		return report_usage(
			"--all-namespaces: a TARGET is looked up in this mount namespace only");
	if (l.as_json)
		json_open(&l.json, NULL, '[');
	else
		head(&l.table, l.all);
	for (size_t i = 0; i < n; i++) {
		int one = list_target(&l, target[i]);

		status = one > status ? one : status;
	}
	if (!n)
		status = list_all_mounts(&l);
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

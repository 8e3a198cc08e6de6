// SPDX-License-Identifier: MIT
/* --owners: the table of owners, as text and as JSON. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/common/columns.h"
#include "cli/common/report.h"
#include "lib/base/error.h"
#include "draw.h"
#include "report.h"

static void print_owners(const struct owners *owners)
{
	struct table table = { .columns = 6 };
	char text[24];

	table_cell(&table, "KIND");
	table_cell(&table, "DISK");
	table_cell(&table, "SEEN");
	table_cell(&table, "INSIDE");
	table_cell(&table, "FILES");
	table_cell(&table, "MAY");
	for (size_t i = 0; i < owners->n; i++) {
		const struct owner *o = &owners->list[i];

		table_cell(&table, o->kind == IDM_UID ? "user" : "group");
		table_cell(&table, o->disk == IDM_EXPLAIN_NO_ID ? "?" : format_id(o->disk, text));
		table_cell(&table, format_id(o->seen, text));
		table_cell(&table, format_id(o->inside, text));
		snprintf(text, sizeof(text), "%llu", (unsigned long long)o->files);
		table_cell(&table, text);
		table_cell(&table, *o->may ? o->may : "-");
	}
	if (!table_print(&table))
		out_of_memory();
	if (owners->has_more)
		print_row(MARK_NONE, "note     there are more files than these %d", OWNERS_FILES_MOST);
	if (owners->incomplete)
		print_row(MARK_NONE, "note     a directory could not be read");
}

void add_owners(struct json *json, const struct owners *owners)
{
	json_open(json, "owners", '[');
	for (size_t i = 0; i < owners->n; i++) {
		const struct owner *o = &owners->list[i];

		json_open(json, NULL, '{');
		json_add_string(json, "kind", o->kind == IDM_UID ? "user" : "group");
		add_json_id(json, "disk", o->disk);
		add_json_id(json, "seen", o->seen);
		add_json_id(json, "inside", o->inside);
		json_add_number(json, "files", o->files);
		json_add_string(json, "may", *o->may ? o->may : NULL);
		json_close(json);
	}
	json_close(json);
	json_add_bool(json, "complete", !owners->has_more && !owners->incomplete);
}

int show_owners(struct report *report, const struct verdict *v, struct idm_error *err)
{
	struct owners owners;
	int r;

	if (!S_ISDIR(v->facts.inode->mode))
		return idm_fail(err, -ENOTDIR, IDM_STEP_EXPLAIN, NULL, "expected a directory, got a %s",
				type_word(v->facts.inode->mode));
	r = find_owners(v, &owners);
	if (r < 0)
		r = idm_fail(err, r, IDM_STEP_EXPLAIN, NULL, "count owners: %s", strerror(-r));
	else if (report->as_json)
		report->owners = owners;
	else
		print_owners(&owners);
	if (r < 0 || !report->as_json)
		free_owners(&owners);
	return r;
}

// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "cli/common/columns.h"
#include "cli/common/command.h"
#include "cli/common/option-names.h"
#include "cli/common/json-print.h"
#include "cli/common/report.h"
#include "cli/fstab/check-fstab.h"
#include "lib/base/error.h"

enum { OPTION_JSON = LONG_ONLY, OPTION_WRITE, OPTION_FSTAB };

static const struct option_row options[] = {
	{ OPTION_JSON, "json", NULL, "print a JSON object" },
	{ OPTION_WRITE, "write", NULL, "also create an invisible file, and compare its IDs" },
	{ OPTION_FSTAB, "fstab", NULL,
	  "report faults in the lines for ID-mapped mounts of each FILE\n"
	  "(/etc/fstab without one; a unit if it ends in .mount)" },
	{ 0 },
};

static const char details[] =
	"Without PATH, reports what this kernel supports. With PATH, reports whether it can be ID-mapped,\n"
	"and the reason if not; the exit status is 1 if one cannot.\n";

/* ---- the kernel ---- */

/* "mounts can be ID-mapped: Operation not permitted" */
static void add_description(struct table *table, const struct idm_feature_info *f)
{
	const char *why = f->hint ? f->hint : idm_errno_text(f->errnum);
	size_t size = strlen(f->what) + strlen(why) + sizeof(": ");
	char *text = malloc(size);

	if (text)
		snprintf(text, size, f->available ? "%s" : "%s: %s", f->what, why);
	else
		table->failed = true;
	if (text)
		table_cell(table, text);
	free(text);
}

static int feature_row(const struct idm_feature_info *f, void *data)
{
	struct table *table = data;

	table_cell(table, f->available ? "yes" : "no");
	table_cell(table, f->name);
	table_cell(table, f->since);
	add_description(table, f);
	return 0;
}

static int feature_json(const struct idm_feature_info *f, void *data)
{
	struct json *json = data;

	json_open(json, NULL, '{');
	json_add_string(json, "name", f->name);
	json_add_string(json, "what", f->what);
	json_add_string(json, "since", f->since);
	json_add_bool(json, "available", f->available);
	json_add_string(json, "error", f->available ? NULL : idm_errno_name(f->errnum));
	json_add_string(json, "hint", f->hint);
	json_close(json);
	return 0;
}

static int print_feature_table(void)
{
	struct table table = { .columns = 4, .fold_last = true };

	table_cell(&table, "HERE");
	table_cell(&table, "FEATURE");
	table_cell(&table, "SINCE");
	table_cell(&table, "WHAT");
	idm_features(0, feature_row, &table, NULL);
	if (table_print(&table))
		return DONE;
	return out_of_memory();
}

/* ---- paths ---- */

static bool is_good(const struct idm_check_result *check, bool write)
{
	return check->mappable && (!write || check->writable);
}

static int print_path(const char *path, const struct idm_check_result *check, bool write,
		      const struct idm_error *why)
{
	if (!is_good(check, write))
		return report_error(why);
	return print_line("%s: %s: can be ID-mapped%s%s", path, check->fstype,
			  check->mapped ? " again (--remap, --on-top): it is mapped already" : "",
			  !write ? ""
			  : check->disk_id_checked
				  ? ", and written with the right IDs on disk"
				  : ", and written; the ID on disk cannot be read here");
}

static void add_path_json(struct json *json, const char *path, const struct idm_check_result *check,
			  bool write, const struct idm_error *why)
{
	bool good = is_good(check, write);
	char *hint = good || !why->hint[0] ? NULL : hint_with_options(why->hint);
	char reason[sizeof(why->message)];

	json_open(json, NULL, '{');
	json_add_name(json, "path", path);
	json_add_name(json, "fstype", check->fstype);
	json_add_bool(json, "mappable", check->mappable);
	json_add_bool(json, "mapped", check->mapped);
	if (write) {
		json_add_bool(json, "writable", check->writable);
		json_add_bool(json, "diskIdChecked", check->disk_id_checked);
	}
	json_add_string(json, "error", good ? NULL : idm_errno_name(why->errnum));
	if (!good)
		idm_error_part(why, why->reason, reason, sizeof(reason));
	json_add_string(json, "reason", good ? NULL : reason);
	json_add_string(json, "hint", hint);
	free(hint);
	json_close(json);
}

static int check_path(const char *path, bool write, struct json *json)
{
	struct idm_check_result check = IDM_CHECK_RESULT_INIT;
	struct idm_error why, err;

	if (!*path) /* to the library, that is a directory descriptor */
		return report_usage("PATH is empty");

	if (idm_check_path(AT_FDCWD, path, write ? IDM_CHECK_WRITE : 0, &check, &why, &err) < 0) {
		if (!json)
			return report_error(&err);
		check = (struct idm_check_result)IDM_CHECK_RESULT_INIT;
		why = err;
	}
	if (!json)
		return print_path(path, &check, write, &why);
	add_path_json(json, path, &check, write, &why);
	return is_good(&check, write) ? DONE : FAILED;
}

/* ---- the command ---- */

static void begin_report(struct json *json)
{
	struct utsname name;

	uname(&name);
	json_open(json, NULL, '{');
	json_add_string(json, "kernel", name.release);
	json_open(json, "features", '[');
	idm_features(0, feature_json, json, NULL);
	json_close(json);
	json_open(json, "paths", '[');
}

static int check_fstabs(char **file, size_t n)
{
	size_t lines = 0;
	int status = n ? DONE : check_fstab("/etc/fstab", &lines);

	for (size_t i = 0; i < n; i++)
		if (check_fstab(file[i], &lines) != DONE)
			status = FAILED;
	if (print_line("%zu line%s checked", lines, lines == 1 ? "" : "s") != DONE)
		status = FAILED;
	return status;
}

static int run_check(int argc, char **argv)
{
	struct arguments a = { .command = &command_check, .argc = argc, .argv = argv };
	struct json report = { 0 };
	bool json = false, write = false, fstab = false;
	int letter, status = DONE;
	char **path;
	size_t n;

	while ((letter = next_command_option(&a)) > 0) {
		json |= letter == OPTION_JSON;
		write |= letter == OPTION_WRITE;
		fstab |= letter == OPTION_FSTAB;
	}
	if (letter < 0)
		return letter == OPTION_HELP ? DONE : USAGE;
	n = operands(&a, &path);
	if (fstab && (json || write))
		return report_usage("--fstab excludes --json and --write");
	if (fstab)
		return check_fstabs(path, n);
	if (write && !n)
		return report_usage("--write: a PATH is missing");
	if (json)
		begin_report(&report);
	else if (!n)
		return print_feature_table();
	for (size_t i = 0; i < n; i++) {
		int one = check_path(path[i], write, json ? &report : NULL);

		status = one > status ? one : status;
	}
	if (json)
		json_print(&report);
	return status;
}

const struct command command_check = {
	.name = "check",
	.operands = "[PATH...|FILE...]",
	.summary = "report what this kernel supports, and whether PATH can be ID-mapped",
	.details = details,
	.options = options,
	.run = run_check,
};

// SPDX-License-Identifier: MIT
#include <string.h>

#include "cli/common/command.h"
#include "cli/common/idmap-options.h"
#include "cli/common/mount.h"
#include "cli/common/report.h"
#include "cli/common/dry-run.h"
#include "cli/common/suggest.h"
#include "lib/base/macros.h"

enum {
	OPTION_MKDIR = OPTION_OF_COMMAND,
	OPTION_REPLACE,
	OPTION_ROOT,
	OPTION_REMAP,
	OPTION_ON_TOP,
	OPTION_SKIP
};

static const struct option_row options[] = {
	MAP_OPTIONS,
	{ 'o', "options", "OPTIONS",
	  "ro nosuid nodev noexec nosymfollow relatime noatime\n"
	  "strictatime nodiratime, their opposites rw suid dev exec\n"
	  "symfollow norelatime atime nostrictatime diratime, and\n"
	  "one of private slave shared unbindable; separated by\n"
	  "commas" },
	{ 't', "type", "TYPE", "the filesystem's type, if SOURCE is a block device" },
	{ 'R', "recursive", NULL, "with all mounts below SOURCE" },
	{ OPTION_SKIP, "skip-unmappable", NULL,
	  "leave out mounts that cannot be ID-mapped; requires -R" },
	{ OPTION_REMAP, "remap", NULL, "replace the map of a SOURCE that is ID-mapped already" },
	{ OPTION_ON_TOP, "on-top", NULL, "put the new map on top of the old one: DISK is a seen ID" },
	{ OPTION_MKDIR, "mkdir", NULL, "create TARGET if it is missing" },
	{ OPTION_REPLACE, "replace", NULL, "replace the mount at TARGET, in one step" },
	{ OPTION_ROOT, "root", "DIR", "resolve TARGET below DIR; no symbolic link leads out of it" },
	TRIAL_OPTIONS,
	{ 0 },
};

static int report_mount_option(const char *option, size_t n)
{
	AUTO_FREE char *name = strndup(option, n);
	struct suggestion s = { .word = name };

	if (has_wrong_value(option, n))
		return report_wrong_value("-o ", option, n);
	if (!name)
		return out_of_memory();
	suggest_mount_options(&s);
	return report_unknown_word(&s, "-o ", "option", "\"idmount help mount\"");
}

static int parse_mount_options(struct mount_options *mount_options, const char *list)
{
	for (const char *option = list;;) {
		size_t n = strcspn(option, ",");

		if (!add_mount_option(mount_options, option, n))
			return report_mount_option(option, n);
		option += n;
		if (!*option++)
			return DONE;
	}
}

static int parse_option_of_mount(struct mount_request *request, struct map_request *maps, int letter,
				 const char *value)
{
	switch (letter) {
	case 'o':
		return parse_mount_options(&request->mount_options, value);
	case 't':
		request->type = value;
		return DONE;
	case 'R':
		request->recursive = true;
		return DONE;
	case OPTION_SKIP:
		request->skip_unmappable = true;
		return DONE;
	case OPTION_REMAP:
		request->mapped_flags |= IDM_TREE_REMAP;
		return DONE;
	case OPTION_ON_TOP:
		request->mapped_flags |= IDM_TREE_ON_TOP;
		return DONE;
	case OPTION_MKDIR:
		request->mkdir = true;
		return DONE;
	case OPTION_REPLACE:
		request->replace = true;
		return DONE;
	case OPTION_ROOT:
		request->root = value;
		return DONE;
	case OPTION_DRY_RUN:
		request->dry_run = true;
		return DONE;
	case 'v':
		report_steps();
		return DONE;
	default:
		return add_map_option(maps, letter, value);
	}
}

static int run_mount(int argc, char **argv)
{
	struct arguments a = { .command = &command_mount, .argc = argc, .argv = argv };
	AUTO_MAP_REQUEST struct map_request maps = { 0 };
	struct mount_request request = { .suid_options = "suid,dev", .type_option = "-t" };
	int letter, status;
	char **operand;

	while ((letter = next_command_option(&a)) > 0) {
		status = parse_option_of_mount(&request, &maps, letter, a.value);
		if (status != DONE)
			return status;
	}
	if (letter < 0)
		return letter == OPTION_HELP ? DONE : USAGE;
	if (operands(&a, &operand) != 2)
		return report_operands(&a, "SOURCE and TARGET");
	if (!*operand[0] || !*operand[1]) /* to the library, an empty path is a directory descriptor */
		return report_usage("%s is empty", *operand[0] ? "TARGET" : "SOURCE");
	if (request.mapped_flags == (IDM_TREE_REMAP | IDM_TREE_ON_TOP))
		return report_usage("--remap and --on-top exclude each other");
	if (request.skip_unmappable && !request.recursive)
		return report_usage("--skip-unmappable requires -R");
	if (maps.owner_text && request.mapped_flags & IDM_TREE_REMAP)
		return refuse_owner_of_mapped("", "--remap");
	status = complete_map_of_source(&maps, HOW_TO_GIVE_A_MAP, operand[0]);
	if (status != DONE)
		return status;
	request.source = operand[0];
	request.target = operand[1];
	request.map = maps.map;
	request.keep_rest = maps.keep_rest;
	if (!request.dry_run)
		return do_mount(&request);
	status = begin_dry_run();
	return status == DONE ? end_dry_run(do_mount(&request), request.target) : status;
}

const struct command command_mount = {
	.name = "mount",
	.operands = "SOURCE TARGET",
	.summary = "show SOURCE at TARGET with other owners",
	.details = map_details,
	.options = options,
	.run = run_mount,
};

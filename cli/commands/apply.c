// SPDX-License-Identifier: MIT
#include <string.h>

#include "cli/common/apply.h"
#include "cli/common/command.h"
#include "cli/common/idmap-options.h"
#include "cli/common/report.h"

enum { OPTION_FORMAT = OPTION_OF_COMMAND, OPTION_UPPER_IDS, OPTION_JOURNAL, OPTION_MKDIR };

static const struct option_row options[] = {
	{ OPTION_FORMAT, "format", "containerd|oci",
	  "the format of FILE: a mount list of containerd, or\n"
	  "config.json of an OCI bundle; by default its form decides" },
	MAP_OPTIONS,
	{ OPTION_UPPER_IDS, "upper-ids", "shifted|disk",
	  "which IDs upper directories store, see \"help overlay\"" },
	{ OPTION_JOURNAL, "journal", "FILE",
	  "write a journal of the created mounts, for \"idmount undo\"" },
	{ OPTION_MKDIR, "mkdir", NULL, "create TARGET, and targets below it, if they are missing" },
	TRIAL_OPTIONS,
	{ 0 },
};

static const char details[] =
	"FILE is JSON, - is standard input; relative paths in it begin at its directory. The map\n"
	"is for mounts to which FILE assigns none: of a mount list, binds, overlays and\n"
	"filesystems on devices; of a bundle, the root filesystem.\n"
	"idmount puts everything together out of sight, and it appears at TARGET at once.\n"
	"  idmount apply -m 0:100000:65536 --journal /run/box.mounts mounts.json /run/box/root\n"
	"  idmount undo --journal /run/box.mounts\n"
	"\n";

struct request {
	struct apply_request apply;
	struct map_request maps;
};

static int parse_apply_option(struct request *q, int letter, const char *value)
{
	switch (letter) {
	case OPTION_FORMAT:
		q->apply.how.format = *value == 'o' ? IDM_PLAN_READ_OCI : IDM_PLAN_READ_CONTAINERD;
		return DONE;
	case OPTION_UPPER_IDS:
		q->apply.apply.upper_ids = parse_upper_ids(value);
		return DONE;
	case OPTION_JOURNAL:
		if (!*value)
			return report_usage("--journal: the file's name is empty");
		q->apply.apply.journal = value;
		return DONE;
	case OPTION_MKDIR:
		q->apply.apply.flags |= IDM_PLAN_APPLY_MKDIR;
		return DONE;
	case OPTION_DRY_RUN:
		q->apply.dry_run = true;
		return DONE;
	case 'v':
		report_steps();
		return DONE;
	default:
		return add_map_option(&q->maps, letter, value);
	}
}

static int handle_apply(struct request *q, struct arguments *a)
{
	int letter, status;
	char **operand;

	while ((letter = next_command_option(a)) > 0) {
		status = parse_apply_option(q, letter, a->value);
		if (status != DONE)
			return status;
	}
	if (letter < 0)
		return letter == OPTION_HELP ? DONE : USAGE;
	if (operands(a, &operand) != 2)
		return report_operands(a, "FILE and TARGET");
	if (!*operand[0] || !*operand[1])
		return report_usage("%s is empty", *operand[0] ? "TARGET" : "FILE");
	if (q->maps.given || q->maps.keep_rest) {
		status = complete_map(&q->maps, HOW_TO_GIVE_A_MAP);
		if (status != DONE)
			return status;
	}
	report_map_step(q->maps.map);
	q->apply.how.map = q->maps.map;
	return do_apply(&q->apply, operand[0], operand[1]);
}

static int run_apply(int argc, char **argv)
{
	struct arguments a = { .command = &command_apply, .argc = argc, .argv = argv };
	struct request q = { .apply = APPLY_REQUEST_INIT };
	int status = handle_apply(&q, &a);

	apply_request_free(&q.apply);
	map_request_free(&q.maps);
	return status;
}

const struct command command_apply = {
	.name = "apply",
	.operands = "FILE TARGET",
	.summary = "mount the root filesystem that a mount list describes",
	.details = details,
	.options = options,
	.run = run_apply,
};

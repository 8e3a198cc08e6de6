// SPDX-License-Identifier: MIT
#include "cli/common/apply.h"
#include "cli/common/command.h"
#include "cli/common/report.h"

enum { OPTION_RECORD = LONG_ONLY, OPTION_LAZY };

static const struct option_row options[] = {
	{ OPTION_RECORD, "record", "FILE",
	  "what \"idmount apply --record\" wrote; it is removed at the end" },
	{ OPTION_LAZY, "lazy", NULL, "detach now, also when in use" },
	{ 0 },
};

static int run_undo(int argc, char **argv)
{
	struct arguments a = { .command = &command_undo, .argc = argc, .argv = argv };
	const char *record = NULL;
	unsigned int flags = 0;
	char **operand;
	int letter;

	while ((letter = next_command_option(&a)) > 0) {
		if (letter == OPTION_RECORD)
			record = a.value;
		else
			flags |= IDM_PLAN_UNDO_LAZY;
	}
	if (letter < 0)
		return letter == -2 ? DONE : USAGE;
	if (operands(&a, &operand))
		return report_usage("%s: no operand is wanted; the file is given with --record",
				    operand[0]);
	if (!record || !*record)
		return report_usage("--record FILE is missing");
	return do_undo(record, flags);
}

const struct command command_undo = {
	.name = "undo",
	.operands = "",
	.summary = "undo what was applied, by its record",
	.options = options,
	.run = run_undo,
};

// SPDX-License-Identifier: MIT
#include "cli/common/apply.h"
#include "cli/common/command.h"
#include "cli/common/report.h"

enum { OPTION_JOURNAL = LONG_ONLY, OPTION_LAZY };

static const struct option_row options[] = {
	{ OPTION_JOURNAL, "journal", "FILE",
	  "the journal of \"idmount apply\"; it is removed at the end" },
	{ OPTION_LAZY, "lazy", NULL, "detach now, also when in use" },
	{ 0 },
};

static int run_undo(int argc, char **argv)
{
	struct arguments a = { .command = &command_undo, .argc = argc, .argv = argv };
	const char *journal = NULL;
	unsigned int flags = 0;
	char **operand;
	int letter;

	while ((letter = next_command_option(&a)) > 0) {
		if (letter == OPTION_JOURNAL)
			journal = a.value;
		else
			flags |= IDM_PLAN_UNDO_LAZY;
	}
	if (letter < 0)
		return letter == OPTION_HELP ? DONE : USAGE;
	if (operands(&a, &operand))
		return report_usage("%s: expected no operand; --journal names the file", operand[0]);
	if (!journal || !*journal)
		return report_usage("--journal FILE is missing");
	return do_undo(journal, flags);
}

const struct command command_undo = {
	.name = "undo",
	.operands = "",
	.summary = "undo what was applied, by its journal",
	.options = options,
	.run = run_undo,
};

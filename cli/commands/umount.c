// SPDX-License-Identifier: MIT
#include <fcntl.h>

#include "cli/common/command.h"
#include "cli/common/report.h"

enum { OPTION_LAZY = LONG_ONLY };

static const struct option_row options[] = {
	{ 'R', "recursive", NULL, "also every mount below TARGET" },
	{ OPTION_LAZY, "lazy", NULL, "detach now, also when in use" },
	{ 0 },
};

static int run_umount(int argc, char **argv)
{
	struct arguments a = { .command = &command_umount, .argc = argc, .argv = argv };
	unsigned int flags = 0;
	int letter, status = DONE;
	char **target;
	size_t n;

	while ((letter = next_command_option(&a)) > 0)
		flags |= letter == 'R' ? IDM_UMOUNT_RECURSIVE : IDM_UMOUNT_LAZY;
	if (letter < 0)
		return letter == OPTION_HELP ? DONE : USAGE;
	n = operands(&a, &target);
	if (!n)
		return report_usage("a TARGET is missing; see \"idmount help umount\"");
	for (size_t i = 0; i < n; i++) {
		struct idm_error err;

		if (idm_umount(AT_FDCWD, target[i], flags, &err) < 0)
			status = report_error(&err);
	}
	return status;
}

const struct command command_umount = {
	.name = "umount",
	.operands = "TARGET...",
	.summary = "undo mounts",
	.options = options,
	.run = run_umount,
};

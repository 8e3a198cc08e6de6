// SPDX-License-Identifier: MIT
/* Whole command lines of idmount. Each line of the input is an argument. */
#include <string.h>

#include "cli/common/report.h"
#include "cli/run/run.h"
#include "commands.h"

int idmount_main(int argc, char **argv);

/* These commands report for each operand. */
static const char *const several[] = { "umount", "list", "check", "explain", NULL };

static bool is_word_of(const char *word, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(word, *words) == 0)
			return true;
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const first[] = { "idmount", NULL };
	int argc, status;
	char **argv = arguments_of(first, data, size, &argc);
	bool run = argc > 1 && strcmp(argv[1], "run") == 0;
	/* A line and its hint. Some commands print them for each operand. */
	size_t most = argc > 1 && is_word_of(argv[1], several) ? 2 * (size_t)argc : 2;

	status = run_main(idmount_main, "idmount", most, argc, argv);
	if (run)
		CHECK(status == DONE || status == RUN_FAILED);
	else
		CHECK(status == DONE || status == FAILED || status == USAGE);
	free_arguments(argv);
	return 0;
}

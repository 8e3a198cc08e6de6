// SPDX-License-Identifier: MIT
/*
 * The command line that mount(8) passes to its helper. The first line of the input is the list of
 * options behind -o. The others are further arguments.
 */
#include <string.h>

#include "commands.h"

int mount_idmap_main(int argc, char **argv);

/* With -f the helper mounts nothing, so it must not report a failed mount. */
static void check_fake(const uint8_t *data, size_t size)
{
	static const char *const first[] = { "mount.idmap", "/source", "/target", "-f", "-o", NULL };
	int argc, status;
	char **argv = arguments_of(first, data, size, &argc);

	status = run_main(mount_idmap_main, "mount.idmap", 2, argc, argv);
	/* 32: an unknown name. */
	CHECK(status == 0 || status == 1 || status == 32);
	free_arguments(argv);
}

static void check_real(const uint8_t *data, size_t size)
{
	static const char *const first[] = { "mount.idmap", "/source", "/target", "-o", NULL };
	int argc, status;
	char **argv = arguments_of(first, data, size, &argc);

	status = run_main(mount_idmap_main, "mount.idmap", 2, argc, argv);
	CHECK(status == 0 || status == 1 || status == 2 || status == 32);
	free_arguments(argv);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_fake(data, size);
	check_real(data, size);
	return 0;
}

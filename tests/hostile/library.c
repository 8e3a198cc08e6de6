// SPDX-License-Identifier: MIT
/*
 * Calls the library, without the command. Starts a program in a root filesystem, with mounts that the
 * attacker has chosen.
 *
 *	library ROOT MAP SOURCE TARGET COMMAND [ARGUMENT]...
 *
 * With an empty MAP the program stays in the caller's user namespace.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "idmount.h"

static int fail(const struct idm_error *err)
{
	fprintf(stderr, "library: %s\n", err->message);
	return 125;
}

static int open_tree_of(const char *path, const struct idm_map *map, struct idm_error *err)
{
	struct idm_tree_options o = IDM_TREE_OPTIONS_INIT;
	int userns = map ? idm_userns_open(map, 0, err) : -1;

	return map && userns < 0 ? userns : idm_tree_open(AT_FDCWD, path, userns, &o, err);
}

static int run(struct idm_child_options *o, struct idm_error *err)
{
	struct idm_exit_info end;
	int pidfd = idm_child_start(o, err);

	if (pidfd < 0 || idm_child_wait(pidfd, -1, &end, err) < 0)
		return fail(err);
	return 0;
}

int main(int argc, char **argv)
{
	static const char *const no_env[] = { NULL };
	struct idm_child_options o = IDM_CHILD_OPTIONS_INIT;
	struct idm_child_mount mount = { 0 };
	struct idm_map *map = NULL;
	struct idm_error err;

	if (argc < 6)
		return 2;
	if (*argv[2] && (idm_map_new(&map) < 0 || idm_map_parse(map, argv[2], 0, &err) < 0))
		return fail(&err);
	o.root_fd = open_tree_of(argv[1], map, &err);
	mount.tree_fd = o.root_fd < 0 ? -1 : open_tree_of(argv[3], NULL, &err);
	if (mount.tree_fd < 0)
		return fail(&err);
	mount.target = argv[4];
	mount.flags = IDM_CHILD_MOUNT_MKDIR;
	o.map = map;
	o.namespaces = IDM_NS_MOUNT | IDM_NS_PID;
	o.mounts = &mount;
	o.n_mounts = 1;
	o.envp = no_env;
	o.path = argv[5];
	o.argv = (const char *const *)&argv[5];
	return run(&o, &err);
}

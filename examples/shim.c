/* SPDX-License-Identifier: MIT */
/*
 * What a container shim is at its core: it starts programs in namespaces of their own, on a root
 * filesystem with other owners, and hears of the end of each exactly once, whatever else in the program
 * waits for children.
 *
 *   cc -o shim shim.c $(pkg-config --cflags --libs idmount)
 *   sudo ./shim 0:100000:65536 /srv/root 'exit 3' 'kill -9 $$'
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include <idmount.h>

/* The root filesystem as a detached tree. Each child uses one up. */
static int open_root(const char *path, const struct idm_map *map, struct idm_error *err)
{
	int userns = idm_userns_open(map, 0, err), tree;

	if (userns < 0)
		return userns;
	tree = idm_tree_open(AT_FDCWD, path, userns, NULL, err);
	close(userns);
	return tree;
}

static int start(const char *command, const char *root, const struct idm_map *map, struct idm_error *err)
{
	const char *const argv[] = { "sh", "-c", command, NULL };
	const char *const env[] = { "PATH=/bin:/usr/bin", NULL };
	const struct idm_child_mount proc = { .target = "/proc", .fstype = "proc", .tree_fd = -1 };
	struct idm_child_options o = IDM_CHILD_OPTIONS_INIT;
	int pidfd;

	o.root_fd = open_root(root, map, err);
	if (o.root_fd < 0)
		return o.root_fd;
	o.flags = IDM_CHILD_UNDER_INIT | IDM_CHILD_DIE_WITH_THREAD;
	o.path = "/bin/sh";
	o.argv = argv;
	o.envp = env;
	o.map = map;
	o.namespaces = IDM_NS_MOUNT | IDM_NS_PID | IDM_NS_IPC | IDM_NS_UTS;
	o.mounts = &proc;
	o.n_mounts = 1;
	pidfd = idm_child_start(&o, err);
	close(o.root_fd);
	return pidfd;
}

/* Starts each, and then prints the exits as they come. */
static int serve(struct idm_reaper *reaper, const struct idm_map *map, char **argv, int n,
		 struct idm_error *err)
{
	struct idm_exit_info end;
	void *command;
	int r = 0;

	for (int i = 0; i < n && r >= 0; i++) {
		int pidfd = start(argv[i], argv[-1], map, err);

		r = pidfd < 0 ? pidfd : idm_reaper_add(reaper, pidfd, 0, argv[i], err);
		if (pidfd >= 0)
			close(pidfd); /* the reaper has its own */
	}
	for (int i = 0; i < n && r >= 0; i++) {
		r = idm_reaper_next(reaper, -1, &end, &command, err);
		if (r == 0)
			printf("%s: %s %d\n", (char *)command,
			       end.code == CLD_EXITED ? "status" : "signal", end.status);
	}
	return r < 0 ? r : 0;
}

int main(int argc, char **argv)
{
	struct idm_reaper *reaper = NULL;
	struct idm_map *map = NULL;
	struct idm_error err = { 0 };
	int r;

	if (argc < 4) {
		fprintf(stderr, "usage: %s MAP ROOT COMMAND...\n", argv[0]);
		return 2;
	}
	r = idm_reaper_new(&reaper, &err);
	if (r == 0)
		r = idm_map_new(&map);
	if (r == 0)
		r = idm_map_parse(map, argv[1], 0, &err);
	if (r == 0)
		r = serve(reaper, map, argv + 3, argc - 3, &err);
	if (r < 0)
		fprintf(stderr, "%s: %s\n", argv[0], err.message);
	idm_map_free(map);
	idm_reaper_free(reaper);
	return r < 0;
}

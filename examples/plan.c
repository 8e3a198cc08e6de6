/* SPDX-License-Identifier: MIT */
/*
 * Does what a shim does with the mount list that containerd hands it: the root filesystem appears at
 * once, with other owners, and disappears again by the journal of what was created.
 *
 *   cc -o plan plan.c $(pkg-config --cflags --libs idmount)
 *   sudo ./plan apply 0:100000:65536 /run/box/root /run/box.mounts <mounts.json
 *   sudo ./plan undo /run/box.mounts
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include <idmount.h>

/* The list on standard input, with the map for mounts that have none. */
static int read_list(struct idm_plan *plan, const struct idm_map *map, struct idm_error *err)
{
	static char text[1 << 20];
	struct idm_plan_read_options how = IDM_PLAN_READ_OPTIONS_INIT;
	size_t n = fread(text, 1, sizeof(text), stdin);

	how.format = IDM_PLAN_READ_CONTAINERD;
	how.map = map;
	return idm_plan_read(plan, text, n, &how, err);
}

static int apply(const char *map_text, const char *target, const char *journal, struct idm_error *err)
{
	struct idm_plan_apply_options options = IDM_PLAN_APPLY_OPTIONS_INIT;
	struct idm_plan *plan = NULL;
	struct idm_map *map = NULL;
	int r = idm_plan_new(&plan);

	options.flags =
		IDM_PLAN_APPLY_MKDIR; /* the target, and what is mounted in it, if it is missing */
	options.journal = journal;
	if (r == 0)
		r = idm_map_new(&map);
	if (r == 0)
		r = idm_map_parse(map, map_text, 0, err);
	if (r == 0)
		r = read_list(plan, map, err);
	if (r == 0)
		r = idm_plan_apply(plan, AT_FDCWD, target, &options, err);
	idm_map_free(map);
	idm_plan_free(plan);
	return r;
}

int main(int argc, char **argv)
{
	struct idm_error err = { 0 };
	int r;

	if (argc == 5 && strcmp(argv[1], "apply") == 0) {
		r = apply(argv[2], argv[3], argv[4], &err);
	} else if (argc == 3 && strcmp(argv[1], "undo") == 0) {
		r = idm_plan_undo(argv[2], 0, &err);
	} else {
		fprintf(stderr, "usage: %s apply MAP TARGET JOURNAL <LIST, or %s undo JOURNAL\n",
			argv[0], argv[0]);
		return 2;
	}
	if (r < 0)
		fprintf(stderr, "%s: %s\n", argv[0], err.message);
	return r < 0;
}

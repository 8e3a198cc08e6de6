/* SPDX-License-Identifier: MIT */
/*
 * Shows a directory at another place, with other owners.
 *
 *   cc -o mount mount.c $(pkg-config --cflags --libs idmount)
 *   sudo ./mount 0:100000:65536 /srv/image /run/box/root
 *   sudo umount /run/box/root
 *
 * The map says disk:seen:count. What belongs to 0 (root) on disk belongs to 100000 at the new place, 1
 * to 100001, and so on; what is made there by 100000 is stored as 0. Nothing on disk is changed by
 * mounting.
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <idmount.h>

/* A detached copy of the source, with the map. No other process can see it, and closing it undoes
 * everything. */
static int open_mapped(const struct idm_map *map, const char *source, struct idm_error *err)
{
	struct idm_tree_options options = IDM_TREE_OPTIONS_INIT;
	int userns, tree;

	/*
	 * A setuid program is the program of whom it seems to belong to. Where that is not the owner on
	 * disk, it should better not be one.
	 */
	options.attr_set = IDM_ATTR_NOSUID | IDM_ATTR_NODEV;

	userns = idm_userns_open(map, 0, err);
	if (userns < 0)
		return userns;
	tree = idm_tree_open(AT_FDCWD, source, userns, &options, err);
	close(userns); /* the tree has a copy of the map */
	return tree;
}

static int mount_mapped(const char *text, const char *source, const char *target, struct idm_error *err)
{
	struct idm_attach_options attach = IDM_ATTACH_OPTIONS_INIT;
	struct idm_map *map;
	int tree, r;

	r = idm_map_new(&map);
	if (r < 0)
		return r;
	/* With IDM_MAP_PARSE_LOOKUP in place of 0 it accepts names too: "alice:bob", "auto:alice". */
	r = idm_map_parse(map, text, 0, err);
	tree = r < 0 ? r : open_mapped(map, source, err);
	idm_map_free(map);
	if (tree < 0)
		return tree;

	/* The one step that can be seen. IDM_ATTACH_MKDIR creates the target if it is missing. */
	attach.flags = IDM_ATTACH_MKDIR;
	r = idm_tree_attach(tree, AT_FDCWD, target, &attach, err);
	close(tree);
	return r;
}

int main(int argc, char **argv)
{
	struct idm_error err = { .message = "out of memory" };

	if (argc != 4) {
		fprintf(stderr, "usage: %s MAP SOURCE TARGET\n", argv[0]);
		return 2;
	}
	if (mount_mapped(argv[1], argv[2], argv[3], &err) < 0) {
		fprintf(stderr, "%s: %s\n", argv[0], err.message);
		if (err.hint[0])
			fprintf(stderr, "hint: %s\n", err.hint);
		return 1;
	}
	return 0;
}

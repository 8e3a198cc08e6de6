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
 * mounting. The other examples call the functions behind idm_mount() one by one.
 */
#include <stdio.h>

#include <idmount.h>

int main(int argc, char **argv)
{
	struct idm_mount_options options = IDM_MOUNT_OPTIONS_INIT;
	struct idm_error err;

	if (argc != 4) {
		fprintf(stderr, "usage: %s MAP SOURCE TARGET\n", argv[0]);
		return 2;
	}
	/* Creates the target if it is missing. */
	options.flags = IDM_ATTACH_MKDIR;
	/*
	 * A setuid program is the program of whom it seems to belong to. Where that is not the owner on
	 * disk, it should better not be one.
	 */
	options.attr_set = IDM_ATTR_NOSUID | IDM_ATTR_NODEV;
	/* With IDM_MAP_PARSE_LOOKUP in options.map_flags the map can have names: "alice:bob", "auto:alice". */
	if (idm_mount(argv[1], argv[2], argv[3], &options, &err) < 0) {
		fprintf(stderr, "%s: %s\n", argv[0], err.message);
		if (err.hint[0])
			fprintf(stderr, "hint: %s\n", err.hint);
		return 1;
	}
	return 0;
}

/* SPDX-License-Identifier: MIT */
/* A whole mount, from the map to the attached tree. "idmount mount" and mount.idmap both use this. */
#ifndef IDM_CLI_COMMON_MOUNT_H
#define IDM_CLI_COMMON_MOUNT_H

#include <stdbool.h>

#include "mount-options.h"

struct mount_request {
	const char *source, *target;
	const char *root;	 /* NULL: the target is not confined */
	const char *type;	 /* of the filesystem on a device; NULL: blkid(8) finds it out */
	const char *type_option; /* that names the type, for a message */
	const struct idm_map *map;
	bool keep_rest; /* the map has what that adds */
	struct mount_options mount_options;
	const char *suid_options; /* that allow setuid and device files, for a note */
	bool recursive, mkdir, replace;
	bool skip_unmappable; /* with recursive: leave out mounts below that cannot be mapped */
	bool dry_run;	      /* the caller is in a mount namespace that vanishes; create no directory */
	bool no_programs;     /* findfs(8) and blkid(8) are another namespace's */
	unsigned int mapped_flags; /* IDM_TREE_REMAP or ON_TOP, for a source that is mapped already */
};

/* Returns the exit status; failures have been reported. */
int do_mount(const struct mount_request *request);

#endif

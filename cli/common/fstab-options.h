/* SPDX-License-Identifier: MIT */
/* The options of the type idmap, in -o of mount.idmap and in the fourth field of fstab. */
#ifndef IDM_CLI_COMMON_FSTAB_OPTIONS_H
#define IDM_CLI_COMMON_FSTAB_OPTIONS_H

#include "idmap-options.h"
#include "mount.h"

/* Begins as { 0 }. The caller frees `maps`. */
struct fstab_options {
	struct mount_request mount;
	struct map_request maps;
	bool sloppy; /* unknown options are ignored */
	bool nofail;
};

/* Adds a list of options, which is modified. Returns DONE, or reports and returns the exit status. */
int parse_fstab_options(struct fstab_options *options, char *list);

/* After the last list: sets mount.map, unless the map depends on the source. Returns as above. */
int complete_fstab_options(struct fstab_options *options);

/* Then sets mount.map for the source, which must exist. Returns as above. */
int complete_fstab_owner(struct fstab_options *options, const char *source);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Records of mounts whose map the kernel does not tell, before Linux 6.15. So "mount -a" may run
 * repeatedly there. A record is a file in /run/mount.idmap, one for each target.
 */
#ifndef IDM_CLI_COMMON_MOUNT_RECORD_H
#define IDM_CLI_COMMON_MOUNT_RECORD_H

#include "idmount.h"

enum map_comparison { OTHER_MAP, SAME_MAP, UNKNOWN_MAP };

/*
 * Compares `map` with the record of the mount at `target`. Returns UNKNOWN_MAP if that mount has none. A
 * record is of this boot, and of a mount with the same ID, namespace, target, source and root.
 */
enum map_comparison compare_recorded_map(const char *target, const struct idm_map *map);

/* Records the map of the mount at `target`, if the kernel does not tell it. A failure is a step. */
void record_map(const char *target, const struct idm_map *map);

#endif

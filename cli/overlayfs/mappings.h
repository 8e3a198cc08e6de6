/* SPDX-License-Identifier: MIT */
/*
 * The map of a container, as containers/storage passes it: triples of an ID in the image, an ID of this
 * user namespace and a count. Both count as this user namespace does.
 */
#ifndef IDM_CLI_OVERLAYFS_MAPPINGS_H
#define IDM_CLI_OVERLAYFS_MAPPINGS_H

#include "idmount.h"

/*
 * Adds ":C:H:S[:C:H:S]..." to one side: C as disk ID, H as seen one. containers/storage writes the colon
 * in front. Returns DONE, or reports and returns USAGE. `option` is for messages.
 */
int add_triples(struct idm_map *map, unsigned int kind, const char *option, const char *text);

/*
 * Completes the map to a one-to-one map of all IDs in the disk column of `own`. Its seen column then
 * has the same IDs. Returns DONE, or reports and returns FAILED.
 *
 * The engine works in the mount, too. It changes the owner of the upper directory before the mount, and
 * of files afterwards. An ID without a counterpart would make it fail with EOVERFLOW or EPERM. The
 * container sees no more by that: its user namespace has only the IDs that it was made with.
 */
int complete_mappings(struct idm_map *map, const struct idm_map *own);

/* Whether each ID that the map has appears as itself. */
bool is_identity(const struct idm_map *map);

#endif

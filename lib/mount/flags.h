/* SPDX-License-Identifier: MIT */
/* The flags of each function; idm_mount() has those of both. */
#ifndef IDM_MOUNT_FLAGS_H
#define IDM_MOUNT_FLAGS_H

#include "idmount.h"

#define IDM_TREE_FLAGS                                                               \
	(IDM_TREE_RECURSIVE | IDM_TREE_NOFOLLOW | IDM_TREE_REMAP | IDM_TREE_ON_TOP | \
	 IDM_TREE_EMPTY_PATH | IDM_TREE_SERVICE)

#define IDM_ATTACH_FLAGS \
	(IDM_ATTACH_MKDIR | IDM_ATTACH_REPLACE | IDM_ATTACH_IN_ROOT | IDM_ATTACH_FOLLOW)

#endif

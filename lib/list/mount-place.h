/* SPDX-License-Identifier: MIT */
/* Where a mount is that the caller's mount namespace does not show. For messages: it may look far. */
#ifndef IDM_LIST_MOUNT_PLACE_H
#define IDM_LIST_MOUNT_PLACE_H

#include <stdbool.h>

enum idm_place {
	IDM_PLACE_OWN,	   /* in the caller's mount namespace */
	IDM_PLACE_OTHER,   /* in another one */
	IDM_PLACE_NOWHERE, /* in none: it was unmounted, or is a detached tree */
	IDM_PLACE_UNKNOWN, /* one of the last two: the caller may not look, or cannot before Linux 6.12
			    */
};

/* Of the mount that `fd` (which may be O_PATH) is on. */
enum idm_place idm_place_of(int fd);

/* What is said of such a mount: "is on a mount of another mount namespace". */
const char *idm_place_text(enum idm_place place);

/* Whether what `fd` is was deleted. The kernel lets nothing be mounted on it, nor it on anything. */
bool idm_is_deleted(int fd);

#endif

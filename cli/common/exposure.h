/* SPDX-License-Identifier: MIT */
/*
 * Programs that run as the host's root for every user: a map that shows disk ID 0 as another ID lets
 * that ID store files of root. With a set-user-ID bit they have root's rights at their place on disk,
 * whatever the mapped mount honours (CVE-2021-41103 was such a directory).
 */
#ifndef IDM_CLI_COMMON_EXPOSURE_H
#define IDM_CLI_COMMON_EXPOSURE_H

#include <stdbool.h>
#include <sys/types.h>

#include "mount-options.h"

/* The users that can reach a directory, by the modes of all directories on the way, without root. */
struct reach {
	bool everybody;
	uid_t user;  /* 0: none */
	gid_t group; /* 0: none */
};

/* What was found; all zero before the first look. */
struct exposed {
	const char *path; /* NULL: nothing */
	uint32_t seen;	  /* the ID that can store files of root there */
	struct reach reach;
	size_t more; /* places */
};

/*
 * Whether files of root can be stored at `place` through a mount of it with this map (may be NULL) and
 * these mount options, and run by other users: its own mount is neither nosuid nor noexec, and they
 * reach it. Keeps the place's path. A place that cannot be looked at is left to what opens it.
 */
void look_for_exposure(struct exposed *found, const struct idm_path *place, const struct idm_map *map,
		       const struct mount_options *mount_options);

/* Says so in one line, if there is anything to say. */
void report_exposed(const struct exposed *found);

#endif

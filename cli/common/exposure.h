/* SPDX-License-Identifier: MIT */
/*
 * Programs that run as the host's root for every user. A map that shows disk ID 0 as another ID lets
 * that ID store files of root. With a set-user-ID bit they have root's rights at their place on disk.
 * The options of the mapped mount do not change that (CVE-2021-41103 was such a directory).
 * An ordinary user's own ID is in the same danger.
 */
#ifndef IDM_CLI_COMMON_EXPOSURE_H
#define IDM_CLI_COMMON_EXPOSURE_H

#include <stdbool.h>
#include <sys/types.h>

#include "mount-options.h"

/* The users but the owner that can reach a directory, by the modes of all directories on the way. */
struct reach {
	bool everybody;
	uid_t user;  /* 0: none */
	gid_t group; /* 0: none */
};

/* The findings; all but the owner zero before the first look. */
struct exposed {
	uid_t owner;	  /* of the programs: root, or an ordinary user */
	const char *path; /* NULL: nothing */
	uint32_t seen;	  /* the ID that can store files of the owner there */
	struct reach reach;
	size_t more; /* places */
};

/*
 * Finds out whether files of the owner can be stored at `place` and run by other users. They would be
 * stored through a mount of it with this map (may be NULL) and these mount options. They can be run if
 * the place's own mount is neither nosuid nor noexec, and users reach it. Keeps the place's path. A
 * place that cannot be looked at is left to the function that opens it.
 */
void look_for_exposure(struct exposed *found, const struct idm_path *place, const struct idm_map *map,
		       const struct mount_options *mount_options);

/* Reports the findings in one line, if any exist. */
void report_exposed(const struct exposed *found);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef IDM_BASE_PATH_BELOW_H
#define IDM_BASE_PATH_BELOW_H

/* Returns the rest of `path` below `directory`; NULL: `path` is not in there. */
const char *idm_path_below(const char *path, const char *directory);

#endif

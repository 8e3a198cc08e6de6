/* SPDX-License-Identifier: MIT */
#ifndef IDM_CLI_COMMON_STANDARD_FDS_H
#define IDM_CLI_COMMON_STANDARD_FDS_H

/*
 * Makes each of the descriptors 0, 1 and 2 that is closed /dev/null, before anything else is opened.
 * Else a tree, a namespace or a lock would get its number, and be read, written, or inherited by a
 * program. Returns DONE, or reports and returns FAILED.
 */
int open_standard_fds(void);

#endif

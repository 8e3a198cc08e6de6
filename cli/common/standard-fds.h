/* SPDX-License-Identifier: MIT */
#ifndef IDM_CLI_COMMON_STANDARD_FDS_H
#define IDM_CLI_COMMON_STANDARD_FDS_H

/*
 * Opens /dev/null as each of the descriptors 0, 1 and 2 that is closed, before anything else is opened.
 * A tree, a namespace or a lock would otherwise get its number. A program could then read, write or
 * inherit it. Returns DONE, or reports and returns FAILED.
 */
int open_standard_fds(void);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef IDM_CLI_COMMON_STANDARD_FDS_H
#define IDM_CLI_COMMON_STANDARD_FDS_H

/* Opens those that are closed: see lib/base/standard-fds.h. Returns DONE, or reports and returns FAILED.
 */
int open_standard_fds(void);

#endif

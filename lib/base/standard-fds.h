/* SPDX-License-Identifier: MIT */
#ifndef IDM_BASE_STANDARD_FDS_H
#define IDM_BASE_STANDARD_FDS_H

/*
 * Opens /dev/null as each of the descriptors 0, 1 and 2 that is closed, before a program opens anything
 * else. A tree, a namespace or a lock would otherwise get its number. Another program could then read,
 * write or inherit it. Returns 3, or the number that failed, with errno.
 */
int idm_open_standard_fds(void);

#endif

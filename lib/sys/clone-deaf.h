/* SPDX-License-Identifier: MIT */
#ifndef IDM_SYS_CLONE_DEAF_H
#define IDM_SYS_CLONE_DEAF_H

/*
 * Clones a child, which sends no signal when it exits, and runs `run(arg)` in it. All signals are
 * blocked in it, so that no handler of the caller's runs there. `flags` are CLONE_*. CLONE_VM requires
 * CLONE_VFORK, since the child is on the caller's stack. Returns the number of the child or -errno.
 */
int idm_clone_deaf(int (*run)(void *), int flags, void *arg, int *pidfd);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * A subprocess: a short-lived child does what a process cannot do without changing itself for good (its
 * credentials, its namespaces).
 *
 * The child has a copy of the caller's memory, since other credentials would make a shared one
 * undumpable, but the caller's own descriptor table: what it opens is the caller's. Like the
 * user-namespace child (userns/userns-child.h) it sends no SIGCHLD, no wait(-1) can take it, and it is
 * held by pidfd. It may make system calls only: no malloc, no stdio, since other threads' locks are
 * copied too.
 */
#ifndef IDM_SYS_SUBPROCESS_H
#define IDM_SYS_SUBPROCESS_H

#include <stddef.h>
#include <stdint.h>

struct idm_subprocess {
	int pidfd;
};

/*
 * Runs `run` in a child and returns what that returned: 0, a descriptor or -errno. The child is a zombie
 * then, whose namespaces can still be looked at, until idm_subprocess_end(); call that whatever came
 * back. -ESRCH: the child was killed before it was done. -EBUSY: see idm_procfs_child_would_be_init().
 */
int idm_subprocess_run(struct idm_subprocess *process, int (*run)(void *data), void *data);

/*
 * Clones a child with a copy of the caller's memory, which sends no signal when it exits, and runs
 * `child(arg)` in it. All signals are blocked in it, so that no handler of the caller's runs there. Its
 * stack is not a part of the caller's, which may be a small one. `flags` are CLONE_*. Returns the number
 * of the child or -errno.
 */
int idm_clone_deaf(int (*child)(void *), int flags, void *arg, int *pidfd);

/* Reaps the child. Another thread may have reaped it before. */
void idm_subprocess_end(struct idm_subprocess *process);

/* Both, for callers that do not need the zombie. */
int idm_subprocess(int (*run)(void *data), void *data);

/*
 * For the child itself: becomes the given owner of files, with all capabilities, as the root of a map.
 * Returns 0 or -errno.
 */
int idm_subprocess_set_fsids(uint32_t uid, uint32_t gid);

/*
 * For the child itself: enters a mount namespace of its own, from which no mount propagates. Its root
 * directory is a mount then, whatever the caller's is. Returns 0 or -errno.
 */
int idm_subprocess_new_mount_ns(void);

/* Memory of zeros that both sides see, for an answer of more than one number. NULL: none left. */
void *idm_subprocess_memory(size_t size);
void idm_subprocess_memory_free(void *memory, size_t size);

#endif

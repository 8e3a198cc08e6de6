/* SPDX-License-Identifier: MIT */
/*
 * A subprocess: a short-lived child does what a process cannot do without changing itself for good (its
 * credentials, its namespaces).
 *
 * There are two kinds. One shares the caller's memory, and costs the same whatever the size of that. It
 * must not change the credentials of a library's caller. The other has a copy of the memory, since other
 * credentials would make a shared one undumpable.
 *
 * Both have the caller's own descriptor table: what they open is the caller's. Like the user-namespace
 * child (userns/userns-child.h) they send no SIGCHLD, no wait(-1) can take them, and they are held by
 * pidfd. They may make system calls only: no malloc and no stdio, since other threads hold locks.
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
 * back. -ESRCH: the child was killed before it was done. -EBUSY: see idm_procfs_check_init().
 */
int idm_subprocess_run(struct idm_subprocess *process, int (*run)(void *data), void *data);

/*
 * Runs `run` in a child that shares the caller's memory, and returns what that returned, or -ESRCH and
 * -EBUSY as above. Other threads of the caller run on, this one waits. For work on mounts alone: `run`
 * must not change credentials, nor enter a user namespace, since that sets the dumpable attribute of the
 * caller. A worker of the service is undumpable by intent.
 *
 * `data` has `size` bytes. `run` may write there, and may read everything that it points to. A kernel
 * that does not share the memory gets a child with a copy, from which only these bytes come back.
 */
int idm_subprocess_shared(int (*run)(void *data), void *data, size_t size);

/*
 * The same for a thread that has had a child in the same call of the library, such as that of
 * idm_userns_open(). A PID namespace that it has unshared has its first process then. So this does not
 * look for one without. Also for a caller of idm_procfs_check_init().
 */
int idm_subprocess_shared_again(int (*run)(void *data), void *data, size_t size);

/*
 * The same, but does not wait for the child to exit. The child has left the memory, and its result is
 * final. While the kernel still frees its mount namespace (a grace period of RCU), the caller can work.
 * Call idm_subprocess_end() whatever came back.
 */
int idm_subprocess_run_shared(struct idm_subprocess *process, int (*run)(void *data), void *data,
			      size_t size);

/* Reaps the child. Another thread may have reaped it before. */
void idm_subprocess_end(struct idm_subprocess *process);

/* Both, for callers that do not need the zombie. */
int idm_subprocess(int (*run)(void *data), void *data);

/*
 * For the child itself: enters a mount namespace of its own, from which no mount propagates. Its root
 * directory is a mount then, whatever the caller's is. Returns 0 or -errno.
 */
int idm_subprocess_new_mount_ns(void);

/*
 * For the child itself: opens a descriptor of its mount namespace. `proc` is idm_procfs_root(), opened
 * by the caller. The caller closes the parts, since it shares the descriptor table and may outlive the
 * child. If the child is killed as it opens one, that one stays open.
 */
struct idm_own_mount_ns {
	int proc;
	int self, directory; /* the parts */
	int fd;		     /* the result */
};
#define IDM_OWN_MOUNT_NS_INIT  \
	{                      \
		-1, -1, -1, -1 \
	}
int idm_subprocess_open_mount_ns(struct idm_own_mount_ns *own);
void idm_subprocess_close_parts(struct idm_own_mount_ns *own);

/* Memory of zeros that both sides see, for an answer of more than one number. NULL: none left. */
void *idm_subprocess_memory(size_t size);
void idm_subprocess_memory_free(void *memory, size_t size);

#endif

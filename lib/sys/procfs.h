/* SPDX-License-Identifier: MIT */
/* A procfs that can be trusted to show the process that a pidfd holds. */
#ifndef IDM_SYS_PROCFS_H
#define IDM_SYS_PROCFS_H

#include <sys/types.h>

#include "idmount.h"

/*
 * The /proc directory of the process behind `pidfd`, as an O_PATH descriptor: through /proc if that is
 * a procfs of a PID namespace where both the caller and the process are, else through a private
 * procfs that is mounted nowhere. `to_write`: not through a read-only mount. That the directory is that
 * process's holds only if the pidfd is found alive *afterwards*. -ESRCH: the process has been reaped
 * already.
 */
int idm_procfs_open(int pidfd, bool to_write, struct idm_error *err);

/*
 * The root of a procfs that shows the caller, as an O_PATH descriptor: /proc, else a private one.
 * "thread-self" in it is the calling thread. -ENOENT, -EPERM: /proc cannot be used, and no private one
 * can be made.
 */
int idm_procfs_root(struct idm_error *err);

/* The same, but of the caller's own PID namespace: numbers there are those of pidfd_open(2) and wait(2).
 */
int idm_procfs_own(struct idm_error *err);

/* The number that the process behind `pidfd` has there. -ESRCH: it has been reaped. -ENOENT: none. */
int idm_procfs_number(int proc, int pidfd);

/*
 * The root of /proc, if that is a writable procfs of the initial PID namespace, and this thread makes
 * its children there: numbers in it are those that clone(2) returns. -ENOENT: it is not, or does not
 * tell, which is no fault; idm_procfs_open() finds out by the pidfd then.
 */
int idm_procfs_of_initial(void);

/* The directory of the process that has this number there, as an O_PATH descriptor. */
int idm_procfs_process(int proc, pid_t number);

/*
 * Opens `name` in such a directory, never through a mount over it. `name` is a plain
 * file, or "ns/…": a magic link, which is followed to what it itself leads to. -EXDEV: covered.
 */
int idm_procfs_openat(int process, const char *name, int flags);

/*
 * The same of the calling thread, and with the error filled in. What cannot be opened is `step`'s
 * failure.
 */
int idm_procfs_open_self(const char *name, enum idm_error_step step, struct idm_error *err);

/* The same, for a caller that has idm_procfs_root() already. */
int idm_procfs_open_self_in(int proc, const char *name, enum idm_error_step step, struct idm_error *err);

/*
 * Reads the kernel's own path of what `fd` of the calling thread refers to. It has no links. `proc` is
 * from idm_procfs_root(). Returns the length of *path, which is terminated. -ENAMETOOLONG: `size` is
 * less than that and a NUL.
 */
ssize_t idm_procfs_fd_path(int proc, int fd, char *path, size_t size);

/* What follows `name`, such as "\nUid:", in the text of /proc/PID/status; "": there is no such line. */
const char *idm_procfs_find_line(const char *status, const char *name);

/*
 * Returns -EBUSY if this thread has unshared a PID namespace that has no process yet. The next child
 * becomes its init, and when that exits, the namespace can never have a process again. Also if that is not
 * known: the caller has no procfs, and can make none. Returns another -errno for want of descriptors or
 * memory, else 0.
 */
int idm_procfs_check_init(void);

/* Fills in why that failed, and returns -EBUSY; -ENOENT: it is not known; or the other -errno. */
int idm_diagnose_no_init(int code, enum idm_error_step step, struct idm_error *err);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The steps of a child. Compiled twice: for the library, where the child shares the caller's memory, and
 * for the executor, which has its own memory. The code calls nothing but the kernel.
 *
 * Every step returns 0 or -errno. The report then names its subject.
 */
#ifndef IDM_SPAWN_EXECUTOR_EXECUTOR_H
#define IDM_SPAWN_EXECUTOR_EXECUTOR_H

#include <errno.h>

#include "lib/sys/raw-syscall.h"
#include "request.h"

/* The address of an offset; NULL for 0. */
static inline void *idm_request_at(struct idm_request *request, uint32_t offset)
{
	return offset ? (char *)request + offset : (void *)0;
}

/* The address of an offset that is not 0, or of an array. An empty array must not be read. */
static inline void *idm_request_array(struct idm_request *request, uint32_t offset)
{
	return (char *)request + offset;
}

/* Reports the step that begins. After a failure the last such step is the failed one. */
static inline void idm_request_begin(struct idm_request *request, enum idm_child_step step,
				     uint32_t item, uint32_t string)
{
	request->report.step = step;
	request->report.item = item;
	request->report.string = string;
}

/* Waits for a child of this process. It may have been reaped already. */
static inline void idm_raw_reap(long pid)
{
	while (raw(SYS_wait4, pid, 0, 0x40000000 /* __WALL */, 0) == -EINTR)
		;
}

/*
 * Whether the child's mounts are locked against it: they are attached in the caller's user namespace,
 * and the child gets a copy in its own.
 */
static inline int idm_request_locks_mounts(const struct idm_request *request)
{
	return request->flags & IDM_REQUEST_NEW_MOUNT && request->flags & IDM_REQUEST_OTHER_USER;
}

/* Reports the error of a step, and exits. */
__attribute__((noreturn)) static inline void idm_request_fail(struct idm_request *request, long r)
{
	request->report.error = (int32_t)r;
	idm_raw_exit(1);
}

/* Locks IDM_LOCK_* for this process; waits if `wait`. */
long idm_request_lock(struct idm_request *request, int lock, int wait);

/*
 * On request, makes this process die with the thread that started it, or at once if that thread has
 * exited. A change of credentials resets this, so it is repeated.
 */
void idm_child_die_with_caller(struct idm_request *request);

/* Calls `each` for every descriptor of the request that is not for the program. */
void idm_request_each_fd(struct idm_request *request, void (*each)(int32_t *fd, long arg), long arg);
/* Does so for the caller's descriptors that the program gets, from entry `first` on. vfork-child.c */
void idm_request_each_source(struct idm_request *request, uint32_t first,
			     void (*each)(int32_t *fd, long arg), long arg);

void idm_request_set_fd_flags(int32_t *fd, long flags);

/* vfork-child.c: the child in the caller's memory. */
void idm_vfork_child(void *request);

/* exec.c: the last steps, in either memory. The last one returns only after a failure. */
long idm_child_session(struct idm_request *request);
long idm_child_set_filter(struct idm_request *request);
long idm_child_cwd(struct idm_request *request);
long idm_child_exec(struct idm_request *request);

/* main.c, the executor only. */
long idm_child_enter(struct idm_request *request); /* namespaces.c */
long idm_child_second(struct idm_request *request);
void idm_child_await_release(struct idm_request *request);
long idm_child_root(struct idm_request *request); /* rootfs.c */

/* pivot.c */
long idm_child_separate_mounts(struct idm_request *request);
long idm_child_assemble(struct idm_request *request);
long idm_child_check_root(struct idm_request *request); /* checks that no mount covers "/" */

/* mounts.c: attaches every mount of the request below the directory `root`. */
long idm_child_attach_mounts(struct idm_request *request, long root);

/* filesystem.c: makes the new filesystems as detached trees; apart: by a child. */
long idm_child_make_filesystems(struct idm_request *request);
long idm_child_make_filesystems_apart(struct idm_request *request, long *maker);

/* assembler.c */
long idm_child_start_assembler(struct idm_request *request);
long idm_child_let_assemble(struct idm_request *request); /* waits until the root is assembled */

/* limits.c */
long idm_child_limit_userns(struct idm_request *request);
long idm_child_new_keyring(struct idm_request *request);
long idm_child_refuse_keyrings(struct idm_request *request);
void idm_child_limit_keyrings_early(struct idm_request *request);

long idm_child_credentials(struct idm_request *request); /* credentials.c */
long idm_child_regain_capabilities(void);		 /* raises all permitted ones */
void idm_child_stay_undumpable(void);			 /* after each change of credentials */
void idm_child_capset(const struct idm_request_caps *caps, long *r);
long idm_child_set_ambient(uint64_t ambient);
void idm_child_init(struct idm_request *request, void (*program)(void *request)); /* init.c */

#endif

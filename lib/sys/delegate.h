/* SPDX-License-Identifier: MIT */
/*
 * A delegate: a process with other credentials than the caller's does one thing for the caller.
 *
 * A child that shares the caller's memory must not change its credentials: the kernel clears the
 * *caller's* dumpable attribute then. A copy of the memory costs as much as the caller has. So the
 * delegate executes a small program without libc, which the library carries in itself: its cost does
 * not depend on the caller's memory. Where that cannot be executed, a child with a copy does the same.
 *
 * execve(2) makes SIGCHLD the exit signal. So the program is not the caller's child. It is the child of
 * a subprocess, which has no exit signal, and reaps it. The caller gets no SIGCHLD, and no thread of the
 * caller's can reap the program.
 */
#ifndef IDM_SYS_DELEGATE_H
#define IDM_SYS_DELEGATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "idmount.h"

enum idm_delegate_operation {
	IDM_DELEGATE_JOIN_USERNS, /* fd; as the caller, not as an owner */
	IDM_DELEGATE_MKDIR,	  /* name, in the directory fd */
	IDM_DELEGATE_CREATE_FILE, /* the same */
	IDM_DELEGATE_CREATE_FS,	  /* FSCONFIG_CMD_CREATE of fd */
	IDM_DELEGATE_OVERRIDE_CREDS,
	IDM_DELEGATE_MOUNT_OVERLAY, /* source at name, with options; the working directory is inherited
				     */
	IDM_DELEGATE_NEST_USERNS,   /* see idm_delegate_nest() */
};

/*
 * What is to be done, as which owner of files: the delegate has these filesystem IDs, and all of the
 * caller's capabilities, as the root of a map.
 */
struct idm_delegate_work {
	enum idm_delegate_operation operation;
	uint32_t uid, gid;
	int fd; /* -1: none */
	const char *name, *source, *options;
};

/*
 * Looks at the process that has done the work. It is a zombie. The function runs in a subprocess that
 * may share the caller's memory, and is told nothing to explain there (`err` is NULL). It may make
 * system calls only, and no stdio. Its descriptors are not the caller's. `data` has to be
 * idm_subprocess_memory(). Where it fails, the caller does it all once more, with a copy of the memory,
 * and looks itself. Returns 0 or -errno.
 */
typedef int idm_delegate_look(int pidfd, void *data, struct idm_error *err);

/*
 * Does the work, and then looks (NULL: no need to) at the process. That work must be such that it can be
 * done twice.
 * Returns 0 or -errno, the work's or its own; *err is filled in by `look` alone. -ESRCH: another process
 * killed the delegate before it was done. -EBUSY: see idm_procfs_check_init(). -ENOSYS:
 * waitid(2) is refused.
 */
int idm_delegate(const struct idm_delegate_work *work, idm_delegate_look *look, void *data,
		 struct idm_error *err);

/*
 * Makes a user namespace below `outer`, with the maps `uid_map` and `gid_map` as the kernel reads them.
 * Returns its descriptor or -errno: a program did not do it, for whatever reason.
 */
int idm_delegate_nest(int outer, const char *uid_map, const char *gid_map);

/* ---- the same in steps, for a subprocess that has more to do, and is its parent ---- */

struct idm_delegate_request;
struct idm_delegate_space;
struct idm_delegate_nest;

struct idm_delegate {
	struct idm_delegate_request *request;
	size_t size;
	struct idm_delegate_space *space; /* NULL: no program can be executed */
	int program_fd, request_fd;
	idm_delegate_look *look;
	void *look_data;
	struct idm_delegate_nest *nest; /* of that operation: what it and its parent tell each other */
	struct idm_error *look_err;
};

/* Gets all memory and files. Returns 0 or -ENOMEM. */
int idm_delegate_prepare(struct idm_delegate *d, const struct idm_delegate_work *work);

/*
 * Does the work, and returns the result, as idm_delegate(). In a subprocess, which may share the
 * caller's memory. The program is executed by this process then.
 */
int idm_delegate_run(struct idm_delegate *d);

/* Whether it has become the owner. Else a failure is one of that. */
bool idm_delegate_is_owner(const struct idm_delegate *d);

/* For the caller, when the subprocess is over. The program is over, too, or will never begin the work.
 */
void idm_delegate_release(struct idm_delegate *d);

#endif

// SPDX-License-Identifier: MIT
/* Makes the memory files of a child: the executor, and the request with its locks. */
#include <errno.h>
#include <stdio.h>

#include "internal.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/refused.h"
#include "lib/sys/syscall.h"

static const enum idm_error_step step_start = IDM_STEP_START_PROGRAM;

int idm_child_open_program(const struct idm_carried_program *program, struct idm_error *err)
{
	static const enum idm_error_step step = IDM_STEP_MAKE_MEMORY_PROGRAM;
	int fd = idm_sys_memfd_program(program->name, program->file, program->size);

	if (fd == -EACCES) {
		idm_fail(err, fd, step, NULL, "the kernel permits no executable file in memory");
		idm_hint(err, "set the sysctl vm.memfd_noexec to 0 or 1");
		return fd;
	}
	if (fd == -EPERM || fd == -ENOSYS)
		return idm_diagnose_refused(IDM_CALL_MEMFD_CREATE, fd, step, NULL, err);
	return fd < 0 ? idm_fail_errno(err, fd, step, NULL) : fd;
}

static int lock_request_file(int fd)
{
	int r = idm_sys_lock(fd, IDM_LOCK_CALLER, F_WRLCK, false);

	if (r >= 0)
		r = idm_sys_lock(fd, IDM_LOCK_ALIVE, F_WRLCK, false);
	if (r >= 0)
		r = idm_sys_lock(fd, IDM_LOCK_RELEASE, F_WRLCK, false);
	return r;
}

static int open_request_file(bool locked, struct idm_error *err)
{
	AUTO_CLOSE int fd = idm_sys_memfd("idm-request", false);
	int r = fd < 0 || !locked ? fd : lock_request_file(fd);

	return r < 0 ? idm_fail_errno(err, r, IDM_STEP_MAKE_MEMORY_FILE, NULL) : idm_steal_fd(&fd);
}

/* The inode number is unique among all memory files as long as this one is open. */
static int set_unique_name(struct idm_request *request, int request_fd, struct idm_error *err)
{
	struct stat st;
	int r = idm_sys_fstatat(request_fd, "", &st, AT_EMPTY_PATH);

	if (r < 0)
		return idm_fail_errno(err, r, step_start, NULL);
	snprintf(request->name, sizeof(request->name), "idm-%llx",
		 (unsigned long long)st.st_ino & 0xfffffffffffULL);
	return 0;
}

/* Opens the memory files that the request needs. A server needs each request in a file. */
int idm_child_open_files(struct idm_child *child, struct idm_error *err)
{
	const struct idm_carried_program program = { "idm-child", idm_executor, idm_executor_size };
	struct idm_request *request = child->request;
	bool executor = request->flags & IDM_REQUEST_EXECUTOR;

	if (executor) {
		child->executor_fd = idm_child_open_program(&program, err);
		if (child->executor_fd < 0)
			return child->executor_fd;
	}
	if (child->server)
		request->flags |= IDM_REQUEST_IN_FILE;
	if (executor || child->server) {
		child->request_fd = open_request_file(executor, err);
		if (child->request_fd < 0)
			return child->request_fd;
	}
	request->executor_fd = child->executor_fd;
	request->request_fd = child->request_fd;
	return executor ? set_unique_name(request, child->request_fd, err) : 0;
}

/* A server has another working directory than the caller. */
int idm_child_open_cwd(const struct idm_child_options *o, struct idm_child *child, struct idm_error *err)
{
	if (!child->server || o->root_fd >= 0)
		return 0;
	child->cwd_fd = idm_sys_openat(AT_FDCWD, ".", O_PATH | O_DIRECTORY, 0);
	if (child->cwd_fd < 0)
		return idm_fail_errno(err, child->cwd_fd, step_start, NULL);
	child->request->cwd_fd = child->cwd_fd;
	return 0;
}

/* Closing the request's file releases the locks. */
void idm_child_close_files(struct idm_child *child)
{
	idm_close_fd(&child->request_fd);
	idm_close_fd(&child->executor_fd);
	idm_close_fd(&child->cwd_fd);
}

// SPDX-License-Identifier: MIT
/* The last steps before the program, and functions for both memories. */
#include <errno.h>
#include <fcntl.h>
#include <linux/signal.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/ioctl.h>

#include "executor.h"

long idm_request_lock(struct idm_request *request, int lock, int wait)
{
	struct flock range = {
		.l_type = F_WRLCK, .l_whence = 0 /* SEEK_SET */, .l_start = lock, .l_len = 1
	};
	long r;

	do
		r = raw(SYS_fcntl, request->request_fd, wait ? F_SETLKW : F_SETLK, &range);
	while (r == -EINTR);
	return r;
}

void idm_child_die_with_caller(struct idm_request *request)
{
	struct flock range = {
		.l_type = F_WRLCK, .l_whence = 0 /* SEEK_SET */, .l_start = IDM_LOCK_ALIVE, .l_len = 1
	};

	if (!(request->flags & IDM_REQUEST_DIE))
		return;
	raw(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL);
	/*
	 * The caller may have exited before. getppid(2) cannot show that in this PID namespace, but the
	 * caller's lock can.
	 */
	if (raw(SYS_fcntl, request->request_fd, F_GETLK, &range) == 0 && range.l_type == F_UNLCK)
		idm_raw_exit(1);
}

static void visit_fd(int32_t *fd, void (*each)(int32_t *fd, long arg), long arg)
{
	if (*fd >= 0)
		each(fd, arg);
}

void idm_request_each_fd(struct idm_request *request, void (*each)(int32_t *fd, long arg), long arg)
{
	struct idm_request_join *joins = idm_request_array(request, request->joins);
	struct idm_request_mount *mounts = idm_request_array(request, request->mounts);

	visit_fd(&request->request_fd, each, arg);
	visit_fd(&request->executor_fd, each, arg);
	visit_fd(&request->program_fd, each, arg);
	visit_fd(&request->root_fd, each, arg);
	visit_fd(&request->terminal_fd, each, arg);
	visit_fd(&request->cwd_fd, each, arg);
	visit_fd(&request->assembly_userns_fd, each, arg);
	visit_fd(&request->staging_fd, each, arg);
	for (uint32_t i = 0; i < request->n_joins; i++)
		visit_fd(&joins[i].fd, each, arg);
	for (uint32_t i = 0; i < request->n_mounts; i++)
		visit_fd(&mounts[i].tree, each, arg);
}

void idm_request_set_fd_flags(int32_t *fd, long flags)
{
	raw(SYS_fcntl, *fd, F_SETFD, flags);
}

void idm_child_capset(const struct idm_request_caps *caps, long *r)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	for (int i = 0; i < 2; i++) {
		data[i].effective = (uint32_t)(caps->effective >> 32 * i);
		data[i].permitted = (uint32_t)(caps->permitted >> 32 * i);
		data[i].inheritable = (uint32_t)(caps->inheritable >> 32 * i);
	}
	*r = raw(SYS_capset, &header, data);
}

long idm_child_set_ambient(uint64_t ambient)
{
	long r = raw(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL);

	for (int i = 0; i < 64 && r == 0; i++)
		if (ambient >> i & 1)
			r = raw(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i);
	return r;
}

long idm_child_session(struct idm_request *request)
{
	long r = 0;

	idm_request_begin(request, IDM_CHILD_STEP_SESSION, 0, 0);
	if (request->flags & IDM_REQUEST_SESSION)
		r = raw(SYS_setsid);
	if (r >= 0 && request->terminal_fd >= 0) {
		idm_request_begin(request, IDM_CHILD_STEP_TERMINAL, 0, 0);
		r = raw(SYS_ioctl, request->terminal_fd, TIOCSCTTY, 0);
	}
	if (r >= 0 && request->process_group < 0) {
		idm_request_begin(request, IDM_CHILD_STEP_PROCESS_GROUP, 0, 0);
		r = raw(SYS_setpgid, 0, 0);
	}
	return r < 0 ? r : 0;
}

/*
 * The path can lead out of the root by a magic link such as /proc/self/fd/7. Descriptors that lead out
 * are closed already; this check is a second line of defense.
 */
static long check_cwd_inside(void)
{
	char path[4096];
	long r = raw(SYS_getcwd, path, sizeof(path));

	if (r < 0)
		return r == -ERANGE ? 0 : r;
	return path[0] == '/' ? 0 : -EXDEV; /* "(unreachable)/…" */
}

long idm_child_cwd(struct idm_request *request)
{
	const char *cwd = idm_request_at(request, request->cwd);
	long r;

	if (!cwd)
		return 0;
	idm_request_begin(request, IDM_CHILD_STEP_CWD, 0, request->cwd);
	r = raw(SYS_chdir, cwd);
	if (r == 0 && request->flags & IDM_REQUEST_PIVOT)
		r = check_cwd_inside();
	return r;
}

/* The filter also applies to the remaining system calls of the child. */
long idm_child_set_filter(struct idm_request *request)
{
	struct sock_fprog program = { .len = (unsigned short)request->n_filter,
				      .filter = idm_request_at(request, request->filter) };

	if (!request->n_filter)
		return 0;
	idm_request_begin(request, IDM_CHILD_STEP_SECCOMP, 0, 0);
	return raw(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

/* Replaces offsets by pointers, in place. */
static char **make_pointers(struct idm_request *request, uint32_t array)
{
	uintptr_t *at = idm_request_array(request, array);

	for (uintptr_t *p = at; *p; p++)
		*p = (uintptr_t)idm_request_at(request, (uint32_t)*p);
	return (char **)at;
}

/* As execvp(3): skips unreachable paths, but remembers the first one with EACCES. */
static long try_paths(struct idm_request *request, char **argv, char **envp)
{
	const uint32_t *paths = idm_request_array(request, request->paths);
	uint32_t forbidden = 0;
	long r = -ENOENT;

	for (uint32_t i = 0; i < request->n_paths; i++) {
		idm_request_begin(request, IDM_CHILD_STEP_EXEC, 0, paths[i]);
		r = raw(SYS_execve, idm_request_at(request, paths[i]), argv, envp);
		if (r == -EACCES && !forbidden)
			forbidden = paths[i];
		else if (r != -EACCES && r != -ENOENT && r != -ENOTDIR && r != -ENODEV && r != -ESTALE)
			return r;
	}
	if (!forbidden)
		return r;
	request->report.string = forbidden;
	return -EACCES;
}

long idm_child_exec(struct idm_request *request)
{
	char **argv = make_pointers(request, request->argv),
	     **envp = make_pointers(request, request->envp);
	long r = 0;

	if (request->flags & IDM_REQUEST_NO_NEW_PRIVS) {
		idm_request_begin(request, IDM_CHILD_STEP_NO_NEW_PRIVS, 0, 0);
		r = raw(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1);
	}
	if (r < 0)
		return r;
	if (!(request->flags & IDM_REQUEST_INIT))
		idm_child_die_with_caller(request);
	idm_request_each_fd(request, idm_request_set_fd_flags, FD_CLOEXEC);
	if (request->flags & IDM_REQUEST_NO_NEW_PRIVS)
		r = idm_child_set_filter(request);
	if (r < 0)
		return r;
	idm_request_begin(request, IDM_CHILD_STEP_EXEC, 0, 0);
	/*
	 * From here on signals act on the program. One that kills this process counts as the program's.
	 */
	raw(SYS_rt_sigprocmask, 2 /* SIG_SETMASK */, &request->mask, 0, sizeof(request->mask));
	if (request->program_fd >= 0)
		return raw(SYS_execveat, request->program_fd, "", argv, envp, AT_EMPTY_PATH);
	return try_paths(request, argv, envp);
}

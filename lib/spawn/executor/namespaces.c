// SPDX-License-Identifier: MIT
/* Part of the executor: joins and creates namespaces. */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "executor.h"

/*
 * Joins with the caller's credentials, and later with those inside the user namespace. A network
 * namespace of the host can only be joined before, one of the user namespace only after.
 */
static long join_namespaces(struct idm_request *request, uint32_t not_yet, int again)
{
	struct idm_request_join *joins = idm_request_array(request, request->joins);
	long r = 0;

	for (uint32_t i = 0; i < request->n_joins && r == 0; i++) {
		if (joins[i].joined || joins[i].type == CLONE_NEWUSER || joins[i].type & not_yet)
			continue;
		idm_request_begin(request, IDM_CHILD_STEP_JOIN, joins[i].type, 0);
		r = raw(SYS_setns, joins[i].fd, joins[i].type);
		joins[i].joined = r == 0;
		if (r == -EPERM && !again && request->flags & IDM_REQUEST_OTHER_USER)
			r = 0;
	}
	return r;
}

static long join_userns(struct idm_request *request, int32_t fd)
{
	long r;

	idm_request_begin(request, IDM_CHILD_STEP_JOIN_USER, 0, 0);
	r = raw(SYS_setns, fd, CLONE_NEWUSER);
	idm_child_stay_undumpable();
	return r;
}

static long join_child_userns(struct idm_request *request)
{
	const struct idm_request_join *joins = idm_request_array(request, request->joins);
	long r = 0;

	for (uint32_t i = 0; i < request->n_joins && r == 0; i++) {
		if (joins[i].type != CLONE_NEWUSER)
			continue;
		r = join_userns(request, joins[i].fd);
	}
	return r;
}

/*
 * Becomes root of the user namespace, which usually does not map the caller's IDs: mounts need mapped
 * owners. Without a root in it, this process keeps its IDs. Groups are dropped because they stay valid:
 * a group of the host opens files of the host, whatever its number inside.
 */
static long become_root(struct idm_request *request)
{
	long r = 0;

	idm_request_begin(request, IDM_CHILD_STEP_USER_IDS, 0, 0);
	if (!(request->flags & IDM_REQUEST_SET_GROUPS))
		r = raw(SYS_setgroups, 0, 0);
	if (r == 0 || r == -EPERM) /* setgroups is "deny", which an ordinary user's map requires */
		r = raw(SYS_setresgid, 0, 0, 0);
	if (r == 0 || r == -EINVAL)
		r = raw(SYS_setresuid, 0, 0, 0);
	idm_child_stay_undumpable();
	return r == -EINVAL ? 0 : r;
}

/* A caller without CAP_SYS_ADMIN has it in a user namespace between its own and the child's. */
static long enter_assembly_userns(struct idm_request *request)
{
	long r;

	if (request->assembly_userns_fd < 0)
		return 0;
	r = join_userns(request, request->assembly_userns_fd);
	if (r == 0)
		r = become_root(request);
	return r == 0 ? join_namespaces(request, CLONE_NEWPID, 0) : r;
}

/*
 * A copy of the staging namespace is small, and so is each copy of that. A process with CAP_SYS_ADMIN
 * over it joins it, so this comes before the child's user namespace.
 */
static long join_staging(struct idm_request *request)
{
	long r;

	if (request->staging_fd < 0)
		return 0;
	idm_request_begin(request, IDM_CHILD_STEP_JOIN_STAGING, 0, 0);
	r = raw(SYS_setns, request->staging_fd, CLONE_NEWNS);
	raw(SYS_close, request->staging_fd);
	request->staging_fd = -1;
	return r;
}

static long unshare_namespaces(struct idm_request *request, uint32_t namespaces)
{
	long r = namespaces & CLONE_NEWNS ? join_staging(request) : 0;

	if (r < 0)
		return r;
	idm_request_begin(request, IDM_CHILD_STEP_NAMESPACES, 0, 0);
	return namespaces ? raw(SYS_unshare, namespaces) : 0;
}

/* Creates the mount namespace in which the root is assembled. */
static long make_assembly(struct idm_request *request)
{
	long r = enter_assembly_userns(request);

	if (r == 0)
		r = unshare_namespaces(request, CLONE_NEWNS);
	if (r == 0)
		r = idm_child_separate_mounts(request);
	if (r == 0)
		r = idm_child_start_assembler(request);
	return r == 0 ? join_namespaces(request, 0, 0)
		      : r; /* the assembler is in the caller's PID namespace */
}

static long enter_child_userns(struct idm_request *request)
{
	long r = join_child_userns(request);

	if (r == 0)
		r = become_root(request);
	return r == 0 ? join_namespaces(request, 0, 1) : r;
}

long idm_child_enter(struct idm_request *request)
{
	int apart = idm_request_locks_mounts(request);
	long r = join_namespaces(request, apart ? CLONE_NEWPID : 0, 0);

	if (r == 0 && apart)
		r = make_assembly(request);
	if (r == 0 && request->flags & IDM_REQUEST_OTHER_USER)
		r = enter_child_userns(request);
	return r == 0 ? unshare_namespaces(request,
					   request->namespaces & (apart ? ~(uint32_t)CLONE_NEWNS : ~0U))
		      : r;
}

/* ---- the second process ---- */

/*
 * A process stays in the PID namespace that it was created in. So a second process continues, which is a
 * child of the caller, too (CLONE_PARENT). If the first process is killed before this one has its lock,
 * it exits. Until the caller has its pidfd, its name identifies it. It inherits the name from the first
 * process and keeps it as a zombie, so the caller can reap it even if it was killed at once.
 */
static void prepare_second(struct idm_request *request, const int pipe[2])
{
	raw(SYS_close, pipe[0]);
	if (idm_request_lock(request, IDM_LOCK_SECOND, 0) < 0 || raw(SYS_write, pipe[1], "", 1) != 1)
		idm_raw_exit(1);
	raw(SYS_close, pipe[1]);
}

/*
 * The second process waits until the caller has its pidfd, and exits if the caller is killed before
 * that. Nothing that it has done by then outlives it.
 */
void idm_child_await_release(struct idm_request *request)
{
	if (!(request->flags & IDM_REQUEST_SECOND))
		return;
	idm_request_lock(request, IDM_LOCK_CALLER, 1);
	if (!*(volatile uint32_t *)&request->released)
		idm_raw_exit(1);
	raw(SYS_prctl, PR_SET_NAME, "idm-child");
}

static void wait_for_second(const int pipe[2])
{
	char byte;

	raw(SYS_close, pipe[1]);
	while (raw(SYS_read, pipe[0], &byte, 1) == -EINTR)
		;
	idm_raw_exit(0);
}

long idm_child_second(struct idm_request *request)
{
	unsigned long flags = CLONE_PARENT | CLONE_PARENT_SETTID;
	int pipe[2];
	long r;

	if (!(request->flags & IDM_REQUEST_SECOND))
		return 0;
	if (request->flags & IDM_REQUEST_NEW_PID)
		flags |= CLONE_NEWPID;
	idm_request_begin(request, IDM_CHILD_STEP_SECOND, 0, 0);
	r = raw(SYS_pipe2, pipe, O_CLOEXEC);
	if (r != 0)
		return r;
	raw(SYS_prctl, PR_SET_NAME, request->name);
	/* The kernel writes its number before it runs, and before this process can be killed. */
	r = idm_raw_fork(flags, &request->report.pid);
	if (r < 0)
		return r;
	if (r == 0) {
		prepare_second(request, pipe);
		return 0;
	}
	wait_for_second(pipe);
	return 0;
}

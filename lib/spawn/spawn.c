// SPDX-License-Identifier: MIT
/*
 * Starts a program. The caller makes a request, since it can allocate memory and format messages. The
 * child only carries the request out.
 *
 *   1. The caller makes the request (request.c). If an executor is needed, it makes two memory files
 *      (request-files.c): one for the executor, one for the request.
 *   2. It clones a child that shares its memory (clone.c, spawn/executor/vfork-child.c). It waits until
 *      the child has left that memory by executing the program or the executor, or by exiting.
 *   3. The executor (spawn/executor/main.c) holds a lock on the request's file until it has executed
 *      the program or has exited. The caller waits for that lock (await-executor.c).
 *   4. The result is in the request's report.
 *
 * A child that has failed is reaped by its pidfd. Until it executes something, no other wait can reap
 * it. From then on another wait does no harm, because the report says what happened.
 *
 * A server (a reaper's fork server) can make the clone of step 2. The caller does all the rest: the
 * locks do not depend on which process is the parent.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "internal.h"
#include "lib/base/cancel.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/spawn/executor/executor.h"
#include "lib/sys/child-stack.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/procfs.h"
#include "lib/sys/refused.h"
#include "lib/sys/seccomp-probe.h"
#include "lib/sys/syscall.h"

static const enum idm_error_step step_start = IDM_STEP_START_PROGRAM;

static int clone_as_parent(struct idm_child *child, uint64_t flags, int cgroup, struct idm_error *err)
{
	uint64_t mask;
	int r;

	child->stack = idm_child_stack_new();
	if (!child->stack)
		return idm_fail_errno(err, -ENOMEM, step_start, NULL);
	/* All signals stay blocked until exec: the handlers and the memory are the caller's. */
	idm_sys_block_signals(&mask);
	r = idm_child_clone(child, flags, cgroup);
	idm_sys_restore_signals(&mask);
	if (r == 0)
		idm_child_await_leaving(child);
	idm_child_stack_free(child->stack);
	return r < 0 ? idm_child_diagnose_clone(r, cgroup, err) : 0;
}

static int clone_by_server(struct idm_child *child, uint64_t flags, int cgroup, struct idm_error *err)
{
	int r = child->server->clone(child->server, child, flags, cgroup, err);

	if (r == 0)
		idm_child_read_report(child);
	return r;
}

static int run_child_request(const struct idm_child_options *o, struct idm_child *child,
			     uint64_t clone_flags, struct idm_error *err)
{
	const struct idm_child_report *report = &child->request->report;
	int r = child->server ? clone_by_server(child, clone_flags, o->cgroup_fd, err)
			      : clone_as_parent(child, clone_flags, o->cgroup_fd, err);

	if (r < 0)
		return r;
	/*
	 * The child has executed it by now, or failed. Closing it frees a number for the second
	 * process's pidfd.
	 */
	if (child->executor_fd >= 0)
		close(idm_steal_fd(&child->executor_fd));
	r = idm_child_await_executor(child, err);
	if (report->assembler > 0)
		idm_child_reap_assembler(child);
	if (r == 0 && (report->error || report->step != IDM_CHILD_STEP_EXEC))
		r = idm_child_diagnose(o, child->request, err);
	if (r < 0) {
		idm_child_kill_and_reap(child, child->pidfd);
		return r;
	}
	if (o->pid)
		*o->pid = child->pid;
	if (child->server)
		child->server->pid = child->pid;
	return child->pidfd;
}

/* Whether the caller waits for a process that it can only find by its number. */
static bool needs_pidfd_open(const struct idm_request *request)
{
	return request->flags & IDM_REQUEST_SECOND || idm_request_locks_mounts(request);
}

/* Fails where the caller could not reap the child. */
static int check_reaping(const struct idm_request *request, struct idm_error *err)
{
	int r = idm_check_waitid(step_start, err);

	if (r < 0)
		return r;
	if (request->flags & IDM_REQUEST_SECOND)
		r = idm_procfs_check_init();
	return r < 0 ? idm_diagnose_no_init(r, step_start, err) : 0;
}

static int check_calls(const struct idm_request *request, struct idm_error *err)
{
	int r = needs_pidfd_open(request) ? idm_filter_refuses(IDM_CALL_PIDFD_OPEN) : 0;

	return r < 0 ? idm_diagnose_filtered(IDM_CALL_PIDFD_OPEN, r, step_start, NULL, err) : 0;
}

static int start_request(const struct idm_child_options *o, struct idm_child *child,
			 uint64_t clone_flags, struct idm_error *err)
{
	int r = child->server ? 0 : check_reaping(child->request, err);

	if (r == 0)
		r = check_calls(child->request, err);
	if (r == 0)
		r = idm_child_open_files(child, err);
	if (r == 0)
		r = idm_child_open_cwd(o, child, err);
	return r < 0 ? r : run_child_request(o, child, clone_flags, err);
}

static int make_and_start_request(const struct idm_child_options *o, struct idm_child_server *server,
				  struct idm_error *err)
{
	struct idm_child child = {
		.pidfd = -1, .request_fd = -1, .executor_fd = -1, .cwd_fd = -1, .server = server
	};
	AUTO_FREE struct idm_request *request = NULL;
	struct idm_child_userns userns;
	uint64_t clone_flags;
	int r = idm_child_open_userns(&userns, o, err);

	if (r == 0)
		r = idm_child_make_request(o, &userns, &request, &clone_flags, err);
	child.request = request;
	if (r == 0)
		r = start_request(o, &child, clone_flags, err);
	idm_child_close_files(&child);
	idm_child_close_userns(&userns);
	return r;
}

int idm_child_start(const struct idm_child_options *options, struct idm_error *err)
{
	HOLD_CANCEL;
	struct idm_child_options own;
	int r = idm_child_copy_options(&own, options, err);

	return r < 0 ? r : make_and_start_request(&own, NULL, err);
}

int idm_child_start_by(struct idm_child_server *server, const struct idm_child_options *options,
		       struct idm_error *err)
{
	struct idm_child_options own;
	int r = idm_child_copy_options(&own, options, err);

	if (r == 0)
		r = idm_child_check_for_server(&own, err);
	return r < 0 ? r : make_and_start_request(&own, server, err);
}

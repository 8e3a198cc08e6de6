// SPDX-License-Identifier: MIT
/*
 * Starts a program that the library carries in itself, as an orphan.
 *
 * An exec makes every process one whose exit sends SIGCHLD to its parent, and which any wait of the
 * parent sees. So the program must not be the caller's child. A process that exits at once is its
 * parent. That one shares the caller's descriptor table, so that the pidfd is the caller's.
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "internal.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/spawn/executor/executor.h"
#include "lib/sys/child-stack.h"
#include "lib/sys/clone-deaf.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/pidfd.h"
#include "lib/sys/subprocess.h"
#include "lib/sys/syscall.h"

struct orphan {
	struct idm_child *child;
	int r;
};

/* Runs in the parent. It shares the memory of the caller, so it makes system calls without libc. */
static int clone_carried(void *data)
{
	struct orphan *orphan = data;

	orphan->child->other_pidns = raw(SYS_getppid) == 0;
	orphan->r = idm_child_clone(orphan->child, 0, -1);
	return 0;
}

static bool is_running(int pidfd)
{
	int r = idm_sys_pidfd_send_signal(pidfd, 0);

	return (r == 0 || r == -EPERM) && !(idm_sys_poll(pidfd, POLLIN) & POLLIN);
}

/*
 * Whether a parent that was killed had cloned. The number of the child says so: the kernel writes it
 * (clone3), or the child itself (clone), which may come later. The pidfd alone does not say so: its
 * number is written early, and the kill may still make the clone fail. Then it is not open.
 */
static bool had_cloned(struct idm_child *child)
{
	bool running = true;

	while (__atomic_load_n(&child->inside, __ATOMIC_ACQUIRE) == IDM_CHILD_NOT_CLONED) {
		if (!running)
			return false;
		running = is_running(child->pidfd);
		if (running)
			idm_sys_sleep(10);
	}
	return true;
}

/* Returns when the parent has exited: 0 or -errno. -ESRCH: the parent was killed before the clone. */
static int clone_orphan(struct idm_child *child)
{
	struct orphan orphan = { child, -ESRCH };
	struct idm_subprocess parent = { -1 };
	int r = idm_clone_deaf(clone_carried, CLONE_VM | CLONE_VFORK | CLONE_FILES, &orphan,
			       &parent.pidfd);

	if (r < 0)
		return r;
	idm_subprocess_end(&parent);
	return orphan.r == -ESRCH && had_cloned(child) ? 0 : orphan.r;
}

static int clone_and_await(struct idm_child *child)
{
	int r;

	child->stack = idm_child_stack_new();
	if (!child->stack)
		return -ENOMEM;
	r = clone_orphan(child);
	if (r == 0)
		idm_child_await_leaving(child);
	idm_child_stack_free(child->stack);
	return r;
}

static int start_orphan(const struct idm_child_options *o, struct idm_child *child,
			enum idm_error_step step, struct idm_error *err)
{
	const struct idm_child_report *report = &child->request->report;
	int r = (int)idm_child_store_capabilities(child->request);

	child->request->mask = ~0ULL;
	child->request->request_fd = child->request->executor_fd = -1;
	if (r == 0)
		r = clone_and_await(child);
	if (r < 0)
		return idm_fail_errno(err, r, step, NULL);
	if (!report->error && report->step == IDM_CHILD_STEP_EXEC)
		return child->pidfd;
	r = idm_child_diagnose(o, child->request, err);
	idm_pidfd_end_orphan(child->pidfd);
	close(child->pidfd);
	return r;
}

int idm_child_start_carried(const struct idm_carried_program *program, const int fds[3],
			    bool *other_pidns, enum idm_error_step step, struct idm_error *err)
{
	static const struct idm_child_userns userns = { -1, -1, -1 };
	const struct idm_child_fd table[] = { { fds[0], 0 }, { fds[1], 1 }, { fds[2], 2 } };
	AUTO_CLOSE int file = idm_child_open_program(program, err);
	AUTO_FREE struct idm_request *request = NULL; /* analyzer: gcc overlooks the NULL */
	struct idm_child child = { .pidfd = -1, .inside = IDM_CHILD_NOT_CLONED };
	struct idm_child_options o = IDM_CHILD_OPTIONS_INIT;
	uint64_t flags;
	int r;

	if (file < 0)
		return file;
	o.path = program->name;
	o.argv = (const char *const[]){ program->name, NULL };
	o.envp = (const char *const[]){ NULL };
	o.program_fd = file;
	o.fds = table;
	o.n_fds = ARRAY_SIZE(table);
	r = idm_child_make_request(&o, &userns, &request, &flags, err);
	child.request = request;
	if (r == 0) {
		request->flags |= IDM_REQUEST_CARRIED;
		r = start_orphan(&o, &child, step, err);
	}
	*other_pidns = child.other_pidns;
	return r;
}

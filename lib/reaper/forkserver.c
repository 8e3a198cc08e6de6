// SPDX-License-Identifier: MIT
/*
 * The program's side of the fork server.
 *
 * The fork server has a copy of the program's memory, and shares nothing with it. A shared descriptor
 * table would save passing descriptors. But the socket's hangup says that the program has exited, and
 * the socket does not hang up while the fork server has both ends. The fork server never execs and has
 * no exit signal, so no wait(2) in the program reaps it by mistake. Even that would do little harm: its
 * sockets say what happened to it.
 */
#include "forkserver.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <string.h>

#include "forkserver-main.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/spawn/server.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/pidfd.h"
#include "lib/sys/procfs.h"
#include "lib/sys/seccomp-probe.h"
#include "lib/sys/subprocess.h"
#include "lib/sys/syscall.h"

static const enum idm_error_step step_forkserver = IDM_STEP_START_FORKSERVER;
static const enum idm_error_step step_start = IDM_STEP_START_PROGRAM;

/* ---- beginning and end ---- */

/* It says so when it has let go of the program's descriptors. */
static int await_answer(int control, int fds[IDM_SEND_FDS], size_t *n_fds)
{
	struct idm_forkserver_answer answer;
	ssize_t n = idm_forkserver_receive(control, &answer, sizeof(answer), fds, n_fds);

	if (n < 0)
		return n == -ECONNRESET ? -ESRCH : (int)n;
	return n == sizeof(answer) ? answer.r : -ESRCH;
}

/* Its inode number, or 0. */
static uint64_t get_own_userns(void)
{
	struct stat st;

	return idm_sys_fstatat(AT_FDCWD, "/proc/thread-self/ns/user", &st, 0) < 0 ? 0 : st.st_ino;
}

static int start_and_await(struct idm_forkserver *forkserver, struct idm_forkserver_ends *ends)
{
	int fds[IDM_SEND_FDS], r;
	size_t n_fds;

	ends->keep[0] = ends->orphans < ends->control ? ends->orphans : ends->control;
	ends->keep[1] = ends->orphans < ends->control ? ends->control : ends->orphans;
	/* Signals stay blocked in it for good: a ^C at the terminal is not meant for it. */
	r = idm_clone_deaf(idm_forkserver_main, 0, ends, &forkserver->pidfd);
	if (r < 0)
		return r;
	close(idm_steal_fd(&ends->control));
	r = await_answer(forkserver->control, fds, &n_fds);
	forkserver->other_pidns = r > 0;
	forkserver->userns = get_own_userns();
	return r < 0 ? r : 0;
}

int idm_forkserver_begin(struct idm_forkserver *forkserver, bool orphans, struct idm_error *err)
{
	struct idm_forkserver_ends ends = { -1, -1, { -1, -1 } };
	int control[2] = { -1, -1 }, reports[2] = { -1, -1 }, r;

	r = idm_check_waitid(step_forkserver, err);
	if (r < 0) /* a child that could not be reaped is not started */
		return r;
	if (idm_procfs_child_would_be_init())
		return idm_diagnose_no_init(step_forkserver, err);
	r = idm_sys_socketpair(control);
	if (r == 0 && orphans)
		r = idm_sys_pipe(reports);
	forkserver->control = control[0];
	forkserver->orphans = reports[0];
	ends.control = control[1];
	ends.orphans = reports[1];
	if (r == 0)
		r = start_and_await(forkserver, &ends);
	idm_close_fd(&ends.control);
	idm_close_fd(&ends.orphans);
	if (r < 0) {
		idm_forkserver_end(forkserver);
		return idm_fail_errno(err, r, step_forkserver, NULL);
	}
	return 0;
}

/* It exits by itself, but not while a forked child of the caller's has the socket, too. So it is killed.
 */
void idm_forkserver_end(struct idm_forkserver *forkserver)
{
	struct idm_pidref process;
	siginfo_t info;

	idm_close_fd(&forkserver->control);
	idm_close_fd(&forkserver->orphans);
	if (forkserver->pidfd >= 0 && idm_pidfd_check_child(forkserver->pidfd, &process) == 0) {
		idm_sys_pidfd_send_signal(forkserver->pidfd, SIGKILL);
		idm_sys_waitid_pidfd(forkserver->pidfd, &info, WEXITED | __WALL);
	}
	idm_close_fd(&forkserver->pidfd);
	*forkserver = IDM_NO_FORKSERVER;
}

/* ---- a command ---- */

struct start {
	struct idm_child_server server; /* first: a pointer to it is one to this struct */
	struct idm_forkserver *forkserver;
	pthread_mutex_t *lock;
	int report;
};

/* Rejects a command if the caller has changed its namespaces since the fork server was started. */
static int check_same_namespaces(const struct idm_forkserver *forkserver,
				 const struct idm_request *request, struct idm_error *err)
{
	uint64_t userns = request->flags & IDM_REQUEST_EXECUTOR && forkserver->userns ? get_own_userns()
										      : 0;

	if (request->process_group > 0 && forkserver->other_pidns)
		return idm_fail(err, -EINVAL, step_start, NULL,
				"a process group requires a fork server in the caller's PID namespace");
	if (userns && userns != forkserver->userns)
		return idm_fail(
			err, -EINVAL, step_start, NULL,
			"namespaces, IDs and capabilities require a fork server in this user namespace");
	return 0;
}

/* The request's descriptors and the cgroup's, and where the request says they are. */
static int pack_command_fds(struct idm_request *request, struct idm_forkserver_command *command,
			    int *fds, size_t *n_fds, struct idm_error *err)
{
	int cgroup = command->cgroup, r = idm_child_pack(request, fds, n_fds, IDM_FORKSERVER_FDS);

	if (r < 0)
		return idm_fail(err, -EINVAL, step_start, NULL,
				"the options and the library need %zu descriptors, over %d", *n_fds,
				IDM_FORKSERVER_FDS);
	if (cgroup >= 0) {
		command->cgroup = (int32_t)*n_fds;
		fds[(*n_fds)++] = cgroup;
	}
	return 0;
}

/* The pidfd. -EMFILE also: the caller had no free number, and the child is dead. */
static int receive_child(struct idm_forkserver *forkserver, pid_t *pid)
{
	int fds[IDM_SEND_FDS], r;
	size_t n_fds = 0;
	char taken;

	r = await_answer(forkserver->control, fds, &n_fds);
	if (r < 0)
		return r;
	*pid = r;
	taken = n_fds > 0;
	idm_forkserver_send(forkserver->control, &taken, sizeof(taken), NULL, 0);
	return taken ? fds[0] : -EMFILE;
}

static int exchange_command(struct start *r, const struct idm_forkserver_command *command,
			    const int *fds, size_t n_fds, pid_t *pid)
{
	ssize_t n;
	int pidfd;

	pthread_mutex_lock(r->lock);
	n = idm_forkserver_send(r->forkserver->control, command, sizeof(*command), fds, n_fds);
	if (n < 0)
		pidfd = n == -EPIPE || n == -ECONNRESET ? -ESRCH : (int)n;
	else
		pidfd = receive_child(r->forkserver, pid);
	pthread_mutex_unlock(r->lock);
	return pidfd;
}

static int send_command(struct start *r, struct idm_child *child, struct idm_forkserver_command *command,
			int report, struct idm_error *err)
{
	int cgroup = command->cgroup;
	int fds[IDM_SEND_FDS] = { [COMMAND_FILE] = child->request_fd, [COMMAND_REPORT] = report }, code;
	size_t n_fds = COMMAND_FDS;

	code = pack_command_fds(child->request, command, fds, &n_fds, err);
	if (code < 0)
		return code;
	code = idm_sys_write_all(child->request_fd, (const char *)child->request, child->request->size);
	if (code < 0)
		return idm_fail_errno(err, code, step_start, NULL);
	code = child->pidfd = exchange_command(r, command, fds, n_fds, &child->pid);
	if (code == -ESRCH)
		return idm_fail(err, code, step_start, NULL, "the fork server has exited");
	return code < 0 ? idm_child_diagnose_clone(code, cgroup, err) : 0;
}

static int clone_by_forkserver(struct idm_child_server *server, struct idm_child *child, uint64_t flags,
			       int cgroup, struct idm_error *err)
{
	struct start *r = (struct start *)server;
	struct idm_forkserver_command command = { .clone_flags = flags, .cgroup = cgroup };
	int ends[2] = { -1, -1 }, code = check_same_namespaces(r->forkserver, child->request, err);
	pid_t pid;

	if (code < 0)
		return code;
	code = idm_sys_pipe(ends);
	if (code < 0)
		return idm_fail_errno(err, code, step_start, NULL);
	r->report = ends[0];
	code = send_command(r, child, &command, ends[1], err);
	close(ends[1]);
	if (code < 0)
		return code;
	pid = idm_pidfd_get_pid(child->pidfd); /* the fork server may count in another PID namespace */
	if (pid > 0)
		child->pid = pid;
	return 0;
}

void idm_forkserver_await_end(int report)
{
	idm_sys_poll_until(report, POLLIN, NULL);
}

int idm_forkserver_start(struct idm_forkserver *forkserver, pthread_mutex_t *lock,
			 const struct idm_child_options *options, int *report, pid_t *pid,
			 struct idm_error *err)
{
	struct start r = {
		.server.clone = clone_by_forkserver, .forkserver = forkserver, .lock = lock, .report = -1
	};
	int pidfd = idm_child_start_by(&r.server, options, err);

	if (pidfd < 0 && r.report >= 0) {
		idm_forkserver_await_end(r.report);
		close(r.report);
	}
	*report = pidfd < 0 ? -1 : r.report;
	*pid = r.server.pid;
	return pidfd;
}

int idm_forkserver_take(int report, pid_t pid, struct idm_exit_info *exit)
{
	ssize_t n = idm_sys_read(report, exit, sizeof(*exit));

	if (n == -EAGAIN)
		return 0;
	if (n < 0)
		return (int)n;
	if (n != sizeof(*exit))
		*exit = (struct idm_exit_info){ .code = IDM_EXIT_LOST, .status = -1 };
	if (pid)
		exit->pid = pid;
	return 1;
}

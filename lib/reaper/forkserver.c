// SPDX-License-Identifier: MIT
/*
 * The program's side of the fork server.
 *
 * The fork server shares nothing with the program. A shared descriptor table would save passing
 * descriptors. But the socket's hangup says that the program has exited, and the socket does not hang up
 * while the fork server has both ends. It is an orphan, so no wait(2) in the program sees it, and no
 * SIGCHLD reports it. A subreaper gets it as a child, as it gets every orphan. Even if a wait reaps it
 * there, its sockets say what happened to it.
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
#include "lib/sys/raw-message.h"
#include "lib/sys/raw-syscall.h"
#include "lib/sys/seccomp-probe.h"
#include "lib/sys/syscall.h"

static const enum idm_error_step step_forkserver = IDM_STEP_START_FORKSERVER;
static const enum idm_error_step step_start = IDM_STEP_START_PROGRAM;

/* ---- beginning and end ---- */

/*
 * A child that another thread has forked may have the fork server's end, from before that was closed
 * here. The socket does not hang up then.
 */
static int await_answer_or_exit(const struct idm_forkserver *forkserver)
{
	struct pollfd p[] = { { .fd = forkserver->control, .events = POLLIN },
			      { .fd = forkserver->pidfd, .events = POLLIN } };
	long r;

	do
		r = raw(SYS_ppoll, p, ARRAY_SIZE(p));
	while (r == -EINTR);
	/* Where that fails, it can only be received: an answer that is left would be the next one's. */
	return r < 0 || p[0].revents ? 0 : -ECONNRESET;
}

/* Returns the answer. -ECONNRESET: the fork server has exited. */
static int await_answer(struct idm_forkserver *forkserver, int fds[IDM_SEND_FDS], size_t *n_fds)
{
	struct idm_forkserver_answer answer = { 0 };
	ssize_t n = await_answer_or_exit(forkserver);

	if (n == 0) {
		n = idm_raw_receive(forkserver->control, &answer, sizeof(answer), fds, n_fds);
		n = n == 0 ? -ECONNRESET : n;
	}
	forkserver->exited = n == -ECONNRESET;
	return n < 0 ? (int)n : answer.r;
}

/* Its inode number, or 0. */
static uint64_t get_own_userns(void)
{
	struct stat st;

	return idm_sys_fstatat(AT_FDCWD, "/proc/thread-self/ns/user", &st, 0) < 0 ? 0 : st.st_ino;
}

/* The fork server finds it in the socket. */
static int send_setup(int control, bool orphans)
{
	struct idm_request own = { 0 };
	struct idm_forkserver_setup setup = { .orphans = orphans };
	ssize_t r = idm_child_store_capabilities(&own);

	setup.caps = own.own;
	if (r == 0)
		r = idm_raw_send(control, &setup, sizeof(setup), NULL, 0);
	return r < 0 ? (int)r : 0;
}

static int open_ends(struct idm_forkserver *forkserver, bool orphans, int ends[3])
{
	int control[2] = { -1, -1 }, reports[2] = { -1, -1 }, r = idm_sys_socketpair(control);

	if (r == 0 && orphans)
		r = idm_sys_pipe(reports);
	forkserver->control = control[0];
	forkserver->orphans = reports[0];
	ends[FORKSERVER_CONTROL] = control[1];
	ends[FORKSERVER_ORPHANS] = reports[1];
	return r < 0 ? r : send_setup(forkserver->control, orphans);
}

static int start_and_await(struct idm_forkserver *forkserver, int ends[3], struct idm_error *err)
{
	const struct idm_carried_program program = { "idm-forkserver", idm_forkserver,
						     idm_forkserver_size };
	int fds[IDM_SEND_FDS], r;
	size_t n_fds;

	r = forkserver->pidfd = idm_child_start_carried(&program, ends, &forkserver->other_pidns,
							step_forkserver, err);
	if (r < 0)
		return r;
	close(idm_steal_fd(&ends[FORKSERVER_CONTROL]));
	r = await_answer(forkserver, fds, &n_fds);
	if (r == -ECONNRESET) /* it was killed */
		r = -ESRCH;
	forkserver->userns = get_own_userns();
	return r < 0 ? idm_fail_errno(err, r, step_forkserver, NULL) : 0;
}

static int open_and_start(struct idm_forkserver *forkserver, bool orphans, struct idm_error *err)
{
	int ends[3] = { -1, -1, -1 }, r = open_ends(forkserver, orphans, ends);

	r = r < 0 ? idm_fail_errno(err, r, step_forkserver, NULL)
		  : start_and_await(forkserver, ends, err);
	idm_close_fd(&ends[FORKSERVER_CONTROL]);
	idm_close_fd(&ends[FORKSERVER_ORPHANS]);
	return r;
}

int idm_forkserver_begin(struct idm_forkserver *forkserver, bool orphans, struct idm_error *err)
{
	int r = idm_check_waitid(step_forkserver, err);

	if (r < 0) /* a child that could not be reaped is not started */
		return r;
	r = idm_procfs_check_init();
	if (r < 0)
		return idm_diagnose_no_init(r, step_forkserver, err);
	*forkserver = IDM_NO_FORKSERVER;
	forkserver->owner = getpid();
	r = open_and_start(forkserver, orphans, err);
	if (r < 0)
		idm_forkserver_end(forkserver);
	return r;
}

/*
 * It exits by itself, but not while a forked child of the caller's has the socket, too. So the caller
 * kills it, and that child does not.
 */
void idm_forkserver_end(struct idm_forkserver *forkserver)
{
	idm_close_fd(&forkserver->control);
	idm_close_fd(&forkserver->orphans);
	if (forkserver->pidfd >= 0 && forkserver->owner == getpid())
		idm_pidfd_end_orphan(forkserver->pidfd);
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

/* The pidfd. -EMFILE also: the caller had no free number, and the fork server kills the child. */
static int receive_child(struct start *r, pid_t *pid)
{
	int fds[IDM_SEND_FDS], code;
	size_t n_fds = 0;
	char taken;

	code = await_answer(r->forkserver, fds, &n_fds);
	if (code < 0)
		return code;
	*pid = code;
	taken = n_fds == ANSWER_FDS;
	idm_raw_send(r->forkserver->control, &taken, sizeof(taken), NULL, 0);
	if (n_fds)
		r->report = fds[ANSWER_REPORT];
	return taken ? fds[ANSWER_PIDFD] : -EMFILE;
}

/*
 * Keeps a number free for the report. Without it the caller could not wait for the exit of a child that
 * it has no number for.
 */
static int exchange_command(struct start *r, const struct idm_forkserver_command *command,
			    const int *fds, size_t n_fds, pid_t *pid)
{
	AUTO_CLOSE int kept = r->forkserver->exited ? -ECONNRESET : idm_sys_dup(r->forkserver->control);
	ssize_t n = kept;

	if (n >= 0)
		n = idm_raw_send(r->forkserver->control, command, sizeof(*command), fds, n_fds);
	if (n < 0)
		return n == -EPIPE ? -ECONNRESET : (int)n;
	close(idm_steal_fd(&kept));
	return receive_child(r, pid);
}

static int exchange_command_alone(struct start *r, const struct idm_forkserver_command *command,
				  const int *fds, size_t n_fds, pid_t *pid)
{
	int pidfd;

	pthread_mutex_lock(r->lock);
	pidfd = exchange_command(r, command, fds, n_fds, pid);
	pthread_mutex_unlock(r->lock);
	return pidfd;
}

static int send_command(struct start *r, struct idm_child *child, struct idm_forkserver_command *command,
			struct idm_error *err)
{
	int cgroup = command->cgroup;
	int fds[IDM_SEND_FDS] = { [COMMAND_FILE] = child->request_fd }, code;
	size_t n_fds = COMMAND_FDS;

	code = pack_command_fds(child->request, command, fds, &n_fds, err);
	if (code < 0)
		return code;
	code = idm_sys_write_all(child->request_fd, (const char *)child->request, child->request->size);
	if (code < 0)
		return idm_fail_errno(err, code, step_start, NULL);
	code = child->pidfd = exchange_command_alone(r, command, fds, n_fds, &child->pid);
	if (code == -ECONNRESET)
		return idm_fail(err, code, step_start, NULL, "the fork server has exited");
	return code < 0 ? idm_child_diagnose_clone(code, cgroup, err) : 0;
}

static int clone_by_forkserver(struct idm_child_server *server, struct idm_child *child, uint64_t flags,
			       int cgroup, struct idm_error *err)
{
	struct start *r = (struct start *)server;
	struct idm_forkserver_command command = { .clone_flags = flags, .cgroup = cgroup };
	int code = check_same_namespaces(r->forkserver, child->request, err);
	pid_t pid;

	if (code == 0)
		code = send_command(r, child, &command, err);
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

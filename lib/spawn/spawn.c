// SPDX-License-Identifier: MIT
/*
 * Starting a program: the request is made here, where there is memory to allocate and words for errors;
 * the child only carries it out.
 *
 *   1. the caller makes the request (request.c) and, if an executor is needed, two memory files: one
 * for the executor, one for the request;
 *   2. it clones a child that shares its memory (clone.c, spawn/executor/vfork-child.c), and waits until
 * that has left it, by executing the program or the executor, or by ending;
 *   3. the executor (spawn/executor/main.c) holds a lock on the request's file until it has executed the
 * program or has ended; the caller waits for that lock;
 *   4. what the request's report says then is the result.
 *
 * A child that has failed is reaped by its pidfd. Until it executes something, no other wait can reap
 * it. From then on another wait does no harm, because the report says what happened.
 *
 * A server (a reaper's fork server) can make the clone of step 2. The caller does all the rest: the
 * locks do not depend on which process is the parent.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"
#include "lib/base/cancel.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/spawn/executor/executor.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/procfs.h"
#include "lib/sys/refused.h"
#include "lib/sys/seccomp-probe.h"
#include "lib/sys/syscall.h"

static const enum idm_error_step step_start = IDM_STEP_START_PROGRAM;

/* A server reaps its children by itself. */
static void reap_child(const struct idm_child *child, int pidfd)
{
	siginfo_t info;

	if (!child->server)
		idm_sys_waitid_pidfd(pidfd, &info, WEXITED | __WALL);
}

static void kill_and_reap(const struct idm_child *child, int pidfd)
{
	if (pidfd < 0)
		return;
	idm_sys_pidfd_send_signal(pidfd, SIGKILL);
	reap_child(child, pidfd);
	close(pidfd);
}

/* ---- memory files ---- */

/* A process in a container could reach it as /proc/PID/exe; sealed, there is nothing to change. */
static int open_executor_file(struct idm_error *err)
{
	static const enum idm_error_step step = IDM_STEP_MAKE_MEMORY_PROGRAM;
	AUTO_CLOSE int fd = idm_sys_memfd("idm-child", true);
	int r = fd;

	if (fd == -EACCES) {
		idm_fail(err, fd, step, NULL, "the kernel lets none be executed");
		idm_hint(err, "sysctl vm.memfd_noexec=1, or less");
	}
	if (fd == -EACCES)
		return fd;
	if (fd == -EPERM || fd == -ENOSYS)
		return idm_diagnose_refused(IDM_CALL_MEMFD_CREATE, fd, step, NULL, err);
	if (fd >= 0)
		r = idm_sys_write_all(fd, idm_executor, idm_executor_size);
	if (r >= 0)
		r = idm_sys_seal(fd);
	return r < 0 ? idm_fail_errno(err, r, step, NULL) : idm_steal_fd(&fd);
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

/* ---- waiting for the executor ---- */

/* A lack of memory, for example, which passes. No process can report it before the child is known. */
static bool pause_for_retry(int tries)
{
	if (tries == 100)
		return false;
	idm_sys_sleep(10);
	return true;
}

static void read_report(struct idm_child *child)
{
	struct idm_child_report *report = &child->request->report;
	ssize_t n;

	for (int i = 0; (n = idm_sys_pread(child->request_fd, report, sizeof(*report), 0)) < 0 &&
			pause_for_retry(i);
	     i++)
		;
	if (n != (ssize_t)sizeof(*report))
		*report = (struct idm_child_report){ .step = IDM_CHILD_STEP_EXECUTOR };
	report->words[sizeof(report->words) - 1] = '\0';
}

/* Until the process that has this lock has executed the program, or has ended. */
static void await_lock(struct idm_child *child, int lock)
{
	for (int i = 0; idm_sys_lock(child->request_fd, lock, F_WRLCK, true) < 0 && pause_for_retry(i);
	     i++)
		;
	idm_sys_lock(child->request_fd, lock, F_UNLCK, false);
	read_report(child);
}

/*
 * The pidfd of the second process, or of the assembler. Nothing but that process can hold its lock. That
 * it does before and after its number has been opened proves that the number was not free in between. It
 * cannot get any further before the caller allows it.
 */
static int open_lock_holder(const struct idm_child *child, int lock, pid_t *pid)
{
	AUTO_CLOSE int pidfd = -1;

	*pid = idm_sys_lock_holder(child->request_fd, lock);
	pidfd = *pid > 0 ? idm_sys_pidfd_open(*pid) : -ESRCH;
	if (pidfd >= 0 && idm_sys_lock_holder(child->request_fd, lock) != *pid)
		return -ESRCH;
	return idm_steal_fd(&pidfd);
}

/* Of all files in memory, this one alone has its number now. */
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

static bool has_name(int pidfd, const char *name)
{
	AUTO_CLOSE int process = idm_procfs_open(pidfd, false, NULL);
	AUTO_CLOSE int fd = process < 0 ? process : idm_procfs_openat(process, "comm", O_RDONLY);
	char text[32];
	ssize_t n = fd < 0 ? fd : idm_sys_read(fd, text, sizeof(text));

	return n > 0 && (size_t)n == strlen(name) + 1 && memcmp(text, name, (size_t)n - 1) == 0;
}

/*
 * Kills and reaps a second process or an assembler that cannot be held by its lock: it is dead, or exits
 * because the caller does not let it continue. (That is enough where a server reaps it.) Its number may
 * be another process's by now. No other process has the name. A process that has the number and the name
 * is the child if it is not reaped before it is killed; the pidfd guarantees that.
 */
static void reap_by_name(const struct idm_child *child, pid_t pid)
{
	AUTO_CLOSE int pidfd = pid > 0 && !child->server ? idm_sys_pidfd_open(pid) : -ESRCH;

	if (pidfd >= 0 && has_name(pidfd, child->request->name) &&
	    idm_sys_pidfd_send_signal(pidfd, SIGKILL) == 0)
		reap_child(child, pidfd);
}

/* It has done its work, or its child is gone. It holds its lock until the caller releases it. */
static void reap_assembler(const struct idm_child *child)
{
	pid_t pid;
	int pidfd = open_lock_holder(child, IDM_LOCK_ASSEMBLER, &pid);

	if (pidfd < 0)
		reap_by_name(child, child->request->report.assembler);
	idm_sys_lock(child->request_fd, IDM_LOCK_RELEASE, F_UNLCK, false);
	kill_and_reap(child, pidfd);
}

/* The first one has exited, and the second replaces it. */
static int switch_to_second(struct idm_child *child, struct idm_error *err)
{
	static const uint32_t go = 1;
	pid_t pid;
	int pidfd = open_lock_holder(child, IDM_LOCK_SECOND, &pid);

	if (pidfd < 0) {
		reap_by_name(child, child->request->report.pid);
		/* If it is gone, the report says where it was last. */
		return pidfd == -ESRCH ? 0 : idm_fail_errno(err, pidfd, step_start, NULL);
	}
	reap_child(child, child->pidfd);
	close(child->pidfd);
	child->pidfd = pidfd;
	child->pid = pid;
	idm_sys_pwrite(child->request_fd, &go, sizeof(go), offsetof(struct idm_request, go));
	idm_sys_lock(child->request_fd, IDM_LOCK_CALLER, F_UNLCK, false);
	await_lock(child, IDM_LOCK_SECOND);
	return 0;
}

static int await_executor(struct idm_child *child, struct idm_error *err)
{
	const struct idm_child_report *report = &child->request->report;

	/* It may have failed to get there at all: then this is the last word. */
	if (!(child->request->flags & IDM_REQUEST_EXECUTOR) || report->error)
		return 0;
	await_lock(child, IDM_LOCK_FIRST);
	if (!(child->request->flags & IDM_REQUEST_SECOND) || report->error ||
	    report->step != IDM_CHILD_STEP_SECOND)
		return 0;
	return switch_to_second(child, err);
}

/* ---- all of it ---- */

static int clone_as_parent(struct idm_child *child, uint64_t flags, int cgroup, struct idm_error *err)
{
	int r = idm_child_make_stack(child);

	if (r < 0)
		return idm_fail_errno(err, r, step_start, NULL);
	r = idm_child_clone(child, flags, cgroup);
	if (r == 0)
		idm_child_await_leaving(child);
	idm_child_free_stack(child);
	return r < 0 ? idm_child_diagnose_clone(r, cgroup, err) : 0;
}

static int clone_by_server(struct idm_child *child, uint64_t flags, int cgroup, struct idm_error *err)
{
	int r = child->server->clone(child->server, child, flags, cgroup, err);

	if (r == 0)
		read_report(child);
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
	/* Executed by now, if at all: that makes room for the second one's pidfd. */
	if (child->executor_fd >= 0)
		close(idm_steal_fd(&child->executor_fd));
	r = await_executor(child, err);
	if (report->assembler > 0)
		reap_assembler(child);
	if (r == 0 && (report->error || report->step != IDM_CHILD_STEP_EXEC))
		r = idm_child_diagnose(o, child->request, err);
	if (r < 0) {
		kill_and_reap(child, child->pidfd);
		return r;
	}
	if (o->pid)
		*o->pid = child->pid;
	if (child->server)
		child->server->pid = child->pid;
	return child->pidfd;
}

/* Another process than the first one is found by its number, to be waited for. */
static bool needs_pidfd_open(const struct idm_request *request)
{
	return request->flags & IDM_REQUEST_SECOND || idm_request_locks_mounts(request);
}

/* A child that could not be reaped is not started. */
static int check_reaping(const struct idm_request *request, struct idm_error *err)
{
	int r = idm_refused_waitid();

	if (r < 0)
		return idm_fail(err, r, step_start, NULL, "a seccomp filter refuses waitid(2)");
	if (request->flags & IDM_REQUEST_SECOND && idm_procfs_child_would_be_init())
		return idm_diagnose_no_init(step_start, err);
	return 0;
}

static int check_calls(const struct idm_request *request, struct idm_error *err)
{
	int r = needs_pidfd_open(request) ? idm_filter_refuses(IDM_CALL_PIDFD_OPEN) : 0;

	return r < 0 ? idm_diagnose_filtered(IDM_CALL_PIDFD_OPEN, r, step_start, NULL, err) : 0;
}

/* The files in memory that the request needs. A server gets every request in one. */
static int open_request_files(struct idm_child *child, struct idm_error *err)
{
	struct idm_request *request = child->request;
	bool executor = request->flags & IDM_REQUEST_EXECUTOR;

	if (executor) {
		child->executor_fd = open_executor_file(err);
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

/* The server is in another working directory than the caller. */
static int open_caller_directory(const struct idm_child_options *o, struct idm_child *child,
				 struct idm_error *err)
{
	if (!child->server || o->root_fd >= 0)
		return 0;
	child->cwd_fd = idm_sys_openat(AT_FDCWD, ".", O_PATH | O_DIRECTORY, 0);
	if (child->cwd_fd < 0)
		return idm_fail_errno(err, child->cwd_fd, step_start, NULL);
	child->request->cwd_fd = child->cwd_fd;
	return 0;
}

static int start_request(const struct idm_child_options *o, struct idm_child *child,
			 uint64_t clone_flags, struct idm_error *err)
{
	int r = child->server ? 0 : check_reaping(child->request, err);

	if (r == 0)
		r = check_calls(child->request, err);
	if (r == 0)
		r = open_request_files(child, err);
	if (r == 0)
		r = open_caller_directory(o, child, err);
	return r < 0 ? r : run_child_request(o, child, clone_flags, err);
}

/* The locks go with the request's file. */
static void close_request_files(struct idm_child *child)
{
	idm_close_fd(&child->request_fd);
	idm_close_fd(&child->executor_fd);
	idm_close_fd(&child->cwd_fd);
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
	close_request_files(&child);
	idm_child_close_userns(&userns);
	return r;
}

int idm_child_start(const struct idm_child_options *options, struct idm_error *err)
{
	HOLD_CANCEL;
	struct idm_child_options own;
	int r = idm_child_take_options(&own, options, err);

	return r < 0 ? r : make_and_start_request(&own, NULL, err);
}

int idm_child_start_by(struct idm_child_server *server, const struct idm_child_options *options,
		       struct idm_error *err)
{
	struct idm_child_options own;
	int r = idm_child_take_options(&own, options, err);

	if (r == 0)
		r = idm_child_check_for_server(&own, err);
	return r < 0 ? r : make_and_start_request(&own, server, err);
}

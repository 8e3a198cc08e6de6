// SPDX-License-Identifier: MIT
/* Waits for the executor by the locks of its processes, and opens their pidfds by these locks. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/procfs.h"
#include "lib/sys/syscall.h"

static const enum idm_error_step step_start = IDM_STEP_START_PROGRAM;

/* A server reaps its own children. */
static void reap_child(const struct idm_child *child, int pidfd)
{
	siginfo_t info;

	if (!child->server)
		idm_sys_waitid_pidfd(pidfd, &info, WEXITED | __WALL);
}

void idm_child_kill_and_reap(const struct idm_child *child, int pidfd)
{
	if (pidfd < 0)
		return;
	idm_sys_pidfd_send_signal(pidfd, SIGKILL);
	reap_child(child, pidfd);
	close(pidfd);
}

/*
 * The call failed for lack of memory, for example, which passes. No other process can report to the
 * caller yet.
 */
static bool pause_for_retry(int tries)
{
	if (tries == 100)
		return false;
	idm_sys_sleep(10);
	return true;
}

void idm_child_read_report(struct idm_child *child)
{
	struct idm_child_report *report = &child->request->report;
	ssize_t n;

	for (int i = 0; (n = idm_sys_pread(child->request_fd, report, sizeof(*report), 0)) < 0 &&
			pause_for_retry(i);
	     i++)
		;
	if (n != (ssize_t)sizeof(*report))
		*report = (struct idm_child_report){ .step = IDM_CHILD_STEP_EXECUTOR };
	report->message[sizeof(report->message) - 1] = '\0';
}

/* Waits until the process that holds this lock has executed the program, or has exited. */
static void await_lock(struct idm_child *child, int lock)
{
	for (int i = 0; idm_sys_lock(child->request_fd, lock, F_WRLCK, true) < 0 && pause_for_retry(i);
	     i++)
		;
	idm_sys_lock(child->request_fd, lock, F_UNLCK, false);
	idm_child_read_report(child);
}

/*
 * Opens the pidfd of the second process, or of the assembler. No other process can lock the same byte.
 * The lock belongs to the same process before and after the open, so the number was not reused in
 * between. That process waits until the caller lets it continue.
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

static bool has_name(int pidfd, const char *name)
{
	AUTO_CLOSE int process = idm_procfs_open(pidfd, false, NULL);
	AUTO_CLOSE int fd = process < 0 ? process : idm_procfs_openat(process, "comm", O_RDONLY);
	char text[32];
	ssize_t n = fd < 0 ? fd : idm_sys_read(fd, text, sizeof(text));

	return n > 0 && (size_t)n == strlen(name) + 1 && memcmp(text, name, (size_t)n - 1) == 0;
}

/*
 * Kills and reaps a second process or an assembler that keeps no lock: it is dead, or exits because the
 * caller does not let it continue. (A server reaps it by itself.) Another process may have its number by
 * now, but no other process has its name. A process with that number and name is the child. Its pidfd
 * keeps the signal from any other process.
 */
static void reap_by_name(const struct idm_child *child, pid_t pid)
{
	AUTO_CLOSE int pidfd = pid > 0 && !child->server ? idm_sys_pidfd_open(pid) : -ESRCH;

	if (pidfd >= 0 && has_name(pidfd, child->request->name) &&
	    idm_sys_pidfd_send_signal(pidfd, SIGKILL) == 0)
		reap_child(child, pidfd);
}

/*
 * The assembler has finished, or the child has exited. It holds its lock until the caller releases it.
 */
void idm_child_reap_assembler(const struct idm_child *child)
{
	pid_t pid;
	int pidfd = open_lock_holder(child, IDM_LOCK_ASSEMBLER, &pid);

	if (pidfd < 0)
		reap_by_name(child, child->request->report.assembler);
	idm_sys_lock(child->request_fd, IDM_LOCK_RELEASE, F_UNLCK, false);
	idm_child_kill_and_reap(child, pidfd);
}

/* The first process has exited. The second one replaces it. */
static int switch_to_second(struct idm_child *child, struct idm_error *err)
{
	static const uint32_t released = 1;
	pid_t pid;
	int pidfd = open_lock_holder(child, IDM_LOCK_SECOND, &pid);

	if (pidfd < 0) {
		reap_by_name(child, child->request->report.pid);
		/* If it has exited, the report names its last step. */
		return pidfd == -ESRCH ? 0 : idm_fail_errno(err, pidfd, step_start, NULL);
	}
	reap_child(child, child->pidfd);
	close(child->pidfd);
	child->pidfd = pidfd;
	child->pid = pid;
	idm_sys_pwrite(child->request_fd, &released, sizeof(released),
		       offsetof(struct idm_request, released));
	idm_sys_lock(child->request_fd, IDM_LOCK_CALLER, F_UNLCK, false);
	await_lock(child, IDM_LOCK_SECOND);
	return 0;
}

int idm_child_await_executor(struct idm_child *child, struct idm_error *err)
{
	const struct idm_child_report *report = &child->request->report;

	/* The child failed before the executor: the report is complete. */
	if (!(child->request->flags & IDM_REQUEST_EXECUTOR) || report->error)
		return 0;
	await_lock(child, IDM_LOCK_FIRST);
	/* The second process may have failed by now, and has to be reaped. */
	return report->pid > 0 ? switch_to_second(child, err) : 0;
}

// SPDX-License-Identifier: MIT
#include "pidfd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>

#include "lib/base/cancel.h"
#include "lib/base/macros.h"
#include "procfs.h"
#include "syscall.h"

/*
 * The kernel first looks for an exit to report, then for the process, and last for its number. If the
 * process is reaped in between, the kernel returns -ESRCH, as if it knew nothing. That can happen only
 * once: the kernel records the exit before it releases the number.
 */
int idm_pidfd_get_info(int pidfd, uint64_t what, struct idm_pidfd_info *info)
{
	int r = -ESRCH;

	for (int i = 0; i < 2 && r == -ESRCH; i++) {
		*info = (struct idm_pidfd_info){ .mask = what };
		r = idm_sys_ioctl(pidfd, IDM_PIDFD_GET_INFO, info);
	}
	return r;
}

/*
 * A pidfd of a thread (PIDFD_THREAD, Linux 6.9) has this flag of open(2). Nothing can wait for a thread,
 * and its exit is not that of its process.
 */
static bool is_of_thread(int pidfd)
{
	int flags = idm_sys_open_flags(pidfd);

	return flags >= 0 && flags & O_EXCL;
}

/*
 * A wait finds nothing. Either another wait consumed the exit and the kernel reports it (Linux 6.15), or
 * the process was never the caller's child, or the status is lost.
 */
static int check_child_without_wait(int pidfd)
{
	struct idm_pidfd_info info;

	if (is_of_thread(pidfd))
		return -EINVAL;
	if (!(idm_sys_poll(pidfd, POLLIN) & POLLIN))
		return -ECHILD;
	if (idm_pidfd_get_info(pidfd, IDM_PIDFD_INFO_PID | IDM_PIDFD_INFO_EXIT, &info) < 0)
		return -ESRCH;
	/* Another parent's zombie. If the caller is its parent, another thread is waiting for it. */
	if (info.mask & IDM_PIDFD_INFO_PID && info.ppid != (uint32_t)getpid())
		return -ECHILD;
	return 0;
}

static int check_child_by_wait(int pidfd)
{
	siginfo_t info;
	int r = idm_sys_waitid_pidfd(pidfd, &info, WEXITED | WNOHANG | WNOWAIT | __WALL);

	return r == -ECHILD ? check_child_without_wait(pidfd) : r;
}

/* Linux 6.9: an inode number that no other process ever has. */
static uint64_t get_pidfd_inode(int pidfd)
{
	struct statfs fs;
	struct stat st;

	if (idm_sys_fstatfs(pidfd, &fs) < 0 || fs.f_type != IDM_PIDFS_MAGIC ||
	    idm_sys_fstatat(pidfd, "", &st, AT_EMPTY_PATH) < 0)
		return 0;
	return st.st_ino;
}

/* Before Linux 6.9 the number must do: no other process has it before this one is reaped. */
static int check_child_by_number(int pidfd, struct idm_pidref *process)
{
	HOLD_CANCEL; /* idm_reaper_add() does not */
	int r = check_child_by_wait(pidfd);

	if (r < 0)
		return r;
	process->pid = idm_pidfd_get_pid(pidfd);
	if (process->pid && !process->key)
		process->key = IDM_KEY_NUMBER | (uint64_t)process->pid;
	return 0;
}

int idm_pidfd_check_child(int pidfd, struct idm_pidref *process)
{
	struct idm_pidfd_info info;

	*process = (struct idm_pidref){ .key = get_pidfd_inode(pidfd) };
	/* Linux 6.13 answers at once; only of a pidfd is it known what that request does. */
	if (!process->key || idm_pidfd_get_info(pidfd, IDM_PIDFD_INFO_PID, &info) < 0 ||
	    !(info.mask & IDM_PIDFD_INFO_PID))
		return check_child_by_number(pidfd, process);
	if (info.pid != info.tgid) /* of a thread, which has the parent of its process */
		return -EINVAL;
	process->pid = (pid_t)info.pid;
	return info.ppid == (uint32_t)getpid() ? 0 : -ECHILD;
}

pid_t idm_pidfd_get_pid(int pidfd)
{
	struct idm_pidfd_info info;
	AUTO_CLOSE int proc = -1;
	int r = idm_pidfd_get_info(pidfd, IDM_PIDFD_INFO_PID, &info);
	pid_t pid;

	if (r == 0 || r == -ESRCH)
		return r == 0 && info.mask & IDM_PIDFD_INFO_PID ? (pid_t)info.pid : 0;
	proc = idm_procfs_own(NULL); /* before Linux 6.13 */
	pid = proc < 0 ? 0 : idm_procfs_number(proc, pidfd);
	return pid > 0 ? pid : 0;
}

/* A tracer's wait for exits also returns stops of the children that it traces. */
bool idm_exit_is_end(const siginfo_t *info)
{
	return info->si_pid && (info->si_code == CLD_EXITED || info->si_code == CLD_KILLED ||
				info->si_code == CLD_DUMPED);
}

bool idm_pidfd_is_reaped(int pidfd)
{
	return idm_sys_pidfd_send_signal(pidfd, 0) == -ESRCH;
}

void idm_pidfd_end_orphan(int pidfd)
{
	bool killed = idm_sys_pidfd_send_signal(pidfd, SIGKILL) == 0;
	struct timespec deadline;
	siginfo_t info;

	idm_sys_deadline(&deadline, 1000);
	if (idm_sys_poll_until(pidfd, POLLIN, killed ? NULL : &deadline) > 0)
		idm_sys_waitid_pidfd(pidfd, &info, WEXITED | __WALL);
}

void idm_exit_from_status(struct idm_exit_info *exit, int status)
{
	if (WIFSIGNALED(status)) {
		exit->code = WCOREDUMP(status) ? CLD_DUMPED : CLD_KILLED;
		exit->status = WTERMSIG(status);
	} else {
		exit->code = CLD_EXITED;
		exit->status = WEXITSTATUS(status);
	}
}

/*
 * Another wait consumed the status. A kernel that reports it (Linux 6.15) does so when that wait is
 * over, and the pidfd hangs up then. An older kernel never reports it.
 */
static int get_exit_of_reaped(int pidfd, struct idm_exit_info *exit)
{
	struct idm_pidfd_info info;

	if (idm_pidfd_get_info(pidfd, IDM_PIDFD_INFO_EXIT, &info) < 0) {
		exit->code = IDM_EXIT_LOST;
		exit->status = -1;
		return 1;
	}
	if (!(info.mask & IDM_PIDFD_INFO_EXIT))
		return 0;
	idm_exit_from_status(exit, info.exit_code);
	return 1;
}

/* __WALL: the child may have been made with another exit signal than SIGCHLD, or none. */
int idm_pidfd_reap(int pidfd, pid_t pid, struct idm_exit_info *exit)
{
	siginfo_t info = { 0 };
	int r = idm_sys_waitid_pidfd(pidfd, &info, WEXITED | WNOHANG | __WALL);

	*exit = (struct idm_exit_info){ .pid = pid };
	if (r == -ECHILD)
		return get_exit_of_reaped(pidfd, exit);
	if (r < 0)
		return r;
	if (!idm_exit_is_end(&info)) /* traced by another process, which has to hear of it first */
		return 0;
	*exit = (struct idm_exit_info){ info.si_pid, info.si_code, info.si_status };
	return 1;
}

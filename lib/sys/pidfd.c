// SPDX-License-Identifier: MIT
#include "pidfd.h"

#include <errno.h>
#include <poll.h>

#include "lib/base/macros.h"
#include "procfs.h"
#include "syscall.h"

/*
 * The kernel first looks whether there is an exit to tell of, then for the process, and last at its
 * number. If it is reaped in the midst of that, the answer is -ESRCH, as if nothing were known. That is
 * so once: when it has no number any more, the exit has been put down.
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
 * Not by a wait any more. Either it was taken and the kernel tells what it was (Linux 6.15), or it was
 * not our child ever, or the answer is gone.
 */
static int expect_without_wait(int pidfd)
{
	struct idm_pidfd_info info;

	if (!(idm_sys_poll(pidfd, POLLIN) & POLLIN))
		return -ECHILD;
	if (idm_pidfd_get_info(pidfd, IDM_PIDFD_INFO_PID | IDM_PIDFD_INFO_EXIT, &info) < 0)
		return -ESRCH;
	/* Somebody else's zombie. If it is ours, it is being waited for right now. */
	if (info.mask & IDM_PIDFD_INFO_PID && info.ppid != (uint32_t)getpid())
		return -ECHILD;
	return 0;
}

static int expect_by_wait(int pidfd)
{
	siginfo_t info;
	int r = idm_sys_waitid_pidfd(pidfd, &info, WEXITED | WNOHANG | WNOWAIT | __WALL);

	return r == -ECHILD ? expect_without_wait(pidfd) : r;
}

/* Linux 6.9: an inode number that no other process ever has. */
static uint64_t inode_of(int pidfd)
{
	struct statfs fs;
	struct stat st;

	if (idm_sys_fstatfs(pidfd, &fs) < 0 || fs.f_type != IDM_PIDFS_MAGIC ||
	    idm_sys_fstatat(pidfd, "", &st, AT_EMPTY_PATH) < 0)
		return 0;
	return st.st_ino;
}

/* Before Linux 6.9 the number has to do: nobody else has it before the process has been waited for. */
static int expect_by_number(int pidfd, struct idm_pidref *process)
{
	int r = expect_by_wait(pidfd);

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

	*process = (struct idm_pidref){ .key = inode_of(pidfd) };
	/* Linux 6.13 answers at once; only of a pidfd is it known what that request does. */
	if (!process->key || idm_pidfd_get_info(pidfd, IDM_PIDFD_INFO_PID, &info) < 0 ||
	    !(info.mask & IDM_PIDFD_INFO_PID))
		return expect_by_number(pidfd, process);
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

/* Stops of children that one traces are told to whoever waits for ends, whether he wants them or not. */
bool idm_exit_is_end(const siginfo_t *info)
{
	return info->si_pid && (info->si_code == CLD_EXITED || info->si_code == CLD_KILLED ||
				info->si_code == CLD_DUMPED);
}

bool idm_pidfd_is_reaped(int pidfd)
{
	return idm_sys_pidfd_send_signal(pidfd, 0) == -ESRCH;
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
 * Somebody else's wait has it. Where the kernel tells what it was, it does so once that wait is over,
 * and the pidfd hangs up then; where it does not, there is nothing more to come.
 */
static int taken_by_another(int pidfd, struct idm_exit_info *exit)
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
		return taken_by_another(pidfd, exit);
	if (r < 0)
		return r;
	if (!idm_exit_is_end(&info)) /* traced by another process, which has to hear of it first */
		return 0;
	*exit = (struct idm_exit_info){ info.si_pid, info.si_code, info.si_status };
	return 1;
}

/* SPDX-License-Identifier: MIT */
/* Exits of processes, through their pidfds. */
#ifndef IDM_SYS_PIDFD_H
#define IDM_SYS_PIDFD_H

#include <signal.h>

#include "idmount.h"
#include "syscall.h"

/* What says that a key is a number that may be used again. */
#define IDM_KEY_NUMBER (1ULL << 63)

struct idm_pidref {
	pid_t pid;    /* in the caller's PID namespace; 0: not known, or not before its exit */
	uint64_t key; /* tells processes apart; 0: not known */
};

/*
 * Identifies the process of a pidfd whose exit the caller can await. -ECHILD: not a child of this
 * process. -ESRCH: it exited, another wait reaped it, and its status is lost. -EBADF, -EINVAL: not a
 * pidfd of a process, but for example of a thread.
 */
int idm_pidfd_check_child(int pidfd, struct idm_pidref *process);

/* Returns its number in the caller's PID namespace; 0 if it cannot be known any more. */
pid_t idm_pidfd_get_pid(int pidfd);

/*
 * Gets what the kernel reports about the process (IDM_PIDFD_INFO_*), in spite of the race with the
 * process that reaps it. Returns 0, or -errno as the ioctl. -ENOTTY, -EINVAL: before Linux 6.13.
 */
int idm_pidfd_get_info(int pidfd, uint64_t what, struct idm_pidfd_info *info);

/* Converts a status of wait(2). */
void idm_exit_from_status(struct idm_exit_info *exit, int status);

/* What waitid(2) has filled in: the end of a process, nothing (si_pid is 0), or a stop of a traced one.
 */
bool idm_exit_is_end(const siginfo_t *info);

/* Whether it has been waited for: from here on its number may be another's. */
bool idm_pidfd_is_reaped(int pidfd);

/*
 * Kills an orphan and waits until it has exited. Reaps it, if this process is the subreaper that has got
 * it. Where the caller may not kill it, it exits by itself, since it has failed or its socket has hung
 * up. Another process may hold that socket, so this waits for one second.
 */
void idm_pidfd_end_orphan(int pidfd);

/*
 * Waits for it, to be called when the pidfd is readable: before, a stop of a child that this process
 * traces would be taken as well. 1 and *exit. 0: it cannot be had yet, the pidfd becomes readable anew.
 * `pid` is what is known of its number.
 */
int idm_pidfd_reap(int pidfd, pid_t pid, struct idm_exit_info *exit);

#endif

/* SPDX-License-Identifier: MIT */
/* How a process ended, learnt through its pidfd. */
#ifndef IDM_SYS_PIDFD_H
#define IDM_SYS_PIDFD_H

#include <signal.h>

#include "idmount.h"
#include "syscall.h"

/* What says that a key is a number that may be used again. */
#define IDM_KEY_NUMBER (1ULL << 63)

struct idm_pidref {
	pid_t pid;    /* in our PID namespace; 0: not known, or not known before its end */
	uint64_t key; /* tells processes apart; 0: not known */
};

/*
 * Who is behind a pidfd, if its end can be awaited. -ECHILD: not a child of this process. -ESRCH: it has
 * ended and was waited for by somebody else, and its status is lost. -EBADF, -EINVAL: not a pidfd of a
 * process.
 */
int idm_pidfd_check_child(int pidfd, struct idm_pidref *process);

/* Its number in our PID namespace; 0 if it cannot be known any more. */
pid_t idm_pidfd_get_pid(int pidfd);

/*
 * What the kernel tells of the process (IDM_PIDFD_INFO_*), through the race with whoever reaps it: 0, or
 * -errno as the ioctl. -ENOTTY, -EINVAL: before Linux 6.13.
 */
int idm_pidfd_get_info(int pidfd, uint64_t what, struct idm_pidfd_info *info);

/* How a process ended, from the status of old. */
void idm_exit_from_status(struct idm_exit_info *exit, int status);

/* What waitid(2) has filled in: the end of a process, nothing (si_pid is 0), or a stop of a traced one.
 */
bool idm_exit_is_end(const siginfo_t *info);

/* Whether it has been waited for: from here on its number may be another's. */
bool idm_pidfd_is_reaped(int pidfd);

/*
 * Waits for it, to be called when the pidfd is readable: before, a stop of a child that this process
 * traces would be taken as well. 1 and *exit. 0: it cannot be had yet, the pidfd becomes readable anew.
 * `pid` is what is known of its number.
 */
int idm_pidfd_reap(int pidfd, pid_t pid, struct idm_exit_info *exit);

#endif

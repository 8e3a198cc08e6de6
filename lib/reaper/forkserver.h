/* SPDX-License-Identifier: MIT */
/*
 * The fork server: a process that starts others for the caller and waits for them. It reports each exit
 * through a pipe of its own. A pipe that hangs up without a report says that the fork server was killed.
 */
#ifndef IDM_REAPER_FORKSERVER_H
#define IDM_REAPER_FORKSERVER_H

#include <pthread.h>

#include "idmount.h"

struct idm_forkserver {
	int pidfd;   /* -1: not started */
	pid_t owner; /* the process that has started it */
	int control; /* requests go out, answers come back; it hangs up when the fork server exits */
	int orphans; /* reports of orphans; -1 if they are not wanted */
	bool exited; /* it does not answer any more */
	bool other_pidns; /* it counts processes in another PID namespace than the program */
	uint64_t userns;  /* the inode number of its user namespace; 0: not known */
};
#define IDM_NO_FORKSERVER ((struct idm_forkserver){ .pidfd = -1, .control = -1, .orphans = -1 })

/* Starts it. 0 or -errno. */
int idm_forkserver_begin(struct idm_forkserver *forkserver, bool orphans, struct idm_error *err);

/*
 * Has it start a program. Returns the program's pidfd; *report is the pipe, *pid the number. -ESRCH: the
 * fork server has exited. Otherwise the errors of idm_child_start(). The lock is held while the two
 * speak, and not while the program's namespaces and mounts are made.
 */
int idm_forkserver_start(struct idm_forkserver *forkserver, pthread_mutex_t *lock,
			 const struct idm_child_options *options, int *report, pid_t *pid,
			 struct idm_error *err);

/* Waits until the fork server has reaped the program of this pipe, or has exited. */
void idm_forkserver_await_end(int report);

/* Reads a report. Returns 1, or 0 if no report has come. If the fork server is gone: 1, and
 * IDM_EXIT_LOST. */
int idm_forkserver_take(int report, pid_t pid, struct idm_exit_info *exit);

void idm_forkserver_end(struct idm_forkserver *forkserver);

#endif

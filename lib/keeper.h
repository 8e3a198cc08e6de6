/* SPDX-License-Identifier: MIT */
/*
 * The keeper: a process that starts others in our stead and waits for them. It reports each end through
 * a pipe of its own: one that hangs up without a report says that the keeper was killed.
 */
#ifndef IDM_KEEPER_H
#define IDM_KEEPER_H

#include "idmount.h"

struct idm_keeper {
	int pidfd;   /* -1: there is none */
	int control; /* requests go out, answers come back; its end is the keeper's */
	int orphans; /* reports of orphans; -1 if they are not wanted */
};

struct idm_program {
	char *const *argv, *const *envp;
	const int *fds;
	size_t n_fds;
};

#define IDM_KEEPER_FDS 250 /* the kernel passes 253 at once */

/* Starts it. 0 or -errno. */
int idm_keeper_begin(struct idm_keeper *keeper, bool orphans, struct idm_error *err);

/*
 * Has it start a program. Returns the program's pidfd; *report is the pipe, *pid the number. -ESRCH: the
 * keeper is gone. Otherwise the errors of execve(2) and clone(2). One at a time.
 */
int idm_keeper_start(struct idm_keeper *keeper, const struct idm_program *program, int *report,
		     pid_t *pid, struct idm_error *err);

/* Reads a report. 1, 0: there is none. The keeper is gone: 1, and IDM_EXIT_LOST. */
int idm_keeper_take(int report, pid_t pid, struct idm_exit *exit);

void idm_keeper_end(struct idm_keeper *keeper);

#endif

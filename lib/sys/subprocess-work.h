/* SPDX-License-Identifier: MIT */
/* The parts that both kinds of subprocess have in common. */
#ifndef IDM_SYS_SUBPROCESS_WORK_H
#define IDM_SYS_SUBPROCESS_WORK_H

#include <stdbool.h>

#include "subprocess.h"

/*
 * The answer comes back in memory that both sides see, and not as an exit status. A foreign wait with
 * __WALL could take that, and the work cannot be done again to find out.
 */
struct idm_work {
	int (*run)(void *data);
	void *data;
	int result;
	bool had_child; /* see idm_subprocess_shared_again() */
	bool done;	/* else the child was killed before */
};

/*
 * Starts a child that does the work, with more flags of clone(2). Returns 0 or -errno. The child is to
 * be reaped by idm_subprocess_end().
 */
int idm_work_start(struct idm_work *work, int flags, struct idm_subprocess *process);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * What a child does, step by step. Compiled twice: for the library, where the child shares the caller's
 * memory, and for the stage, which has a memory of its own. It calls nothing but the kernel.
 *
 * Every step returns 0 or -errno; what it was about is in the report then.
 */
#ifndef IDM_CHILD_STEPS_H
#define IDM_CHILD_STEPS_H

#include "child-plan.h"
#include "child-raw.h"

/* What an offset stands for; NULL for 0. */
static inline void *idm_plan_at(struct idm_plan *plan, uint32_t offset)
{
	return offset ? (char *)plan + offset : (void *)0;
}

/* Says what is being done: the last that was said is what failed. */
static inline void idm_plan_begin(struct idm_plan *plan, enum idm_child_step step, uint32_t item,
				  uint32_t string)
{
	plan->report.step = step;
	plan->report.item = item;
	plan->report.string = string;
}

__attribute__((noreturn)) static inline void idm_raw_exit(int status)
{
	for (;;)
		raw(SYS_exit_group, status);
}

/* Reports what a step returned, and ends. */
__attribute__((noreturn)) static inline void idm_plan_fail(struct idm_plan *plan, long r)
{
	plan->report.error = (int32_t)r;
	idm_raw_exit(1);
}

/* Takes the lock (IDM_LOCK_*) of this process, waiting if `wait`. */
long idm_plan_lock(struct idm_plan *plan, int lock, int wait);

/* Calls `each` for every descriptor of the plan that the program does not get. */
void idm_plan_each_fd(struct idm_plan *plan, void (*each)(int32_t *fd, long arg), long arg);
void idm_plan_set_fd_flags(int32_t *fd, long flags);

/* child-first.c: the child in the caller's memory. */
void idm_child_first(void *plan);
long idm_child_arrange_fds(struct idm_plan *plan);

/* child-last.c: what comes last, in either memory. The program is executed, or that fails. */
long idm_child_session(struct idm_plan *plan);
long idm_child_cwd(struct idm_plan *plan);
long idm_child_exec(struct idm_plan *plan);

/* child-stage.c, the stage only. */
long idm_child_enter(struct idm_plan *plan); /* child-enter.c */
long idm_child_second(struct idm_plan *plan);
long idm_child_root(struct idm_plan *plan);	   /* child-root.c */
long idm_child_mounts(struct idm_plan *plan);	   /* child-mounts.c */
long idm_child_credentials(struct idm_plan *plan); /* child-creds.c */
void idm_child_capset(const struct idm_plan_caps *caps, long *r);
long idm_child_set_ambient(uint64_t ambient);
void idm_child_init(struct idm_plan *plan, void (*program)(void *plan)); /* child-init.c */

#endif

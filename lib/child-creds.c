// SPDX-License-Identifier: MIT
/* Of the stage: ids and capabilities, in the order in which each still permits the next. */
#include <errno.h>
#include <linux/prctl.h>

#include "child-steps.h"
#include "idmount.h"

static long set_bounding(struct idm_plan *plan)
{
	long r = 0;

	idm_plan_begin(plan, IDM_STEP_BOUNDING, 0, 0);
	for (int i = 0; i < 64 && r == 0; i++)
		if (!(plan->caps.bounding >> i & 1) && raw(SYS_prctl, PR_CAPBSET_READ, i) == 1)
			r = raw(SYS_prctl, PR_CAPBSET_DROP, i);
	return r;
}

static long set_ids(struct idm_plan *plan)
{
	long r = 0;

	if (plan->flags & IDM_PLAN_SET_GROUPS) {
		idm_plan_begin(plan, IDM_STEP_GROUPS, 0, 0);
		r = raw(SYS_setgroups, plan->n_groups, idm_plan_at(plan, plan->groups));
	}
	if (r == 0 && plan->gid != IDM_CHILD_KEEP_ID) {
		idm_plan_begin(plan, IDM_STEP_GID, plan->gid, 0);
		r = raw(SYS_setresgid, plan->gid, plan->gid, plan->gid);
	}
	if (r == 0 && plan->uid != IDM_CHILD_KEEP_ID) {
		idm_plan_begin(plan, IDM_STEP_UID, plan->uid, 0);
		r = raw(SYS_setresuid, plan->uid, plan->uid, plan->uid);
	}
	return r;
}

long idm_child_credentials(struct idm_plan *plan)
{
	int set_caps = !!(plan->flags & IDM_PLAN_SET_CAPS);
	long r = set_caps ? set_bounding(plan) : 0;

	/* Or they would be gone with root's uid. */
	if (r == 0 && set_caps) {
		idm_plan_begin(plan, IDM_STEP_CAPABILITIES, 0, 0);
		r = raw(SYS_prctl, PR_SET_KEEPCAPS, 1);
	}
	if (r == 0)
		r = set_ids(plan);
	if (r < 0 || !set_caps)
		return r;
	idm_plan_begin(plan, IDM_STEP_CAPABILITIES, 0, 0);
	idm_child_capset(&plan->caps, &r);
	return r < 0 ? r : idm_child_set_ambient(plan->caps.ambient);
}

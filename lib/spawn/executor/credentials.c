// SPDX-License-Identifier: MIT
/* Of the stage: ids and capabilities, in the order in which each still permits the next. */
#include <errno.h>
#include <linux/capability.h>
#include <linux/prctl.h>

#include "executor.h"
#include "idmount.h"

long idm_child_regain_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	long r = raw(SYS_capget, &header, data);

	for (int i = 0; i < 2 && r == 0; i++)
		data[i].effective = data[i].permitted;
	return r == 0 ? raw(SYS_capset, &header, data) : r;
}

/* The kernel answers -EINVAL where it has no such capability. Any other answer leaves it in the set. */
static long drop_from_bounding(int cap)
{
	long r = raw(SYS_prctl, PR_CAPBSET_READ, cap);

	if (r == 1)
		return raw(SYS_prctl, PR_CAPBSET_DROP, cap);
	return r == -EINVAL && cap > 0 ? 0 : r;
}

static long set_bounding(struct idm_request *job)
{
	long r = 0;

	idm_request_begin(job, IDM_CHILD_STEP_BOUNDING, 0, 0);
	for (int i = 0; i < 64 && r == 0; i++)
		if (!(job->caps.bounding >> i & 1))
			r = drop_from_bounding(i);
	return r;
}

static long set_user_and_groups(struct idm_request *job)
{
	long r = 0;

	if (job->flags & IDM_REQUEST_SET_GROUPS) {
		idm_request_begin(job, IDM_CHILD_STEP_GROUPS, 0, 0);
		r = raw(SYS_setgroups, job->n_groups, idm_request_at(job, job->groups));
	}
	if (r == 0 && job->gid != IDM_CHILD_KEEP_ID) {
		idm_request_begin(job, IDM_CHILD_STEP_GID, job->gid, 0);
		r = raw(SYS_setresgid, job->gid, job->gid, job->gid);
	}
	if (r == 0 && job->uid != IDM_CHILD_KEEP_ID) {
		idm_request_begin(job, IDM_CHILD_STEP_UID, job->uid, 0);
		r = raw(SYS_setresuid, job->uid, job->uid, job->uid);
	}
	return r;
}

long idm_child_credentials(struct idm_request *job)
{
	int set_caps = !!(job->flags & IDM_REQUEST_SET_CAPS);
	long r = 0;

	/* Without no_new_privs the kernel requires CAP_SYS_ADMIN, which may be gone afterwards. */
	r = idm_child_refuse_keyrings(job);
	if (r == 0 && !(job->flags & IDM_REQUEST_NO_NEW_PRIVS))
		r = idm_child_set_filter(job);
	if (r == 0 && set_caps)
		r = set_bounding(job);

	/* Or they would be gone with root's uid. */
	if (r == 0 && set_caps) {
		idm_request_begin(job, IDM_CHILD_STEP_CAPABILITIES, 0, 0);
		r = raw(SYS_prctl, PR_SET_KEEPCAPS, 1);
	}
	if (r == 0)
		r = set_user_and_groups(job);
	if (r < 0 || !set_caps)
		return r;
	idm_request_begin(job, IDM_CHILD_STEP_CAPABILITIES, 0, 0);
	idm_child_capset(&job->caps, &r);
	return r < 0 ? r : idm_child_set_ambient(job->caps.ambient);
}

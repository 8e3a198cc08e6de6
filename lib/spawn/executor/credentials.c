// SPDX-License-Identifier: MIT
/* Part of the executor: IDs and capabilities, in an order in which each step still permits the next. */
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

/*
 * With the sysctl fs.suid_dumpable=1, a change of IDs or user namespaces makes a process dumpable. The
 * last change, to the IDs of the program, is immediately before its execve, and may be below its filter.
 */
void idm_child_stay_undumpable(void)
{
	raw(SYS_prctl, PR_SET_DUMPABLE, 0);
}

/* The kernel returns -EINVAL for capabilities that it does not know. */
static long drop_from_bounding(int cap)
{
	long r = raw(SYS_prctl, PR_CAPBSET_READ, cap);

	if (r == 1)
		return raw(SYS_prctl, PR_CAPBSET_DROP, cap);
	return r == -EINVAL && cap > 0 ? 0 : r;
}

static long set_bounding(struct idm_request *request)
{
	long r = 0;

	idm_request_begin(request, IDM_CHILD_STEP_BOUNDING, 0, 0);
	for (int i = 0; i < 64 && r == 0; i++)
		if (!(request->caps.bounding >> i & 1))
			r = drop_from_bounding(i);
	return r;
}

static long set_user_and_groups(struct idm_request *request)
{
	long r = 0;

	if (request->flags & IDM_REQUEST_SET_GROUPS) {
		idm_request_begin(request, IDM_CHILD_STEP_GROUPS, 0, 0);
		r = raw(SYS_setgroups, request->n_groups, idm_request_at(request, request->groups));
	}
	if (r == 0 && request->gid != IDM_CHILD_KEEP_ID) {
		idm_request_begin(request, IDM_CHILD_STEP_GID, request->gid, 0);
		r = raw(SYS_setresgid, request->gid, request->gid, request->gid);
	}
	if (r == 0 && request->uid != IDM_CHILD_KEEP_ID) {
		idm_request_begin(request, IDM_CHILD_STEP_UID, request->uid, 0);
		r = raw(SYS_setresuid, request->uid, request->uid, request->uid);
	}
	return r;
}

long idm_child_credentials(struct idm_request *request)
{
	int set_caps = !!(request->flags & IDM_REQUEST_SET_CAPS);
	long r = 0;

	/* Without no_new_privs a filter requires CAP_SYS_ADMIN, which the next steps may drop. */
	r = idm_child_refuse_keyrings(request);
	if (r == 0 && !(request->flags & IDM_REQUEST_NO_NEW_PRIVS))
		r = idm_child_set_filter(request);
	if (r == 0 && set_caps)
		r = set_bounding(request);

	/* Otherwise setresuid(2) would clear them. */
	if (r == 0 && set_caps) {
		idm_request_begin(request, IDM_CHILD_STEP_CAPABILITIES, 0, 0);
		r = raw(SYS_prctl, PR_SET_KEEPCAPS, 1);
	}
	if (r == 0)
		r = set_user_and_groups(request);
	if (r < 0 || !set_caps)
		return r;
	idm_request_begin(request, IDM_CHILD_STEP_CAPABILITIES, 0, 0);
	idm_child_capset(&request->caps, &r);
	return r < 0 ? r : idm_child_set_ambient(request->caps.ambient);
}

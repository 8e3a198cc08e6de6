// SPDX-License-Identifier: MIT
#include "new-namespaces.h"

#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>

#include "lib/base/error.h"
#include "lib/sys/capability.h"
#include "lib/sys/refused.h"
#include "lib/userns/userns-diag.h"

static const enum idm_error_step step_mounts = IDM_STEP_MAKE_MOUNT_NAMESPACE;

int enter_new_userns(struct idm_error *err)
{
	return unshare(CLONE_NEWUSER) < 0 ? idm_diagnose_no_userns(-errno, err) : 0;
}

int check_own_ids(const struct idm_map *map, struct idm_error *err)
{
	return idm_diagnose_other_id(map, err);
}

static bool is_refusal(int code)
{
	return code == -EPERM || code == -ENOSYS;
}

/* unshare(2) also fails with EPERM for a caller without the privilege. */
static int diagnose_no_mount_namespace(int code, struct idm_error *err)
{
	if (is_refusal(code) && idm_filter_refuses(IDM_CALL_UNSHARE))
		return idm_diagnose_refused(IDM_CALL_UNSHARE, code, step_mounts, NULL, err);
	if (code == -EPERM && !idm_has_capability(CAP_SYS_ADMIN)) {
		idm_fail(err, code, step_mounts, NULL,
			 "it requires CAP_SYS_ADMIN in this user namespace");
		if (idm_in_initial_userns())
			idm_hint_privilege(err);
		return code;
	}
	return idm_fail(err, code, step_mounts, NULL, "%s", idm_errno_text(-code));
}

static int diagnose_no_private_mounts(int code, struct idm_error *err)
{
	if (is_refusal(code))
		return idm_diagnose_refused(IDM_CALL_MOUNT, code, step_mounts, NULL, err);
	return idm_fail(err, code, step_mounts, NULL, "%s", idm_errno_text(-code));
}

int enter_new_mount_namespace(struct idm_error *err)
{
	if (unshare(CLONE_NEWNS) < 0)
		return diagnose_no_mount_namespace(-errno, err);
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return diagnose_no_private_mounts(-errno, err);
	return 0;
}

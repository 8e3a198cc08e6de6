// SPDX-License-Identifier: MIT
#include "namespace-diag.h"

#include <errno.h>

#include "lib/base/error.h"
#include "lib/sys/refused.h"
#include "lib/userns/userns-diag.h"

static const enum idm_error_step step_mounts = IDM_STEP_MAKE_MOUNT_NAMESPACE;

int diagnose_no_user_namespace(int code, struct idm_error *err)
{
	return idm_diagnose_no_userns(code, err);
}

static bool is_refusal(int code)
{
	return code == -EPERM || code == -ENOSYS;
}

int diagnose_no_mount_namespace(int code, struct idm_error *err)
{
	if (is_refusal(code) && idm_filter_refuses(IDM_CALL_UNSHARE))
		return idm_diagnose_refused(IDM_CALL_UNSHARE, code, step_mounts, NULL, err);
	return idm_fail(err, code, step_mounts, NULL, "%s", idm_errno_text(-code));
}

int diagnose_no_private_mounts(int code, struct idm_error *err)
{
	if (is_refusal(code))
		return idm_diagnose_refused(IDM_CALL_MOUNT, code, step_mounts, NULL, err);
	return idm_fail(err, code, step_mounts, NULL, "%s", idm_errno_text(-code));
}

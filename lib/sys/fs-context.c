// SPDX-License-Identifier: MIT
#include "fs-context.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>

#include "capability.h"
#include "fail-errno.h"
#include "lib/base/error.h"
#include "seccomp-probe.h"
#include "syscall.h"

void idm_add_fs_log(int fs, struct idm_error *err)
{
	char line[512], last[512] = "";
	ssize_t n;

	while (fs >= 0 && (n = idm_sys_read(fs, line, sizeof(line) - 1)) > 0) {
		line[n] = '\0';
		line[strcspn(line, "\n")] = '\0';
		memcpy(last, line, sizeof(last));
	}
	/* "e ", "w ", "i ": how bad it is */
	if (last[0])
		idm_kernel_log(err, last[1] == ' ' ? last + 2 : last);
}

void idm_hint_fs_privilege(int code, struct idm_error *err)
{
	if (code == -EPERM && !idm_in_initial_userns())
		idm_hint(
			err,
			"it requires CAP_SYS_ADMIN in the initial user namespace; another one can mount "
			"tmpfs and overlay, and proc, sysfs, mqueue and cgroup2 of namespaces it owns");
	else if (code == -EPERM && idm_has_capability(CAP_SYS_ADMIN))
		idm_hint(
			err,
			"the caller has CAP_SYS_ADMIN: a security module may be the cause, or a kernel that "
			"is locked down");
}

int idm_diagnose_fsopen(int code, const char *type, enum idm_error_step step, struct idm_error *err)
{
	if (code == -ENODEV)
		return idm_fail(err, code, step, NULL, "the kernel has no %s filesystem", type);
	if (code == -EPERM && !idm_may_mount()) {
		idm_fail(
			err, code, step, NULL,
			"it requires CAP_SYS_ADMIN in the user namespace that owns this mount namespace");
		idm_hint_privilege(err);
		return code;
	}
	if ((code == -EPERM || code == -ENOSYS) && idm_sys_fsopen(type, ~0U) == code)
		return idm_fail_filtered(err, code, step, NULL, "fsopen");
	idm_fail_errno(err, code, step, NULL);
	idm_hint_fs_privilege(code, err);
	return code;
}

// SPDX-License-Identifier: MIT
/* Messages about a failed clone. */
#include <errno.h>

#include "internal.h"
#include "lib/base/error.h"
#include "lib/sys/fail-errno.h"

static const char *get_cgroup_reason(int code)
{
	switch (code) {
	case -EBADF:
		return "it is not a directory of a cgroup2";
	case -EACCES:
		return "the caller may not move processes there from its own cgroup";
	case -EBUSY:
		return "it has controllers in cgroup.subtree_control, which excludes processes";
	case -EOPNOTSUPP:
		return "it is threaded, or in a threaded subtree";
	default:
		return "it has been removed";
	}
}

int idm_child_diagnose_clone(int code, int cgroup, struct idm_error *err)
{
	static const enum idm_error_step step = IDM_STEP_START_PROGRAM,
					 step_cgroup = IDM_STEP_PUT_INTO_CGROUP;

	switch (code) {
	case -EAGAIN:
		idm_fail(err, code, step, NULL, "the limit on processes is reached");
		idm_hint(err, "see RLIMIT_NPROC (ulimit -u), kernel.pid_max and the cgroup's pids.max");
		return code;
	case -EPERM:
		return cgroup < 0 ? idm_fail(err, code, IDM_STEP_MAKE_NAMESPACES, NULL,
					     "it requires CAP_SYS_ADMIN in this user namespace")
				  : idm_fail_errno(err, code, step, NULL);
	case -EBADF:
	case -EACCES:
	case -EOPNOTSUPP:
	case -EBUSY:
	case -ENODEV:
	case -ENOENT:
		if (cgroup >= 0)
			return idm_fail(err, code, step_cgroup, NULL, "descriptor %d: %s", cgroup,
					get_cgroup_reason(code));
		break;
	case -EINVAL:
	case -E2BIG:
	case -ENOSYS:
		if (cgroup >= 0)
			return idm_fail(
				err, code, step_cgroup, NULL,
				"not supported by this kernel (needs Linux 5.7), or a seccomp filter refuses clone3(2)");
	}
	return idm_fail_errno(err, code, step, NULL);
}

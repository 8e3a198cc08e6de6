// SPDX-License-Identifier: MIT
#include "fail-errno.h"

#include <errno.h>
#include <sys/resource.h>

#include "seccomp-probe.h"
#include "syscall.h"

/* An errno that names a limit, but not which one. */
static void hint_limit(struct idm_error *err, int code)
{
	if (code == -EMFILE)
		idm_hint(err, "RLIMIT_NOFILE (ulimit -n) is %llu descriptors",
			 (unsigned long long)idm_sys_limit(RLIMIT_NOFILE));
	else if (code == -EFBIG)
		idm_hint(err, "RLIMIT_FSIZE is %llu bytes; it also limits files in memory",
			 (unsigned long long)idm_sys_limit(RLIMIT_FSIZE));
}

int(idm_fail_errno)(struct idm_error *err, int code, enum idm_error_step step, const char *subject)
{
	const char *text, *call;

	if (!err)
		return code;
	text = idm_errno_text(-code);
	call = code == -EPERM || code == -ENOSYS ? idm_refused_call() : NULL;
	if (call)
		return idm_fail_filtered(err, code, step, subject, call);
	idm_fail(err, code, step, subject, "%s", text ? text : "unknown error");
	hint_limit(err, code);
	return code;
}

int(idm_fail_because)(struct idm_error *err, int code, enum idm_error_step step, const char *subject,
		      const char *reason)
{
	if (reason)
		idm_fail(err, code, step, subject, "%s", reason);
	else
		idm_fail_errno(err, code, step, subject);
	return code;
}

int idm_fail_at(struct idm_error *err, int code, enum idm_error_step step, const char *path, int dirfd)
{
	if (code == -EBADF)
		idm_fail(err, code, step, path, "descriptor %d is not open", dirfd);
	else
		idm_fail_errno(err, code, step, path);
	return code;
}

// SPDX-License-Identifier: MIT
#include "seccomp-probe.h"

#include <errno.h>
#include <stddef.h>

#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "syscall.h"

static int probe_openat2(void)
{
	return idm_sys_openat2_size(0);
}

static int probe_pidfd_send_signal(void)
{
	return idm_sys_pidfd_send_signal(-1, 0);
}

static int probe_waitid(void)
{
	siginfo_t info;

	return idm_sys_waitid_pidfd(-1, &info, WEXITED | __WALL);
}

static const struct {
	const char *name;
	int (*try)(void);
	int kernels; /* answer */
} calls[] = {
	{ "openat2", probe_openat2, -EINVAL },
	{ "pidfd_send_signal", probe_pidfd_send_signal, -EBADF },
	{ "waitid", probe_waitid, -EINVAL },
};

const char *idm_refused_call(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		if (calls[i].try() != calls[i].kernels)
			return calls[i].name;
	return NULL;
}

int idm_refused_waitid(void)
{
	return probe_waitid() == -EINVAL ? 0 : -ENOSYS;
}

int idm_check_waitid(enum idm_error_step step, struct idm_error *err)
{
	int r = idm_refused_waitid();

	return r < 0 ? idm_fail_filtered(err, r, step, NULL, "waitid") : 0;
}

int idm_fail_filtered(struct idm_error *err, int code, enum idm_error_step step, const char *subject,
		      const char *call)
{
	idm_fail(err, code, step, subject, "a seccomp filter refuses %s(2)", call);
	idm_hint(err, "let the seccomp profile of the container or service allow %s", call);
	return code;
}

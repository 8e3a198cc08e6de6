// SPDX-License-Identifier: MIT
/* For architectures that sys/raw-syscall.h does not support: no fork server exists. */
#include <errno.h>

#include "forkserver.h"
#include "lib/base/error.h"
#include "lib/sys/fail-errno.h"

int idm_forkserver_begin(struct idm_forkserver *forkserver, bool orphans, struct idm_error *err)
{
	(void)forkserver;
	(void)orphans;
	return idm_fail(err, -EOPNOTSUPP, IDM_STEP_START_FORKSERVER, NULL,
			"not supported on this architecture");
}

int idm_forkserver_start(struct idm_forkserver *forkserver, pthread_mutex_t *lock,
			 const struct idm_child_options *options, int *report, pid_t *pid,
			 struct idm_error *err)
{
	(void)forkserver;
	(void)lock;
	(void)options;
	*report = -1;
	*pid = 0;
	return idm_fail_errno(err, -EOPNOTSUPP, IDM_STEP_START_PROGRAM, NULL);
}

void idm_forkserver_await_end(int report)
{
	(void)report;
}

int idm_forkserver_take(int report, pid_t pid, struct idm_exit_info *exit)
{
	(void)report;
	(void)pid;
	(void)exit;
	return 0;
}

void idm_forkserver_end(struct idm_forkserver *forkserver)
{
	(void)forkserver;
}

// SPDX-License-Identifier: MIT
/* For architectures that sys/raw-syscall.h does not support. */
#include <errno.h>

#include "internal.h"
#include "lib/base/error.h"

static int refuse_architecture(struct idm_error *err)
{
	return idm_fail(err, -EOPNOTSUPP, IDM_STEP_START_PROGRAM, NULL,
			"not supported on this architecture");
}

int idm_child_start(const struct idm_child_options *options, struct idm_error *err)
{
	(void)options;
	return refuse_architecture(err);
}

int idm_child_start_by(struct idm_child_server *server, const struct idm_child_options *options,
		       struct idm_error *err)
{
	(void)server;
	(void)options;
	return refuse_architecture(err);
}

/* The fork server calls these. It never has a request here. */

int idm_child_make_stack(struct idm_child *child)
{
	child->stack = NULL;
	return 0;
}

int idm_child_clone(struct idm_child *child, uint64_t flags, int cgroup)
{
	(void)child;
	(void)flags;
	(void)cgroup;
	return -EOPNOTSUPP;
}

void idm_child_await_leaving(struct idm_child *child)
{
	(void)child;
}

int idm_child_diagnose_clone(int code, int cgroup, struct idm_error *err)
{
	(void)code;
	(void)cgroup;
	return refuse_architecture(err);
}

int idm_child_pack(struct idm_request *request, int *fds, size_t *n_fds, size_t most)
{
	(void)request;
	(void)fds;
	(void)n_fds;
	(void)most;
	return -EOPNOTSUPP;
}

int idm_child_unpack(struct idm_request *request, const int *fds, size_t n_fds)
{
	(void)request;
	(void)fds;
	(void)n_fds;
	return -EOPNOTSUPP;
}

bool idm_child_has_assembler(const struct idm_request *request)
{
	(void)request;
	return false;
}

bool idm_child_has_second(const struct idm_request *request)
{
	(void)request;
	return false;
}

// SPDX-License-Identifier: MIT
/* For architectures that sys/raw-syscall.h does not support. */
#include <errno.h>

#include "idmount.h"
#include "lib/base/error.h"

int idm_child_start(const struct idm_child_options *options, struct idm_error *err)
{
	(void)options;
	return idm_fail(err, -EOPNOTSUPP, IDM_STEP_START_PROGRAM, NULL,
			"not supported on this architecture");
}

// SPDX-License-Identifier: MIT
/* For architectures whose system calls child-raw.h cannot make. */
#include <errno.h>

#include "error.h"

int idm_child_start(const struct idm_child_options *options, struct idm_error *err)
{
	(void)options;
	return idm_fail(err, -EOPNOTSUPP, IDM_STEP_START_PROGRAM, NULL,
			"the library does not know how to on this architecture");
}

// SPDX-License-Identifier: MIT
#include "reaped-diag.h"

#include <errno.h>

#include "lib/base/error.h"

int idm_diagnose_always_reaped(struct idm_error *err)
{
	idm_hint(err,
		 "something in this process waits with __WALL or __WCLONE for any child, and "
		 "took %d children in a row that are not its own",
		 IDM_CHILD_ATTEMPTS);
	return -ESRCH;
}

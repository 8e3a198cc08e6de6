// SPDX-License-Identifier: MIT
#include "reaped-diag.h"

#include <errno.h>

#include "lib/base/error.h"

int idm_diagnose_always_reaped(struct idm_error *err)
{
	idm_hint(err,
		 "another thread waits with __WALL or __WCLONE for any child; it reaped %d "
		 "children of the library in a row",
		 IDM_CHILD_ATTEMPTS);
	return -ESRCH;
}

// SPDX-License-Identifier: MIT
#include "mapped-hint.h"

#include <string.h>

#include "error.h"

void idm_hint_mapped(struct idm_error *err, const char *hint)
{
	const size_t n = sizeof(IDM_REASON_MAPPED) - 1;

	if (err && err->reason.length == n &&
	    memcmp(err->message + err->reason.start, IDM_REASON_MAPPED, n) == 0 &&
	    strncmp(err->hint, IDM_HINT_BELOW, sizeof(IDM_HINT_BELOW) - 1) != 0)
		idm_hint(err, "%s", hint);
}

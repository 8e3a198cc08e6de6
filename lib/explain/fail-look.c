// SPDX-License-Identifier: MIT
/* A refusal to the caller says nothing about the process, which may have other credentials. */
#include <errno.h>

#include "facts.h"
#include "lib/base/error.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/file-type.h"

int idm_fail_to_look(struct idm_error *err, int code, const char *path, int fd)
{
	if (code != -EACCES)
		return idm_fail_errno(err, code, IDM_STEP_EXPLAIN, path);
	idm_fail(err, code, IDM_STEP_LOOK_UP_PATH, path,
		 "Permission denied for the caller, which is no verdict about the process");
	idm_hint(err, "the facts require a caller who may look there, such as the user of the process");
	return idm_hint_admission(code, fd, err);
}

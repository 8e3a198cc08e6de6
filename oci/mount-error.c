// SPDX-License-Identifier: MIT
#include "mount-error.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/plan/plan.h"

/* The name of a filesystem that is made for the container is in that of the mount, too. */
static bool has_own_source(const struct idm_plan_entry *step, const char *subject)
{
	return *subject &&
	       (step->kind != IDM_PLAN_ENTRY_FILESYSTEM || strcmp(subject, step->filesystem->name) != 0);
}

int name_mount_of_error(int code, const struct idm_plan_entry *step, const char *annotation,
			struct idm_error *err)
{
	char mount[IDM_PLAN_ENTRY_NAME], source[IDM_SUBJECT_SIZE], subject[4096];
	bool own;

	if (code >= 0 || !err)
		return code;
	idm_plan_entry_name(step, mount, sizeof(mount));
	idm_error_part(err, err->subject, source, sizeof(source));
	own = has_own_source(step, source);
	snprintf(subject, sizeof(subject), "%s%s%s%s%s%s", mount, annotation ? " (annotation " : "",
		 annotation ? annotation : "", annotation ? ")" : "", own ? ": " : "",
		 own ? source : "");
	err->subject.length = 0;
	idm_subject(err, subject);
	return code;
}

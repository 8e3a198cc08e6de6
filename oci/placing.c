// SPDX-License-Identifier: MIT
#include "placing.h"

#include <stdio.h>
#include <string.h>

bool is_new_tmpfs(const struct placing *p)
{
	return p->mapped && p->step.kind == IDM_PLAN_ENTRY_FILESYSTEM &&
	       strcmp(p->step.filesystem->name, "tmpfs") == 0;
}

void name_placing(const struct placing *p, char *name, size_t size)
{
	if (p->mapped)
		idm_plan_entry_name(&p->step, name, size);
	else
		snprintf(name, size, "/%s", p->destination);
}

// SPDX-License-Identifier: MIT
#include "placing.h"

#include <stdio.h>

void name_placing(const struct placing *p, char *name, size_t size)
{
	if (p->mapped)
		idm_plan_entry_name(&p->step, name, size);
	else
		snprintf(name, size, "/%s", p->destination);
}

/* SPDX-License-Identifier: MIT */
#ifndef PLANS_H
#define PLANS_H

#include "lib/plan/plan.h"

/*
 * Reads a text as a plan of that format, with and without a map for it, and looks whether what was
 * understood holds together; and whether what was refused has left the plan as it was.
 */
void check_plan_text(enum idm_plan_format format, const uint8_t *data, size_t size);

/* What holds for every plan. */
void check_plan(const struct idm_plan *plan);

bool same_plan(const struct idm_plan *a, const struct idm_plan *b);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef PLANS_H
#define PLANS_H

#include "lib/plan/plan.h"

/*
 * Reads a text as a plan of that format, with and without a map for it. Checks that the plan is
 * consistent, and that a refused text did not change the plan.
 */
void check_plan_text(enum idm_plan_format format, const uint8_t *data, size_t size);

/* Checks the properties of every plan. */
void check_plan(const struct idm_plan *plan);

bool same_plan(const struct idm_plan *a, const struct idm_plan *b);

#endif

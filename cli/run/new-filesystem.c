// SPDX-License-Identifier: MIT
#include "cli/common/report.h"
#include "run.h"

int run_new_filesystem(const char *type, const char *const *options, size_t n)
{
	struct idm_plan_add_options m = IDM_PLAN_ADD_OPTIONS_INIT;
	struct idm_plan *plan;
	struct idm_error err;
	int tree;

	if (idm_plan_new(&plan) < 0) {
		out_of_memory();
		return -1;
	}
	m.type = type;
	m.options = options;
	m.n_options = n;
	tree = idm_plan_add(plan, &m, &err);
	if (tree == 0)
		tree = idm_plan_open(plan, NULL, &err);
	if (tree < 0)
		report_error(&err);
	idm_plan_free(plan);
	return tree;
}

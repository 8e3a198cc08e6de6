// SPDX-License-Identifier: MIT
#include "new-filesystem.h"

#include "report.h"

int open_new_filesystem(const struct idm_plan_add_options *options)
{
	struct idm_plan *plan;
	struct idm_error err;
	int tree;

	if (idm_plan_new(&plan) < 0) {
		out_of_memory();
		return -1;
	}
	tree = idm_plan_add(plan, options, &err);
	if (tree == 0)
		tree = idm_plan_open(plan, NULL, &err);
	idm_plan_free(plan);
	if (tree >= 0)
		return tree;
	report_error(&err);
	return -1;
}

int open_unmapped_filesystem(const char *type, const char *const *options, size_t n)
{
	struct idm_plan_add_options add = IDM_PLAN_ADD_OPTIONS_INIT;

	add.type = type;
	add.options = options;
	add.n_options = n;
	return open_new_filesystem(&add);
}

// SPDX-License-Identifier: MIT
/*
 * The initialisers of the header, as functions. The size is the caller's. So the library writes nothing
 * behind the end of an older program's struct. What it does not know of a newer program's is 0, which it
 * accepts: the initialiser of a newer header may have another value there, which it refuses (-E2BIG).
 */
#include <string.h>

#include "idmount.h"

/* A struct that does not carry its size. */
static void init_struct(void *to, size_t size, const void *defaults, size_t known)
{
	memset(to, 0, size);
	memcpy(to, defaults, size < known ? size : known);
}

static void init_sized_struct(void *to, size_t size, const void *defaults, size_t known)
{
	init_struct(to, size, defaults, known);
	if (size >= sizeof(size))
		memcpy(to, &size, sizeof(size));
}

void idm_tree_options_init(struct idm_tree_options *options, size_t size)
{
	static const struct idm_tree_options defaults = IDM_TREE_OPTIONS_INIT;

	init_sized_struct(options, size, &defaults, sizeof(defaults));
}

void idm_attach_options_init(struct idm_attach_options *options, size_t size)
{
	static const struct idm_attach_options defaults = IDM_ATTACH_OPTIONS_INIT;

	init_sized_struct(options, size, &defaults, sizeof(defaults));
}

void idm_mount_options_init(struct idm_mount_options *options, size_t size)
{
	static const struct idm_mount_options defaults = IDM_MOUNT_OPTIONS_INIT;

	init_sized_struct(options, size, &defaults, sizeof(defaults));
}

void idm_overlay_options_init(struct idm_overlay_options *options, size_t size)
{
	static const struct idm_overlay_options defaults = IDM_OVERLAY_OPTIONS_INIT;

	init_sized_struct(options, size, &defaults, sizeof(defaults));
}

void idm_plan_add_options_init(struct idm_plan_add_options *options, size_t size)
{
	static const struct idm_plan_add_options defaults = IDM_PLAN_ADD_OPTIONS_INIT;

	init_sized_struct(options, size, &defaults, sizeof(defaults));
}

void idm_plan_read_options_init(struct idm_plan_read_options *options, size_t size)
{
	static const struct idm_plan_read_options defaults = IDM_PLAN_READ_OPTIONS_INIT;

	init_sized_struct(options, size, &defaults, sizeof(defaults));
}

void idm_plan_apply_options_init(struct idm_plan_apply_options *options, size_t size)
{
	static const struct idm_plan_apply_options defaults = IDM_PLAN_APPLY_OPTIONS_INIT;

	init_sized_struct(options, size, &defaults, sizeof(defaults));
}

void idm_check_result_init(struct idm_check_result *result, size_t size)
{
	static const struct idm_check_result defaults = IDM_CHECK_RESULT_INIT;

	init_sized_struct(result, size, &defaults, sizeof(defaults));
}

void idm_explain_inode_init(struct idm_explain_inode *inode, size_t size)
{
	static const struct idm_explain_inode defaults = IDM_EXPLAIN_INODE_INIT;

	init_sized_struct(inode, size, &defaults, sizeof(defaults));
}

void idm_explain_options_init(struct idm_explain_options *facts, size_t size)
{
	static const struct idm_explain_options defaults = IDM_EXPLAIN_OPTIONS_INIT;

	init_sized_struct(facts, size, &defaults, sizeof(defaults));
}

void idm_explain_result_init(struct idm_explain_result *result, size_t size)
{
	static const struct idm_explain_result defaults = IDM_EXPLAIN_RESULT_INIT;

	init_sized_struct(result, size, &defaults, sizeof(defaults));
}

void idm_child_mount_init(struct idm_child_mount *mount, size_t size)
{
	static const struct idm_child_mount defaults = IDM_CHILD_MOUNT_INIT;

	init_struct(mount, size, &defaults, sizeof(defaults));
}

void idm_child_options_init(struct idm_child_options *options, size_t size, size_t mount_size)
{
	struct idm_child_options defaults = IDM_CHILD_OPTIONS_INIT;

	defaults.mount_size = mount_size;
	init_sized_struct(options, size, &defaults, sizeof(defaults));
}

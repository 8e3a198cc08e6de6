// SPDX-License-Identifier: MIT
/* The list of mounts that the child attaches to its root filesystem. */
#include <stdlib.h>
#include <unistd.h>

#include "cli/common/report.h"
#include "lib/base/array.h"
#include "run.h"

int run_add(struct run_root *root, const struct idm_child_mount *mount)
{
	struct idm_child_mount *new = idm_array_append(&root->mounts, &root->n_mounts, sizeof(*new));

	if (new) {
		*new = *mount;
		return DONE;
	}
	if (mount->tree_fd >= 0)
		close(mount->tree_fd);
	return out_of_memory();
}

int run_add_mount(struct run_root *root, const char *target, const char *fstype, int tree, uint32_t attr,
		  unsigned int flags)
{
	const struct idm_child_mount m = {
		.target = target, .fstype = fstype, .attr = attr, .flags = flags, .tree_fd = tree
	};

	return run_add(root, &m);
}

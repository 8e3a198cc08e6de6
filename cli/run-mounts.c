// SPDX-License-Identifier: MIT
/* The list of mounts that the child attaches to its root filesystem. */
#include <stdlib.h>
#include <unistd.h>

#include "report.h"
#include "run.h"

int run_add(struct run_root *root, const struct idm_child_mount *mount)
{
	struct idm_child_mount *more = reallocarray(root->mounts, root->n_mounts + 1,
						    sizeof(*root->mounts));

	if (!more) {
		if (mount->tree >= 0)
			close(mount->tree);
		return out_of_memory();
	}
	root->mounts = more;
	more[root->n_mounts++] = *mount;
	return DONE;
}

int run_add_mount(struct run_root *root, const char *target, const char *fstype, int tree, uint32_t attr,
		  unsigned int flags)
{
	const struct idm_child_mount m = {
		.target = target, .fstype = fstype, .attr = attr, .flags = flags, .tree = tree
	};

	return run_add(root, &m);
}

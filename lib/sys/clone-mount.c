// SPDX-License-Identifier: MIT
#include "clone-mount.h"

#include <errno.h>

#include "lib/base/macros.h"
#include "syscall.h"

/* The only call that sets a new map on a copy of a mapped source. The wrapper requires a writable
 * struct. */
int idm_clone_mount_at_once(int dirfd, const char *path, unsigned int flags,
			    const struct mount_attr *attr)
{
	struct mount_attr copy = *attr;

	return idm_sys_open_tree_attr(dirfd, path, flags, &copy);
}

/* The kernel refuses a mapped source here, so nothing has to be looked at before. */
static int clone_then_set(int dirfd, const char *path, unsigned int flags, const struct mount_attr *attr)
{
	AUTO_CLOSE int tree = idm_sys_open_tree(dirfd, path, flags);
	struct mount_attr copy = *attr;
	int r;

	if (tree < 0)
		return tree;
	r = idm_sys_mount_setattr(tree, "", AT_EMPTY_PATH | (flags & AT_RECURSIVE), &copy);
	return r < 0 ? r : idm_steal_fd(&tree);
}

int idm_clone_mount(int dirfd, const char *path, unsigned int flags, const struct mount_attr *attr,
		    bool remap)
{
	int r = -ENOSYS;

	if (remap || !(attr->attr_set & MOUNT_ATTR_IDMAP))
		r = idm_clone_mount_at_once(dirfd, path, flags, attr);
	/*
	 * EPERM may come from a filter that does not know the call; if it is meant, the calls below get
	 * it as well.
	 */
	return r != -ENOSYS && r != -EPERM ? r : clone_then_set(dirfd, path, flags, attr);
}

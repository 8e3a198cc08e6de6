// SPDX-License-Identifier: MIT
#include "probe.h"

#include <errno.h>

#include "clone-mount.h"
#include "lib/base/macros.h"
#include "syscall.h"

int idm_probe_tmpfs(void)
{
	AUTO_CLOSE int fs = idm_sys_fsopen("tmpfs", 0);
	int r = fs < 0 ? fs : idm_sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);

	return r < 0 ? r : idm_sys_fsmount(fs, 0, 0);
}

int idm_probe_map(int tree, int userns_fd)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)userns_fd };

	return idm_sys_mount_setattr(tree, "", AT_EMPTY_PATH, &attr);
}

int idm_probe_clone(int source, int userns_fd, unsigned int flags)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)userns_fd };
	unsigned int clone = OPEN_TREE_CLONE | AT_EMPTY_PATH;

	if (flags & IDM_TREE_RECURSIVE)
		clone |= AT_RECURSIVE;
	return userns_fd < 0 ? idm_sys_open_tree(source, "", clone)
			     : idm_clone_mount(source, "", clone, &attr, flags & IDM_TREE_REMAP);
}

int idm_probe_attach(int tree)
{
	int r = idm_sys_move_mount_fd(tree, tree, 0);

	return r == -EPERM || r == -EACCES || r == -ENOSYS ? -EPERM : 0;
}

int idm_probe_clone_unmapped(int source)
{
	struct mount_attr attr = { .attr_clr = MOUNT_ATTR_IDMAP };

	return idm_sys_open_tree_attr(source, "", OPEN_TREE_CLONE | AT_EMPTY_PATH, &attr);
}

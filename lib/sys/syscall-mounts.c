// SPDX-License-Identifier: MIT
/* System calls on mounts and filesystem contexts. */
#include <errno.h>
#include <unistd.h>

#include "syscall-result.h"
#include "syscall.h"

int idm_is_mount_point(int fd)
{
	struct statx st;
	/*
	 * The filesystem need not be asked, and if its server is dead it could not be. With the mask 0
	 * FUSE refuses no caller.
	 */
	int r = idm_sys_statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 0, &st);

	return r < 0 ? r : !!(st.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

/* No filesystem is asked: its server may be dead. */
int idm_mount_id(int dirfd, const char *path, uint64_t *id, bool *unique)
{
	struct statx st;
	int r = idm_sys_statx(dirfd, path, AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID_UNIQUE, &st);

	*id = 0;
	*unique = false;
	if (r < 0)
		return r;
	/* Before Linux 6.8 the kernel ignores the unknown mask, and returns the short ID. */
	if (!(st.stx_mask & (STATX_MNT_ID | STATX_MNT_ID_UNIQUE)))
		return -EOPNOTSUPP;
	*id = st.stx_mnt_id;
	*unique = st.stx_mask & STATX_MNT_ID_UNIQUE;
	return 0;
}

/* A FUSE filesystem refuses callers that it does not admit, unless the mask is 0. */
int idm_short_mount_id(int fd, uint64_t *id)
{
	struct statx st;
	int r = idm_sys_statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 0, &st);

	if (r < 0)
		return r;
	if (!(st.stx_mask & STATX_MNT_ID))
		return -EOPNOTSUPP;
	*id = st.stx_mnt_id;
	return 0;
}

int idm_sys_open_tree(int dirfd, const char *path, unsigned int flags)
{
	return (int)CALL(syscall(SYS_open_tree, dirfd, path, flags | OPEN_TREE_CLOEXEC));
}

int idm_sys_open_tree_attr(int dirfd, const char *path, unsigned int flags, struct mount_attr *attr)
{
	return (int)CALL(syscall(SYS_open_tree_attr, dirfd, path, flags | OPEN_TREE_CLOEXEC, attr,
				 sizeof(*attr)));
}

int idm_sys_mount_setattr(int dirfd, const char *path, unsigned int flags, struct mount_attr *attr)
{
	return (int)CALL(syscall(SYS_mount_setattr, dirfd, path, flags, attr, sizeof(*attr)));
}

int idm_sys_move_mount(int from, const char *from_path, int to, const char *to_path, unsigned int flags)
{
	return (int)CALL(syscall(SYS_move_mount, from, from_path, to, to_path, flags));
}

int idm_sys_move_mount_fd(int tree_fd, int to_fd, unsigned int flags)
{
	return idm_sys_move_mount(tree_fd, "", to_fd, "",
				  flags | MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

int idm_sys_mount(const char *source, const char *target, const char *type, unsigned long flags,
		  const char *options)
{
	return (int)CALL(syscall(SYS_mount, source, target, type, flags, options));
}

int idm_sys_pivot_root(const char *root, const char *old)
{
	return (int)CALL(syscall(SYS_pivot_root, root, old));
}

int idm_sys_umount(const char *path, int flags)
{
	return (int)CALL(syscall(SYS_umount2, path, flags));
}

int idm_sys_fsopen(const char *type, unsigned int flags)
{
	return (int)CALL(syscall(SYS_fsopen, type, flags | FSOPEN_CLOEXEC));
}

int idm_sys_fsconfig(int fd, unsigned int command, const char *key, const void *value, int aux)
{
	return (int)CALL(syscall(SYS_fsconfig, fd, command, key, value, aux));
}

int idm_sys_fsmount(int fd, unsigned int flags, unsigned int attributes)
{
	return (int)CALL(syscall(SYS_fsmount, fd, flags | FSMOUNT_CLOEXEC, attributes));
}

ssize_t idm_sys_listmount(const struct idm_mnt_id_req *req, uint64_t *ids, size_t n)
{
	return CALL(syscall(SYS_listmount, req, ids, n, 0U));
}

int idm_sys_statmount(const struct idm_mnt_id_req *req, struct idm_statmount *buf, size_t size)
{
	return (int)CALL(syscall(SYS_statmount, req, buf, size, 0U));
}

int idm_sys_statmount_fd(const struct idm_mnt_id_req *req, struct idm_statmount *buf, size_t size)
{
	return (int)CALL(syscall(SYS_statmount, req, buf, size, 1U /* STATMOUNT_BY_FD */));
}

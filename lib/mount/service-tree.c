// SPDX-License-Identifier: MIT
/*
 * The service's word is checked. If the tree's top shows another owner than before, the kernel maps the
 * mount. The map can leave that owner as it is. Then only the mount's own attributes show the map, and
 * only of a mount that is attached: statmount(2) finds a detached one from Linux 7.0 on. A second
 * MOUNT_ATTR_IDMAP shows nothing: the caller gets EPERM for a mapped mount and for an unmapped one. So a
 * child attaches a copy in a mount namespace of its own, and asks there. Before Linux 6.15 a detached
 * mount has no copies, nor has an unbindable one. Then the service is trusted.
 */
#include "service-tree.h"

#include <errno.h>
#include <unistd.h>

#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/probe.h"
#include "lib/sys/procfs.h"
#include "lib/sys/subprocess.h"
#include "lib/sys/syscall.h"
#include "service-client.h"

static const enum idm_error_step step_ask = IDM_STEP_ASK_SERVICE;

/* Before Linux 6.11 only procfs has it. */
static int open_own_userns(void)
{
	AUTO_CLOSE int self = idm_sys_pidfd_open(getpid());
	int userns = self < 0 ? self : idm_sys_ioctl(self, IDM_PIDFD_GET_USER_NAMESPACE, NULL);

	return userns < 0 ? idm_procfs_open_self("ns/user", step_ask, NULL) : userns;
}

bool idm_service_can_help(void)
{
	AUTO_CLOSE int own = open_own_userns();

	return own < 0 || !idm_is_initial_userns(own);
}

/* ---- a copy that is attached in a child ---- */

#define NAME "tree"

struct attached_copy {
	int scratch, tree;
	bool is_directory;
	bool mapped;
};

static int make_mount_point(const struct attached_copy *copy)
{
	AUTO_CLOSE int file = -1;

	if (copy->is_directory)
		return idm_sys_mkdirat(copy->scratch, NAME, 0700);
	file = idm_sys_openat(copy->scratch, NAME, O_CREAT | O_WRONLY, 0600);
	return file < 0 ? file : 0;
}

static int ask_for_map(struct attached_copy *copy)
{
	struct idm_mnt_id_req req = { .size = IDM_MNT_ID_REQ_SIZE_VER0,
				      .param = IDM_STATMOUNT_MNT_BASIC };
	struct idm_statmount m;
	bool unique;
	int r = idm_mount_id(copy->tree, "", &req.mnt_id, &unique);

	if (r == 0)
		r = idm_sys_statmount(&req, &m, sizeof(m));
	if (r == 0)
		copy->mapped = m.mnt_attr & MOUNT_ATTR_IDMAP;
	return r;
}

static int attach_and_ask(void *data)
{
	struct attached_copy *copy = data;
	int r = idm_subprocess_new_mount_ns();

	if (r == 0)
		r = idm_sys_move_mount(copy->scratch, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH);
	if (r == 0)
		r = make_mount_point(copy);
	if (r == 0)
		r = idm_sys_move_mount(copy->tree, "", copy->scratch, NAME, MOVE_MOUNT_F_EMPTY_PATH);
	return r < 0 ? r : ask_for_map(copy);
}

/* 1 or 0, or -errno. 1 also for a mount that cannot be copied: before Linux 6.15, or unbindable. */
static int is_mapped_in_child(int tree_fd, bool is_directory)
{
	AUTO_CLOSE int scratch = -1,
		       tree = idm_sys_open_tree(tree_fd, "", OPEN_TREE_CLONE | AT_EMPTY_PATH);
	struct attached_copy copy = { .tree = tree, .is_directory = is_directory };
	int r;

	if (tree < 0)
		return tree == -EINVAL ? 1 : tree;
	scratch = idm_probe_tmpfs();
	if (scratch < 0)
		return scratch;
	copy.scratch = scratch;
	r = idm_subprocess_shared(attach_and_ask, &copy, sizeof(copy));
	return r < 0 ? r : copy.mapped;
}

/* ---- the request, and the check ---- */

/* Its owner and its type, as the mount shows them. */
static int look_at_top(int tree_fd, struct statx *st)
{
	return idm_sys_statx(tree_fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC,
			     STATX_TYPE | STATX_UID | STATX_GID, st);
}

static int is_mapped_now(int tree_fd, const struct statx *before)
{
	struct statx now;
	int r = look_at_top(tree_fd, &now);

	if (r < 0)
		return r;
	if (now.stx_uid != before->stx_uid || now.stx_gid != before->stx_gid)
		return 1;
	return is_mapped_in_child(tree_fd, S_ISDIR(now.stx_mode));
}

int idm_service_map_tree(int tree_fd, int userns_fd, const char *source, struct idm_error *err)
{
	struct statx before;
	int r = look_at_top(tree_fd, &before);

	if (r < 0)
		return idm_fail_errno(err, r, step_ask, source);
	r = idm_service_map(tree_fd, userns_fd, source, err);
	if (r != 0)
		return r;
	r = is_mapped_now(tree_fd, &before);
	if (r < 0)
		return idm_fail_errno(err, r, step_ask, source);
	return r ? 0
		 : idm_fail(err, -EPROTO, step_ask, source,
			    "idmountd reports that it mapped the tree, but the tree is not mapped");
}

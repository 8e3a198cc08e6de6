// SPDX-License-Identifier: MIT
/* The last step: a tree becomes visible. */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "attach.h"
#include "errand.h"
#include "error.h"
#include "kernel.h"
#include "target.h"
#include "util.h"

static const char step_attach[] = "attach";

#define ATTACH_FLAGS (IDM_ATTACH_MKDIR | IDM_ATTACH_REPLACE | IDM_ATTACH_IN_ROOT | IDM_ATTACH_FOLLOW)

/* ---- unmounting by descriptor ---- */

/* umount2(2) takes a path only. This one leads to what is on top of where the descriptor points. */
struct fd_path {
	char text[40];
};

static struct fd_path path_of(int fd)
{
	struct fd_path p;

	snprintf(p.text, sizeof(p.text), "/proc/thread-self/fd/%d", fd);
	return p;
}

/* Whether that path works: there is a /proc, and it is this process's. */
static bool can_unmount(int fd)
{
	struct stat by_path, by_fd;

	return idm_sys_fstatat(AT_FDCWD, path_of(fd).text, &by_path, 0) == 0 &&
	       idm_sys_fstatat(fd, "", &by_fd, AT_EMPTY_PATH) == 0 && by_path.st_dev == by_fd.st_dev &&
	       by_path.st_ino == by_fd.st_ino;
}

/* In a process whose working directory is its own, "." is a path to the mount: no /proc is needed. */
static int detach_from_inside(void *data)
{
	const int *tree_fd = data;
	int r = idm_sys_fchdir(*tree_fd);

	return r < 0 ? r : idm_sys_umount(".", MNT_DETACH);
}

void idm_take_away(int tree_fd)
{
	if (can_unmount(tree_fd) && idm_sys_umount(path_of(tree_fd).text, MNT_DETACH) == 0)
		return;
	idm_errand(detach_from_inside, &tree_fd);
}

/* ---- replacing ---- */

/* move_mount(2) looks at its flags before it looks at anything else. */
static bool kernel_has_beneath(void)
{
	return idm_sys_move_mount(-1, "", -1, "",
				  MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH |
					  MOVE_MOUNT_BENEATH) != -EINVAL;
}

/*
 * Whoever stands in a mount that goes away goes on standing in it. For a working directory that is the
 * caller's business; but a process whose root directory is in a mount that nobody can see is lost. From
 * Linux 7.2 on the kernel leaves it to its callers to find this out.
 */
static bool is_callers_root(int fd)
{
	struct statx st, root;

	return idm_sys_statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) == 0 &&
	       idm_sys_statx(AT_FDCWD, "/", 0, STATX_MNT_ID, &root) == 0 &&
	       st.stx_mnt_id == root.stx_mnt_id && root.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

static int why_not_beneath(int code, const char *path, struct idm_error *err)
{
	if (code == -EINVAL && !kernel_has_beneath())
		return idm_fail(err, -EOPNOTSUPP, step_attach, path,
				"replacing a mount in one step needs Linux 6.5");
	if (code == -EINVAL) {
		idm_fail(err, code, step_attach, path, "the kernel does not let this mount be replaced");
		idm_hint(err,
			 "the root of a mount namespace, a mount that another user namespace locked, "
			 "and one whose parent is shared with the tree's peers cannot be");
		return code;
	}
	return idm_fail(err, code, step_attach, path, NULL);
}

/* Beneath the old mount first, then the old one away: there is always a mount at the target. */
static int replace(int tree_fd, const struct idm_target *target, const char *path, struct idm_error *err)
{
	int r;

	if (!idm_is_mount_point(target->fd)) {
		idm_fail(err, -EINVAL, step_attach, path, "there is no mount to replace");
		idm_hint(err,
			 "the target has to be a mount point; without --replace it need not be one");
		return -EINVAL;
	}
	if (is_callers_root(target->fd)) {
		idm_fail(err, -EINVAL, step_attach, path,
			 "it is the root directory of this process, which would stay in the old mount");
		idm_hint(err, "pivot_root(2) exchanges root directories");
		return -EINVAL;
	}
	if (!can_unmount(target->fd))
		return idm_fail(err, -EBUSY, step_attach, path,
				"replacing needs a /proc of this PID namespace, and there is none");
	r = idm_sys_move_mount(tree_fd, "", target->fd, "",
			       MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH | MOVE_MOUNT_BENEATH);
	if (r < 0)
		return why_not_beneath(r, path, err);
	/* The kernel has just refused locked mounts, so nothing is left that could keep this from going.
	 */
	r = idm_sys_umount(path_of(target->fd).text, MNT_DETACH);
	if (r < 0)
		return idm_fail(err, r, "detach the old mount", path,
				"the new mount is in place, but beneath the old one: %s",
				strerrordesc_np(-r));
	return 0;
}

/* ---- putting on top ---- */

static int why_not_attached(int code, const char *path, struct idm_error *err)
{
	idm_fail(err, code, step_attach, path, NULL);
	switch (code) {
	case -ELOOP:
		idm_hint(err,
			 "the tree holds the file of this mount namespace or an older one, which would "
			 "make a loop");
		break;
	case -EINVAL:
		idm_hint(err, "the target is in another mount namespace, or "
			      "an unbindable tree goes below a shared mount");
		break;
	case -EPERM:
		idm_hint(err,
			 "it needs CAP_SYS_ADMIN in the user namespace that owns this mount namespace");
		break;
	case -ENOSPC:
		idm_hint(err, "the mount namespace is full: look at sysctl fs.mount-max");
		break;
	case -ENOSYS:
		idm_fail(err, code, step_attach, path, "a seccomp filter refuses move_mount(2)");
		break;
	}
	return code;
}

int idm_put_on_top(int tree_fd, const struct idm_target *target, const char *path, struct idm_error *err)
{
	int r = idm_sys_move_mount(tree_fd, "", target->fd, "",
				   MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);

	return r < 0 ? why_not_attached(r, path, err) : 0;
}

/*
 * Below a shared mount every mount becomes shared as it is attached, whatever it was before. So a wish
 * for something else can only be met now.
 */
static int set_propagation(int tree_fd, enum idm_propagation propagation)
{
	static const uint64_t values[] = {
		[IDM_PROPAGATION_PRIVATE] = MS_PRIVATE,
		[IDM_PROPAGATION_SLAVE] = MS_SLAVE,
		[IDM_PROPAGATION_SHARED] = MS_SHARED,
		[IDM_PROPAGATION_UNBINDABLE] = MS_UNBINDABLE,
	};
	struct mount_attr attr = { .propagation = values[propagation] };

	if (propagation == IDM_PROPAGATION_DEFAULT)
		return 0;
	return idm_sys_mount_setattr(tree_fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr);
}

/* Of what has been attached. */
static int propagate(int tree_fd, const char *path, enum idm_propagation propagation,
		     struct idm_error *err)
{
	int r = set_propagation(tree_fd, propagation);

	if (r == 0)
		return 0;
	/* Taking it away again is right even after a replacement: the old mount has gone. */
	idm_take_away(tree_fd);
	return idm_fail(err, r, "set propagation", path, NULL);
}

static int attach(int tree_fd, const struct idm_target *target, const char *path, unsigned int flags,
		  enum idm_propagation propagation, struct idm_error *err)
{
	int r = flags & IDM_ATTACH_REPLACE ? replace(tree_fd, target, path, err)
					   : idm_put_on_top(tree_fd, target, path, err);

	return r < 0 ? r : propagate(tree_fd, path, propagation, err);
}

/*
 * Linux 5.2 can attach, but what the library makes can be made from 5.12 on: so its callers hear from
 * each part of it the same.
 */
int idm_refuse_old_kernel(const char *path, struct idm_error *err)
{
	static atomic_bool known_to_be_newer; /* kernels do not get older */
	struct mount_attr none = { 0 };

	if (atomic_load_explicit(&known_to_be_newer, memory_order_relaxed))
		return 0;
	if (idm_sys_mount_setattr(-1, "", ~0U, &none) != -ENOSYS || !idm_kernel_is_before(5, 12)) {
		atomic_store_explicit(&known_to_be_newer, true, memory_order_relaxed);
		return 0;
	}
	return idm_fail(err, -ENOSYS, step_attach, path,
			"the kernel cannot map mounts: it needs Linux 5.12");
}

/*
 * A directory can be put at a path at once: the kernel does not put it on a symbolic link, which is
 * none. That the tree is one is what its "." says. Where it does not work out, whatever the reason is,
 * the target is opened by itself, which tells why.
 */
static bool put_at_path(int tree_fd, int dirfd, const char *target, unsigned int flags)
{
	unsigned int follow = flags & IDM_ATTACH_FOLLOW ? MOVE_MOUNT_T_SYMLINKS : 0;

	return !(flags & (IDM_ATTACH_REPLACE | IDM_ATTACH_IN_ROOT)) &&
	       idm_sys_move_mount(tree_fd, ".", dirfd, target, MOVE_MOUNT_T_AUTOMOUNTS | follow) == 0;
}

int idm_tree_attach(int tree_fd, int dirfd, const char *target, unsigned int flags,
		    enum idm_propagation propagation, struct idm_error *err)
{
	struct idm_target t = { 0 };
	struct stat st;
	int r;

	if (flags & ~ATTACH_FLAGS)
		return idm_fail(err, -EINVAL, step_attach, target, "unknown flags 0x%x", flags);
	if ((unsigned int)propagation > IDM_PROPAGATION_UNBINDABLE)
		return idm_fail(err, -EINVAL, step_attach, target, "unknown propagation %d",
				propagation);
	r = idm_refuse_old_kernel(target, err);
	if (r < 0)
		return r;
	if (put_at_path(tree_fd, dirfd, target, flags))
		return propagate(tree_fd, target, propagation, err);
	r = idm_sys_fstatat(tree_fd, "", &st, AT_EMPTY_PATH);
	if (r < 0)
		return idm_fail(err, r, step_attach, target, "the tree is not an open descriptor");
	r = idm_target_open(&t, dirfd, target, flags, S_ISDIR(st.st_mode), err);
	if (r < 0)
		return r;
	r = attach(tree_fd, &t, target, flags, propagation, err);
	if (r < 0)
		idm_target_unmake(&t);
	idm_target_close(&t);
	return r;
}

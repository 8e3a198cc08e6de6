// SPDX-License-Identifier: MIT
/* The last step: a tree becomes visible. */
#include <errno.h>
#include <string.h>

#include "attach-diag.h"
#include "attach.h"
#include "flags.h"
#include "lib/base/arguments.h"
#include "lib/base/cancel.h"
#include "lib/base/copy-struct.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/list/internal.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/file-type.h"
#include "lib/sys/nofollow.h"
#include "lib/sys/refused.h"
#include "lib/sys/syscall.h"
#include "propagation.h"
#include "replaced.h"
#include "target.h"
#include "umount-fd.h"

static const enum idm_error_step step_attach = IDM_STEP_ATTACH;

/* ---- mounts below ---- */

struct place {
	uint64_t id, parent;
	enum idm_propagation propagation;
	bool found;
};

static int copy_place(const struct idm_mount_info *mount, void *data)
{
	*(struct place *)data = (struct place){ mount->id, mount->parent_id, mount->propagation, true };
	return 0;
}

static int find_below(const struct idm_mount_info *mount, void *data)
{
	struct place *place = data;

	place->found |= mount->parent_id == place->id && mount->id != place->id;
	return 0;
}

/* Of a detached tree the kernel does not say it. */
static int has_mounts_below(int tree_fd, struct idm_error *err)
{
	struct place place = { 0 };
	int r = idm_list_path(tree_fd, "", IDM_LIST_EMPTY_PATH, copy_place, &place, err);

	place.found = false;
	if (r == 0)
		r = idm_list_below(place.id, find_below, &place, err);
	return r < 0 ? r : place.found;
}

/* ---- replacing ---- */

/* move_mount(2) looks at its flags before it looks at anything else. */
static bool kernel_has_beneath(void)
{
	return idm_sys_move_mount_fd(-1, -1, MOVE_MOUNT_BENEATH) != -EINVAL;
}

/*
 * A process in a mount that is unmounted stays in it. For a working directory that is the caller's
 * business. But a process whose root directory is in an unmounted mount is lost. From Linux 7.2 on the
 * kernel does not check this for the caller. One statx() of "/" returns both the mount and whether "/"
 * is its root, so idm_mount_id() is not used here.
 */
static int is_callers_root(int fd)
{
	struct statx st, root;
	int r = idm_sys_statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &st);

	if (r == 0)
		r = idm_sys_statx(AT_FDCWD, "/", AT_STATX_DONT_SYNC, STATX_MNT_ID, &root);
	if (r != 0)
		return r;
	return st.stx_mnt_id == root.stx_mnt_id && root.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

static int diagnose_not_beneath(int code, const char *path, struct idm_error *err)
{
	if (code == -EINVAL && !kernel_has_beneath())
		return idm_fail(err, -EOPNOTSUPP, step_attach, path,
				"replacing a mount is not supported by this kernel (needs Linux 6.5)");
	if (code == -EINVAL) {
		idm_fail(err, code, step_attach, path, "the kernel does not let this mount be replaced");
		idm_hint(err,
			 "the root of a mount namespace, a mount that another user namespace locked, "
			 "and one whose parent is shared with the tree's peers cannot be");
		return code;
	}
	return code == -EPERM || code == -ENOSYS
		       ? idm_diagnose_move_refused(code, step_attach, path, err)
		       : idm_fail_errno(err, code, step_attach, path);
}

/* Looks at the old mount before anything is done. */
static int check_replaced(const struct idm_target *target, const char *path, struct idm_error *err)
{
	int r = idm_is_mount_point(target->fd), is_root = r < 0 ? r : is_callers_root(target->fd);

	if (is_root < 0)
		return idm_fail_errno(err, is_root, step_attach, path);
	if (!r) {
		idm_fail(err, -EINVAL, step_attach, path, "the target is not a mount point");
		idm_hint(err, "IDM_ATTACH_REPLACE requires a mount point as target");
		return -EINVAL;
	}
	if (is_root) {
		idm_fail(err, -EINVAL, step_attach, path,
			 "it is the root directory of this process, which would stay in the old mount");
		idm_hint(err, "pivot_root(2) exchanges root directories");
		return -EINVAL;
	}
	if (!idm_can_unmount_fd(target->fd))
		return idm_fail(err, -EBUSY, step_attach, path,
				"replacing requires a /proc of this PID namespace");
	r = idm_filter_refuses(IDM_CALL_UMOUNT); /* the old mount could not be taken away */
	return r < 0 ? idm_diagnose_filtered(IDM_CALL_UMOUNT, r, step_attach, path, err) : 0;
}

/* Whether the old mount has to become private before it is detached: 1 or 0. */
static int check_below_replaced(const struct idm_target *target, const char *path, struct idm_error *err)
{
	int r = has_mounts_below(target->fd, err);

	if (r == -ENOENT) /* not in the caller's mount namespace: attaching will say so */
		return 0;
	return r > 0 ? idm_check_peers_of_replaced(target->fd, path, err) : r;
}

/*
 * Detaches the replaced mount with the mounts on it. Those can be at peers of the old mount elsewhere,
 * too. A private one has no peers (replaced.c).
 */
static int detach_replaced(const struct idm_target *target, bool alone)
{
	struct mount_attr attr = { .propagation = MS_PRIVATE };
	int r = alone ? idm_sys_mount_setattr(target->fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr) : 0;

	return r < 0 ? r : idm_detach_mount(target->fd);
}

/* Beneath the old mount first, then the old one away: there is always a mount at the target. */
static int replace_mount(int tree_fd, const struct idm_target *target, const char *path,
			 struct idm_error *err)
{
	int r = check_replaced(target, path, err),
	    alone = r < 0 ? r : check_below_replaced(target, path, err);

	if (alone < 0)
		return alone;
	r = idm_sys_move_mount_fd(tree_fd, target->fd, MOVE_MOUNT_BENEATH);
	if (r < 0 && idm_diagnose_not_put(r, tree_fd, target->fd, path, err))
		return r;
	if (r < 0)
		return diagnose_not_beneath(r, path, err);
	/* The kernel has just refused locked mounts: nothing else can make this fail. */
	r = detach_replaced(target, alone);
	if (r < 0)
		return idm_fail(err, r, IDM_STEP_DETACH_OLD_MOUNT, path,
				"the new mount is in place, but beneath the old one: %s",
				idm_errno_text(-r));
	return 0;
}

/* ---- putting on top ---- */

static int diagnose_not_attached(int code, const char *path, struct idm_error *err)
{
	idm_fail_errno(err, code, step_attach, path);
	switch (code) {
	case -EINVAL:
		idm_hint(err,
			 "an unbindable tree cannot go below a shared mount, nor can a mount that is "
			 "attached elsewhere");
		break;
	case -EPERM:
	case -ENOSYS:
		return idm_diagnose_move_refused(code, step_attach, path, err);
	case -ENOSPC:
		idm_hint(err, "the mount namespace is full: look at sysctl fs.mount-max");
		break;
	}
	return code;
}

int idm_attach_on_top(int tree_fd, const struct idm_target *target, const char *path,
		      struct idm_error *err)
{
	int r = idm_sys_move_mount_fd(tree_fd, target->fd, 0);

	if (r == 0 || idm_diagnose_not_put(r, tree_fd, target->fd, path, err))
		return r;
	return diagnose_not_attached(r, path, err);
}

/*
 * Below a shared mount every mount becomes shared as it is attached, whatever it was before. So another
 * propagation can only be set now.
 */
static int set_tree_propagation(int tree_fd, enum idm_propagation propagation)
{
	struct mount_attr attr = { .propagation = idm_propagation_flag(propagation) };

	if (propagation == IDM_PROPAGATION_DEFAULT)
		return 0;
	return idm_sys_mount_setattr(tree_fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr);
}

/* Of what has been attached. */
static int propagate_tree(int tree_fd, const char *path, enum idm_propagation propagation,
			  struct idm_error *err)
{
	int r = set_tree_propagation(tree_fd, propagation);

	if (r == 0)
		return 0;
	/* Taking it away again is right even after a replacement: the old mount has gone. */
	idm_detach_mount(tree_fd);
	return idm_fail_errno(err, r, IDM_STEP_SET_PROPAGATION, path);
}

/*
 * Copies of what is attached below a shared mount appear with all its peers. They disappear with the
 * attached mount as long as that is shared with them. If it is not, the kernel removes the copy of the
 * mount itself, but only if no other is below. What is below stays for good, in mount namespaces that
 * no process can clean up.
 */
static int refuse_copies(const char *path, bool replace, struct idm_error *err)
{
	idm_fail(err, -EINVAL, IDM_STEP_SET_PROPAGATION, path,
		 replace ? "a mount that replaces one below a shared mount has to be shared too"
			 : "the target is below a shared mount, whose peers would keep copies of the "
			   "mounts "
			   "below the tree for good");
	idm_hint(err,
		 "let it be shared, or make the target a private mount of its own first: mount --bind "
		 "and --make-private");
	return -EINVAL;
}

#define PARENT_FOUND 1

static int copy_parent_propagation(const struct idm_mount_info *mount, void *data)
{
	struct place *place = data;

	if (mount->id != place->parent)
		return 0;
	place->propagation = mount->propagation;
	return PARENT_FOUND;
}

static bool cares_for_peers(enum idm_propagation propagation)
{
	return propagation != IDM_PROPAGATION_DEFAULT && propagation != IDM_PROPAGATION_SHARED;
}

/* Whether the request would leave copies with peers if there are mounts below the tree. */
static int leaves_copies(const struct idm_target *target, bool replace, enum idm_propagation propagation,
			 struct idm_error *err)
{
	struct place place = { 0 };
	int r;

	if (!cares_for_peers(propagation))
		return 0;
	r = idm_list_path(target->fd, "", IDM_LIST_EMPTY_PATH, copy_place, &place, err);
	if (r == 0 && replace)
		r = idm_list_below(place.parent, copy_parent_propagation, &place, err);
	if (r == -ENOENT) /* not in the caller's mount namespace: attaching will say so */
		return 0;
	return r < 0 ? r : place.propagation == IDM_PROPAGATION_SHARED;
}

static int put_tree(int tree_fd, const struct idm_target *target, const char *path, bool over,
		    enum idm_propagation propagation, struct idm_error *err)
{
	int shared = leaves_copies(target, over, propagation, err), r;

	if (shared < 0)
		return shared;
	if (over)
		return shared ? refuse_copies(path, true, err)
			      : replace_mount(tree_fd, target, path, err);
	r = idm_attach_on_top(tree_fd, target, path, err);
	if (r < 0 || !shared)
		return r;
	r = has_mounts_below(tree_fd, err);
	if (r == 0)
		return 0;
	idm_detach_mount(tree_fd); /* as long as it is shared, so that all copies disappear */
	return r < 0 ? r : refuse_copies(path, false, err);
}

static int attach_tree_at(int tree_fd, const struct idm_target *target, const char *path,
			  unsigned int flags, enum idm_propagation propagation, struct idm_error *err)
{
	int r = put_tree(tree_fd, target, path, flags & IDM_ATTACH_REPLACE, propagation, err);

	return r < 0 ? r : propagate_tree(tree_fd, path, propagation, err);
}

/*
 * Linux 5.2 can attach, but what the library makes can be made from 5.12 on: so its callers hear from
 * each part of it the same.
 */
int idm_refuse_old_kernel(const char *path, struct idm_error *err)
{
	if (idm_kernel_maps_mounts())
		return 0;
	return idm_fail(err, -ENOSYS, step_attach, path,
			"ID-mapped mounts are not supported by this kernel (needs Linux 5.12)");
}

/*
 * A directory can be put at a path at once: the kernel does not put it on a symbolic link if the path
 * ends in the link's name, since a link is not a directory. The tree's "." proves that the tree is a
 * directory. On any failure the target is opened by itself, which finds the reason. A request that has
 * to look at the target's peers needs an open target as well.
 */
static bool put_at_path(int tree_fd, int dirfd, const char *target, unsigned int flags,
			enum idm_propagation propagation)
{
	unsigned int follow = flags & IDM_ATTACH_FOLLOW ? MOVE_MOUNT_T_SYMLINKS : 0;

	return !(flags & (IDM_ATTACH_REPLACE | IDM_ATTACH_IN_ROOT)) && !cares_for_peers(propagation) &&
	       (follow || idm_ends_in_name(target)) &&
	       idm_sys_move_mount(tree_fd, ".", dirfd, target, MOVE_MOUNT_T_AUTOMOUNTS | follow) == 0;
}

/* The options as they are used: all there, checked. */
static int copy_attach_options(struct idm_attach_options *own, const struct idm_attach_options *options,
			       const char *target, struct idm_error *err)
{
	int r;

	*own = (struct idm_attach_options)IDM_ATTACH_OPTIONS_INIT;
	r = IDM_COPY_STRUCT(own, propagation, options, step_attach, err);
	if (r < 0)
		return r;
	r = idm_check_flags(own->flags, IDM_ATTACH_FLAGS, step_attach, target, err);
	if (r < 0)
		return r;
	if ((unsigned int)own->propagation > IDM_PROPAGATION_UNBINDABLE)
		return idm_fail(err, -EINVAL, step_attach, target, "unknown propagation %d",
				own->propagation);
	return idm_refuse_old_kernel(target, err);
}

static int attach_at(int tree_fd, int dirfd, const char *target, unsigned int flags,
		     enum idm_propagation propagation, struct idm_error *err)
{
	struct idm_target t = { 0 };
	mode_t type;
	int r;

	if (put_at_path(tree_fd, dirfd, target, flags, propagation))
		return propagate_tree(tree_fd, target, propagation, err);
	r = idm_file_type(tree_fd, &type);
	if (r == -EBADF)
		return idm_fail_at(err, r, step_attach, target, tree_fd);
	if (r < 0)
		return idm_fail(err, r, step_attach, target, "the tree cannot be queried: %s",
				idm_errno_text(-r));
	r = idm_target_open(&t, dirfd, target, flags, S_ISDIR(type), err);
	if (r < 0)
		return r == -EISDIR ? idm_diagnose_not_on_directory(r, type, target, err) : r;
	r = attach_tree_at(tree_fd, &t, target, flags, propagation, err);
	if (r < 0)
		idm_target_rollback(&t);
	idm_target_close(&t);
	return r;
}

int idm_tree_attach(int tree_fd, int dirfd, const char *target, const struct idm_attach_options *options,
		    struct idm_error *err)
{
	HOLD_CANCEL;
	struct idm_attach_options o;
	int r = copy_attach_options(&o, options, target, err);

	if (r == 0)
		r = idm_check_fd(tree_fd, step_attach, err, "tree_fd");
	return r < 0 ? r : attach_at(tree_fd, dirfd, target, o.flags, o.propagation, err);
}

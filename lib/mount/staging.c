// SPDX-License-Identifier: MIT
/*
 * A child copies the mount namespace once. It puts an empty tmpfs over the root, pivots to that and
 * detaches everything else. So the namespace keeps no other filesystem busy. The root is that of the
 * mount namespace. A caller after chroot(2) has another one, around which everything would stay.
 *
 * Copies of /proc and /sys stay in it. In a user namespace the kernel permits a new procfs or sysfs only
 * where another one is fully visible (mount_too_revealing). The copies have the mounts below, so the
 * kernel decides there as in the caller's mount namespace.
 */
#include "staging.h"

#include <errno.h>
#include <linux/magic.h>

#include "lib/base/arguments.h"
#include "lib/base/cancel.h"
#include "lib/base/copy-struct.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/sys/capability.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/fs-context.h"
#include "lib/sys/probe.h"
#include "lib/sys/procfs.h"
#include "lib/sys/refused.h"
#include "lib/sys/subprocess.h"
#include "lib/sys/syscall.h"

static const enum idm_error_step step_staging = IDM_STEP_OPEN_STAGING;

/* A filesystem that the staging namespace shows as the caller's mount namespace does. */
struct view {
	const char *path, *name;
	unsigned long magic;
	int tree;
};

struct founding {
	int tmpfs;
	struct view views[2];
	bool joining, pivoting; /* it got as far as that, and no further */
	struct idm_own_mount_ns own;
};

/* ---- in the child ---- */

/* Without the filesystem, the path has no view. */
static int open_view(struct view *view)
{
	const unsigned int flags = OPEN_TREE_CLONE | AT_RECURSIVE | AT_SYMLINK_NOFOLLOW;
	struct statfs fs;
	int r = view->tree = idm_sys_open_tree(AT_FDCWD, view->path, flags);

	if (r == -ENOENT)
		return 0;
	if (r >= 0)
		r = idm_sys_fstatfs(view->tree, &fs);
	if (r == 0 && (unsigned long)fs.f_type != view->magic)
		idm_close_fd(&view->tree);
	return r;
}

/* Without an ID in this user namespace, the caller can create no directory (EOVERFLOW). */
static int attach_view(const struct founding *f, const struct view *view)
{
	int r;

	if (view->tree < 0)
		return 0;
	r = idm_sys_mkdirat(f->tmpfs, view->name, 0755);
	if (r == 0)
		r = idm_sys_move_mount(view->tree, "", f->tmpfs, view->name, MOVE_MOUNT_F_EMPTY_PATH);
	return r == -EOVERFLOW ? 0 : r;
}

/* The tmpfs covers the paths of the views, so the views are opened before. */
static int cover_root(struct founding *f)
{
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(f->views) && r == 0; i++)
		r = open_view(&f->views[i]);
	if (r == 0)
		r = idm_sys_move_mount(f->tmpfs, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH);
	for (size_t i = 0; i < ARRAY_SIZE(f->views) && r == 0; i++)
		r = attach_view(f, &f->views[i]);
	return r;
}

/* "." leads to the topmost mount there, which is the old root. */
static int pivot_to_tmpfs(struct founding *f)
{
	int r = idm_sys_fchdir(f->tmpfs);

	if (r < 0)
		return r;
	f->pivoting = true;
	r = idm_sys_pivot_root(".", ".");
	if (r < 0)
		return r;
	f->pivoting = false;
	return idm_sys_umount(".", MNT_DETACH);
}

/* The kernel sets the root directory of a process that joins, also of one that is there already. */
static int enter_own_copy(struct founding *f)
{
	int r = idm_sys_unshare(CLONE_NEWNS);

	if (r == 0)
		r = idm_subprocess_open_mount_ns(&f->own);
	if (r < 0)
		return r;
	f->joining = true;
	r = idm_sys_setns(f->own.fd, CLONE_NEWNS);
	if (r < 0)
		return r;
	f->joining = false;
	return idm_sys_mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

static int found_staging(void *data)
{
	struct founding *f = data;
	int r = enter_own_copy(f);

	if (r == 0)
		r = cover_root(f);
	return r < 0 ? r : pivot_to_tmpfs(f);
}

int idm_staging_enter(int staging_fd, enum idm_error_step *step)
{
	enum idm_error_step next = *step;
	int r;

	if (staging_fd < 0)
		return idm_subprocess_new_mount_ns();
	*step = IDM_STEP_JOIN_STAGING;
	r = idm_sys_setns(staging_fd, CLONE_NEWNS);
	if (r < 0)
		return r;
	*step = next;
	return idm_subprocess_new_mount_ns();
}

/* ---- in the caller ---- */

/* ENOTTY: a file that knows no such question. */
static int is_mount_namespace(int fd)
{
	struct statfs fs;
	int r = idm_sys_fstatfs(fd, &fs);

	if (r < 0 || fs.f_type != NSFS_MAGIC)
		return r;
	r = idm_sys_ioctl(fd, IDM_NS_GET_NSTYPE, NULL);
	return r < 0 && r != -ENOTTY ? r : r == CLONE_NEWNS;
}

int idm_staging_check(int staging_fd, struct idm_error *err)
{
	int r = idm_check_fd_or_none(staging_fd, IDM_STEP_JOIN_STAGING, err, "staging_fd");

	if (r < 0 || staging_fd < 0)
		return r;
	r = is_mount_namespace(staging_fd);
	if (r < 0)
		return idm_fail_errno(err, r, IDM_STEP_JOIN_STAGING, NULL);
	return r ? 0 : idm_fail(err, -EINVAL, IDM_STEP_JOIN_STAGING, NULL, "expected a mount namespace");
}

static bool makes_namespace(enum idm_error_step step)
{
	return step == IDM_STEP_ENTER_MOUNT_NAMESPACE || step == IDM_STEP_MAKE_MOUNT_NAMESPACE ||
	       step == IDM_STEP_OPEN_STAGING;
}

int idm_diagnose_staging(int code, enum idm_error_step step, struct idm_error *err)
{
	const enum idm_call call = makes_namespace(step) ? IDM_CALL_UNSHARE : IDM_CALL_SETNS;
	int filtered = 0;

	if (code == -EPERM || code == -ENOSYS)
		filtered = idm_filter_refuses(call);
	if (filtered < 0)
		return idm_diagnose_filtered(call, filtered, step, NULL, err);
	if (code == -EBUSY && idm_procfs_check_init() < 0)
		return idm_diagnose_no_init(code, step, err);
	if (code == -EPERM && call == IDM_CALL_UNSHARE)
		return idm_diagnose_mount_refused(code, step, NULL, err);
	if (code != -EPERM || step != IDM_STEP_JOIN_STAGING)
		return idm_fail_errno(err, code, step, NULL);
	return idm_fail(err, code, step, NULL,
			"it requires CAP_SYS_ADMIN in the user namespace that owns the staging "
			"namespace, and CAP_SYS_CHROOT");
}

static int diagnose_not_founded(int code, const struct founding *f, struct idm_error *err)
{
	if (code == -EINVAL && f->pivoting)
		return idm_fail(
			err, code, step_staging, NULL,
			"the root of the mount namespace is the initial ramfs, which pivot_root(2) "
			"refuses");
	return idm_diagnose_staging(code, f->joining ? IDM_STEP_JOIN_STAGING : step_staging, err);
}

static int diagnose_no_tmpfs(int code, struct idm_error *err)
{
	if (code == -EPERM && !idm_may_mount())
		return idm_diagnose_fsopen(code, "tmpfs", IDM_STEP_MAKE_SCRATCH, err);
	return idm_fail_errno(err, code, IDM_STEP_MAKE_SCRATCH, NULL);
}

int idm_staging_open(unsigned int flags, struct idm_error *err)
{
	HOLD_CANCEL;
	struct founding f = { .views = { { "/proc", "proc", PROC_SUPER_MAGIC, -1 },
					 { "/sys", "sys", SYSFS_MAGIC, -1 } },
			      .own = IDM_OWN_MOUNT_NS_INIT };
	AUTO_CLOSE int proc = -1, tmpfs = -1;
	int r = idm_check_flags(flags, 0, step_staging, NULL, err);

	if (r < 0)
		return r;
	proc = idm_procfs_root(err);
	if (proc < 0)
		return proc;
	tmpfs = idm_probe_tmpfs();
	if (tmpfs < 0)
		return diagnose_no_tmpfs(tmpfs, err);
	f.own.proc = proc;
	f.tmpfs = tmpfs;
	r = idm_subprocess_shared(found_staging, &f, sizeof(f));
	idm_subprocess_close_parts(&f.own);
	for (size_t i = 0; i < ARRAY_SIZE(f.views); i++)
		idm_close_fd(&f.views[i].tree);
	if (r == 0)
		return f.own.fd;
	idm_close_fd(&f.own.fd);
	return diagnose_not_founded(r, &f, err);
}

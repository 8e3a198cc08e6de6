// SPDX-License-Identifier: MIT
/* Unmounts the marked mounts one by one. */
#include <errno.h>

#include "internal.h"
#include "lib/base/error.h"
#include "lib/mount/umount-fd.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/procfs.h"
#include "lib/sys/syscall.h"

static const enum idm_error_step step_undo = IDM_STEP_UNDO;

/*
 * The undo waits so long for a mount that is in use. A process that only looks up a path is done by
 * then.
 */
#define BUSY_TRIES 40
#define BUSY_MILLISECONDS 5

static int diagnose_journaled_unmount(int code, const struct idm_mount_node *node, struct idm_error *err)
{
	if (code == -ECHILD)
		return idm_diagnose_no_init(-EBUSY, step_undo, err);
	if (code != -EBUSY)
		return idm_fail_errno(err, code, step_undo, node->target);
	idm_fail(err, code, step_undo, node->target, "the mount is in use");
	idm_hint(err,
		 "\"fuser -vm %s\" shows the processes that use it; IDM_PLAN_UNDO_LAZY detaches it "
		 "anyway",
		 node->target);
	return code;
}

static int try_unmount(const struct idm_undo *u, const struct idm_mount_node *node,
		       struct idm_error *err)
{
	int r = idm_unmount_by_id(AT_FDCWD, node->target, node->id,
				  u->flags & IDM_PLAN_UNDO_LAZY ? MNT_DETACH : 0);

	if (r == -EXDEV)
		return idm_fail(err, -EBUSY, step_undo, node->target, "another mount hides it");
	return r < 0 ? diagnose_journaled_unmount(r, node, err) : 0;
}

/*
 * To the kernel a mount is in use while any process looks up a path that ends in it, in any call.
 * Another process may also have unmounted it since the check.
 */
static int unmount_journaled(const struct idm_undo *u, const struct idm_mount_node *node,
			     struct idm_error *err)
{
	struct idm_error why;
	int r = try_unmount(u, node, &why);

	for (int i = 1; i < BUSY_TRIES && r == -EBUSY; i++) {
		idm_sys_sleep(BUSY_MILLISECONDS);
		r = try_unmount(u, node, &why);
	}
	if (r == 0 || idm_undo_query_mount(u, node->id) == -ENOENT)
		return 0;
	if (err)
		*err = why;
	return r;
}

int idm_undo_unmount_all(struct idm_undo *u, struct idm_error *err)
{
	int r = 0;

	for (size_t i = 0; i < u->nodes.n && r == 0; i++) {
		struct idm_mount_node *node = u->nodes.v[i];

		if (!node->marked)
			continue;
		r = idm_undo_remove_inside(u, node->id, err);
		if (r == 0)
			r = unmount_journaled(u, node, err);
		node->marked = false;
	}
	return r;
}

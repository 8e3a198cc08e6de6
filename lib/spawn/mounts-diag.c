// SPDX-License-Identifier: MIT
/* Messages about the mounts and the root of a failed child. */
#include <errno.h>

#include "internal.h"
#include "lib/base/error.h"
#include "lib/list/mount-place.h"
#include "lib/sys/fail-errno.h"

bool idm_child_diagnose_pivot(const struct idm_child_question *q)
{
	if (q->code != -EINVAL)
		return false;
	idm_fail(q->err, q->code, q->step, NULL,
		 "pivot_root(2) cannot replace the caller's root: it is the initramfs or a chroot");
	return true;
}

static bool diagnose_deleted_root(const struct idm_child_question *q)
{
	if (q->code != -ENOENT || !idm_is_deleted(q->o->root_fd))
		return false;
	idm_fail(q->err, q->code, q->step, NULL, "the source was deleted, and cannot be mounted");
	return true;
}

static bool diagnose_used_root(const struct idm_child_question *q)
{
	if (q->code != -EINVAL)
		return false;
	idm_fail_errno(q->err, q->code, q->step, NULL);
	idm_hint(q->err, "root_fd requires a detached tree that no other child has used");
	return true;
}

bool idm_child_diagnose_root(const struct idm_child_question *q)
{
	return diagnose_deleted_root(q) || diagnose_used_root(q);
}

/* Returns false for another kind of mount. */
static bool find_tree_mount(const struct idm_child_question *q, struct idm_child_mount *m)
{
	if (!q->subject || q->report->item >= q->o->n_mounts)
		return false;
	*m = idm_child_get_mount(q->o, q->report->item);
	return m->tree_fd >= 0;
}

static bool diagnose_deleted_source(const struct idm_child_question *q, const struct idm_child_mount *m)
{
	if (q->code != -ENOENT || !idm_is_deleted(m->tree_fd))
		return false;
	idm_fail(q->err, q->code, q->step, q->subject, "the source was deleted, and cannot be mounted");
	return true;
}

/* With IDM_CHILD_MOUNT_MKDIR the parents are directories, so only the last component can differ. */
static bool diagnose_other_kind(const struct idm_child_question *q, const struct idm_child_mount *m)
{
	const char *why = "the target, or a component of its path, is not a directory";

	if (q->code != -EISDIR && q->code != -ENOTDIR)
		return false;
	if (q->code == -EISDIR)
		why = "expected a file as target, like the source; got a directory";
	else if (m->flags & IDM_CHILD_MOUNT_MKDIR)
		why = "expected a directory as target, like the source; got a file";
	idm_fail(q->err, q->code, q->step, q->subject, "%s", why);
	return true;
}

/* The kernel's text names no filesystem. */
static bool diagnose_filesystem(const struct idm_child_question *q)
{
	struct idm_child_mount m;

	if (q->code != -ENODEV || q->report->item >= q->o->n_mounts)
		return false;
	m = idm_child_get_mount(q->o, q->report->item);
	if (!m.fstype)
		return false;
	idm_fail(q->err, q->code, q->step, q->subject, "%s: %s", m.fstype, idm_errno_text(-q->code));
	idm_hint(q->err, "the kernel may have no such filesystem");
	return true;
}

bool idm_child_diagnose_child_mount(const struct idm_child_question *q)
{
	struct idm_child_mount m;

	if (diagnose_filesystem(q))
		return true;
	if (find_tree_mount(q, &m) && (diagnose_deleted_source(q, &m) || diagnose_other_kind(q, &m)))
		return true;
	if (q->code == -EBUSY) {
		idm_fail(q->err, q->code, q->step, q->subject, "the target is the root itself");
		return true;
	}
	if (q->code != -ELOOP)
		return false;
	idm_fail(q->err, q->code, q->step, q->subject,
		 "the target is a symbolic link, or its path has a loop of them");
	idm_hint(q->err, "name the place that it points to");
	return true;
}

bool idm_child_diagnose_mount_target(const struct idm_child_question *q)
{
	if (q->code != -ELOOP)
		return false;
	idm_fail(q->err, q->code, q->step, q->subject,
		 "the path has a loop of symbolic links, or a magic link of a procfs");
	return true;
}

// SPDX-License-Identifier: MIT
/*
 * Locks trees for the user namespace of a container. The kernel does that only when it copies a whole
 * mount namespace for another user namespace: it locks the attributes and the nested mounts, and makes
 * slaves of shared mounts. A detached tree that is attached in a container gets none of it. Then a
 * container with CAP_SYS_ADMIN in its user namespace could make a read-only mount writable, unmount
 * nested mounts, and mount on the host.
 *
 * So the trees pass such a copy (locked-copy.c). A child in there clones them. The clones keep the
 * locks. Only the top mount of a clone is not locked, as that of each bind.
 */
#include "lock-trees.h"

#include <errno.h>
#include <unistd.h>

#include "lib/base/macros.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/procfs.h"
#include "lib/sys/subprocess.h"
#include "lib/sys/syscall.h"
#include "locked-copy.h"
#include "mount-error.h"
#include "placing.h"
#include "untraceable.h"

/* ---- the owner ---- */

int open_other_owner(int mount_namespace, int *userns, const char *name, struct idm_error *err)
{
	const enum idm_error_step step = IDM_STEP_ENTER_CONTAINER;
	AUTO_CLOSE int owner = idm_sys_ioctl(mount_namespace, IDM_NS_GET_USERNS, NULL), own = -1;

	*userns = -1;
	if (owner == -EPERM)
		return idm_fail(
			err, owner, step, name,
			"its mount namespace is owned by a user namespace outside of the caller's");
	if (owner < 0)
		return idm_fail(err, owner, step, name, "find the owner of its mount namespace: %s",
				idm_errno_text(-owner));
	own = idm_procfs_open_self("ns/user", step, err);
	if (own < 0)
		return own;
	if (!idm_is_same_inode(owner, own))
		*userns = idm_steal_fd(&owner);
	return 0;
}

/* ---- in the child that clones ---- */

static int clone_from_stage(int stage, size_t i)
{
	return idm_sys_open_tree(stage, name_on_stage(i).text,
				 OPEN_TREE_CLONE | AT_RECURSIVE | AT_SYMLINK_NOFOLLOW);
}

static int clone_all_from_stage(void *data)
{
	struct locking *l = data;
	int r = idm_sys_setns(l->namespace, CLONE_NEWNS);

	for (size_t i = 0; i < l->n && r >= 0; i++) {
		if (l->placings[i].tree < 0)
			continue;
		l->which = i;
		r = l->locked[i] = clone_from_stage(l->stage, i);
	}
	return r < 0 ? r : 0;
}

/* ---- in the caller ---- */

static void replace_trees(struct placing *placings, struct locking *l)
{
	for (size_t i = 0; i < l->n; i++) {
		if (placings[i].tree < 0)
			continue;
		idm_close_fd(&placings[i].tree);
		placings[i].tree = idm_steal_fd(&l->locked[i]);
	}
}

static void close_locked(struct locking *l)
{
	idm_close_fd(&l->namespace);
	idm_close_fd(&l->stage);
	for (size_t i = 0; i < l->n; i++)
		idm_close_fd(&l->locked[i]);
}

static int diagnose_not_locked(int code, const struct locking *l, struct idm_error *err)
{
	const struct placing *p = l->which < l->n ? &l->placings[l->which] : NULL;

	if (code == -ESRCH)
		return idm_fail(err, code, l->step, NULL,
				"the hook's process in there was killed or stopped");
	idm_fail_errno(err, code, l->step, NULL);
	return p ? name_mount_of_error(code, &p->step, p->annotation, err) : code;
}

int lock_trees(struct placing *placings, size_t n, int userns, struct idm_error *err)
{
	size_t size = sizeof(struct locking) + n * sizeof(int);
	struct locking *l;
	int r = check_untraceable(userns, err);

	if (r < 0)
		return r;
	l = idm_subprocess_memory(size);
	if (!l)
		return idm_fail_errno(err, -ENOMEM, IDM_STEP_LOCK_MOUNTS, NULL);
	*l = (struct locking){ .placings = placings,
			       .n = n,
			       .userns = userns,
			       .caller = getpid(),
			       .namespace = -1,
			       .stage = -1,
			       .which = n,
			       .step = IDM_STEP_MAKE_MOUNT_NAMESPACE };
	for (size_t i = 0; i < n; i++)
		l->locked[i] = -1;
	r = make_locked_copy(l);
	if (r == 0)
		r = idm_subprocess_shared(clone_all_from_stage, l, size);
	if (r == 0)
		replace_trees(placings, l);
	else
		diagnose_not_locked(r, l, err);
	close_locked(l);
	idm_subprocess_memory_free(l, size);
	return r;
}

// SPDX-License-Identifier: MIT
/*
 * Locks trees for the user namespace of a container. The kernel does that only when it copies a whole
 * mount namespace for another user namespace: it locks the attributes and the nested mounts, and makes
 * slaves of shared mounts. A detached tree that is attached in a container gets none of it. Then a
 * container with CAP_SYS_ADMIN in its user namespace could make a read-only mount writable, unmount
 * nested mounts, and mount on the host.
 *
 * So a child attaches all trees in a mount namespace of its own. It joins the container's user
 * namespace, enters a copy of the mount namespace, and clones the trees out of that. The clones keep
 * the locks. Only the top mount of a clone is not locked, as that of each bind.
 *
 * The child has a copy of the memory, since it changes its credentials (subprocess.h).
 */
#include "lock-trees.h"

#include <errno.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "lib/base/macros.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/file-type.h"
#include "lib/sys/probe.h"
#include "lib/sys/procfs.h"
#include "lib/sys/subprocess.h"
#include "lib/sys/syscall.h"
#include "mount-error.h"
#include "placing.h"

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

/* ---- in the child ---- */

/* In memory that both sides see. */
struct locking {
	const struct placing *placings;
	size_t n;
	int userns;
	enum idm_error_step step;
	size_t which; /* of the error; n: of none */
	int locked[]; /* the clones; -1: none */
};

struct stage_name {
	char text[24];
};

static struct stage_name name_on_stage(size_t i)
{
	struct stage_name name;

	snprintf(name.text, sizeof(name.text), "%zu", i);
	return name;
}

/* A tree of a directory needs a directory, one of a file needs a file. */
static int make_place_on_stage(int stage, const char *name, int tree)
{
	AUTO_CLOSE int file = -1;
	mode_t type;
	int r = idm_file_type(tree, &type);

	if (r < 0)
		return r;
	if (S_ISDIR(type))
		return idm_sys_mkdirat(stage, name, 0700);
	file = idm_sys_openat(stage, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
	return file < 0 ? file : 0;
}

static int attach_to_stage(int stage, size_t i, int tree)
{
	struct stage_name name = name_on_stage(i);
	int r = make_place_on_stage(stage, name.text, tree);

	return r < 0 ? r : idm_sys_move_mount(tree, "", stage, name.text, MOVE_MOUNT_F_EMPTY_PATH);
}

static int attach_all_to_stage(struct locking *l, int stage)
{
	int r = 0;

	for (size_t i = 0; i < l->n && r == 0; i++) {
		if (l->placings[i].tree < 0)
			continue;
		l->which = i;
		r = attach_to_stage(stage, i, l->placings[i].tree);
	}
	return r;
}

/* The stage becomes the working directory: unlike a descriptor, that leads to the copy of a mount. */
static int enter_stage(struct locking *l)
{
	AUTO_CLOSE int stage = -1;
	int r;

	l->step = IDM_STEP_MAKE_MOUNT_NAMESPACE;
	r = idm_subprocess_new_mount_ns();
	if (r < 0)
		return r;
	l->step = IDM_STEP_MAKE_SCRATCH;
	stage = idm_probe_tmpfs();
	if (stage < 0)
		return stage;
	r = idm_sys_move_mount(stage, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH);
	if (r == 0)
		r = idm_sys_fchdir(stage);
	if (r < 0)
		return r;
	l->step = IDM_STEP_ATTACH;
	return attach_all_to_stage(l, stage);
}

/*
 * Processes of the container must not trace this one, which has descriptors of the host. The kernel
 * leaves it dumpable if its user owns the user namespace. With the sysctl fs.suid_dumpable=1 the kernel
 * makes it dumpable.
 */
static int join_owner(int userns)
{
	int r = idm_sys_prctl(PR_SET_DUMPABLE, 0, 0);

	if (r == 0)
		r = idm_sys_setns(userns, CLONE_NEWUSER);
	return r < 0 ? r : idm_sys_prctl(PR_SET_DUMPABLE, 0, 0);
}

static int clone_from_stage(size_t i)
{
	return idm_sys_open_tree(AT_FDCWD, name_on_stage(i).text,
				 OPEN_TREE_CLONE | AT_RECURSIVE | AT_SYMLINK_NOFOLLOW);
}

static int clone_all_from_stage(struct locking *l)
{
	int r = 0;

	for (size_t i = 0; i < l->n && r >= 0; i++) {
		if (l->placings[i].tree < 0)
			continue;
		l->which = i;
		r = l->locked[i] = clone_from_stage(i);
	}
	return r < 0 ? r : 0;
}

static int lock_in_child(void *data)
{
	struct locking *l = data;
	int r = enter_stage(l);

	if (r < 0)
		return r;
	l->step = IDM_STEP_JOIN_USERNS;
	l->which = l->n;
	r = join_owner(l->userns);
	if (r < 0)
		return r;
	l->step = IDM_STEP_LOCK_MOUNTS;
	l->which = l->n;
	r = idm_sys_unshare(CLONE_NEWNS);
	return r < 0 ? r : clone_all_from_stage(l);
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
	for (size_t i = 0; i < l->n; i++)
		idm_close_fd(&l->locked[i]);
}

static int diagnose_not_locked(int code, const struct locking *l, struct idm_error *err)
{
	const struct placing *p = l->which < l->n ? &l->placings[l->which] : NULL;

	idm_fail_errno(err, code, l->step, NULL);
	return p ? name_mount_of_error(code, &p->step, p->annotation, err) : code;
}

int lock_trees(struct placing *placings, size_t n, int userns, struct idm_error *err)
{
	size_t size = sizeof(struct locking) + n * sizeof(int);
	struct locking *l = idm_subprocess_memory(size);
	int r;

	if (!l)
		return idm_fail_errno(err, -ENOMEM, IDM_STEP_LOCK_MOUNTS, NULL);
	*l = (struct locking){ .placings = placings,
			       .n = n,
			       .userns = userns,
			       .which = n,
			       .step = IDM_STEP_MAKE_MOUNT_NAMESPACE };
	for (size_t i = 0; i < n; i++)
		l->locked[i] = -1;
	r = idm_subprocess(lock_in_child, l);
	if (r == 0)
		replace_trees(placings, l);
	else
		diagnose_not_locked(r, l, err);
	close_locked(l);
	idm_subprocess_memory_free(l, size);
	return r;
}

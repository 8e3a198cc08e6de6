// SPDX-License-Identifier: MIT
/*
 * Exchanges the runtime's mounts for mapped trees, in a child in the container's mount namespace. Its
 * processes do not run yet.
 *
 * A tree must not cover the runtime's mount: a container with CAP_SYS_ADMIN in its user namespace could
 * uncover that. So the mount is removed, and the tree is attached at the bare mount point. If mounts of
 * the runtime below will move onto the tree, the mount moves aside before, to a mount on the root
 * filesystem. When all trees are there, the mounts aside are removed with all that is left on them. The
 * kernel waits for a grace period of RCU in each removal, and the mount aside would cost one more.
 *
 * MOVE_MOUNT_BENEATH would need no mount point. But it is of Linux 6.5, and the mounts below the
 * runtime's would have to be copied.
 *
 * The mount point is looked up by its name in a directory that is held open. A running container may
 * share that directory, and exchange the name for another one of its own there. It can do the same once
 * the tree is attached. The lookup follows no link.
 *
 * A mount on a shared one cannot be moved, and an attached tree would appear on all of its peers. So the
 * shared one leaves its group for that time, and a copy of it stays in there to lead it back.
 */
#include "exchange.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/rootfs/assemble.h"
#include "lib/sys/subprocess.h"
#include "lib/sys/syscall.h"
#include "open-inside.h"
#include "placing.h"

enum doing {
	JOINING,
	MAKING_ASIDE,
	MOVING,
	LEAVING_GROUP,
	RESOLVING,
	ATTACHING,
	PROPAGATING,
	REMOVING,
	REJOINING
};

struct exchange {
	const struct mount_tables *where;
	struct placing *placings;
	size_t n;
	size_t which; /* of the error */
	enum doing doing;
	int aside;		       /* an unbindable mount on the root filesystem; -1: none yet */
	struct mount_group root_group; /* of that filesystem's mount */
};

static int set_propagation(int mount, unsigned long propagation, unsigned int flags)
{
	struct mount_attr attr = { .propagation = propagation };

	return idm_sys_mount_setattr(mount, "", AT_EMPTY_PATH | flags, &attr);
}

/* ---- removing a mount ---- */

/* The name of a mount, from the working directory that name_mount() sets. */
struct mount_name {
	char text[32];
};

/*
 * The working directory leads to a directory, whatever /proc is in there. Only the link of its
 * descriptor leads to a file.
 */
static bool name_mount(const struct exchange *x, int root, struct mount_name *name)
{
	struct stat st;

	strcpy(name->text, ".");
	if (idm_sys_fchdir(root) == 0)
		return true;
	snprintf(name->text, sizeof(name->text), "self/fd/%d", root);
	return idm_sys_fchdir(x->where->proc) == 0 && idm_sys_fstatat(AT_FDCWD, name->text, &st, 0) == 0;
}

/* A mount that is a peer of one of the host's would take the host's mounts below that one along. */
static int remove_mount(const struct exchange *x, int mount)
{
	struct mount_name name;
	int r = set_propagation(mount, MS_PRIVATE, AT_RECURSIVE);

	if (r < 0)
		return r;
	return name_mount(x, mount, &name) ? idm_sys_umount(name.text, MNT_DETACH) : -ENOENT;
}

/* ---- the group of a shared mount ---- */

static int open_mount_root(int directory)
{
	int root = idm_sys_openat(directory, ".", O_PATH | O_DIRECTORY, 0);

	while (root >= 0 && !idm_is_mount_point(root)) {
		int above = idm_sys_openat(root, "..", O_PATH | O_DIRECTORY, 0);

		idm_close_fd(&root);
		root = above;
	}
	return root;
}

/* move_mount(2) looks at its flags before it looks at anything else. */
static bool kernel_can_rejoin(void)
{
	return idm_sys_move_mount_fd(-1, -1, MOVE_MOUNT_SET_GROUP) != -EINVAL;
}

/*
 * The kernel attaches nothing unbindable to a shared mount (EINVAL), where peers would get a copy. It
 * looks at that before it refuses a mount that is on the mount aside (ELOOP).
 */
static bool is_shared(const struct exchange *x, int mount)
{
	int r = idm_sys_move_mount_fd(x->aside, mount, 0);

	return r < 0 ? r != -ELOOP : idm_sys_move_mount_fd(x->aside, x->where->root, 0) < 0;
}

/* What can fail of it. */
static int copy_for_group(struct mount_group *group)
{
	if (!kernel_can_rejoin())
		return -EOPNOTSUPP;
	group->copy = idm_sys_open_tree(group->mount, "", OPEN_TREE_CLONE | AT_EMPTY_PATH);
	return group->copy < 0 ? group->copy : 0;
}

static int leave_group(struct exchange *x, const struct mount_group *group)
{
	x->doing = LEAVING_GROUP;
	return group->copy < 0 ? 0 : set_propagation(group->mount, MS_PRIVATE, 0);
}

/* For the mount that `directory` is in, if it is shared. Needs the mount aside. */
static int prepare_to_leave(struct exchange *x, struct mount_group *group, int directory)
{
	x->doing = LEAVING_GROUP;
	group->mount = open_mount_root(directory);
	if (group->mount < 0)
		return group->mount;
	return is_shared(x, group->mount) ? copy_for_group(group) : 0;
}

static int leave_group_at(struct exchange *x, struct mount_group *group, int directory)
{
	int r = prepare_to_leave(x, group, directory);

	return r < 0 ? r : leave_group(x, group);
}

static int separate_shared_mount(struct exchange *x, struct mount_group *group, int mount)
{
	int r;

	x->doing = LEAVING_GROUP;
	group->mount = idm_sys_dup(mount);
	if (group->mount < 0)
		return group->mount;
	r = copy_for_group(group);
	return r < 0 ? r : leave_group(x, group);
}

static int rejoin_group(struct exchange *x, const struct mount_group *group)
{
	x->doing = REJOINING;
	return group->copy < 0 ? 0
			       : idm_sys_move_mount_fd(group->copy, group->mount, MOVE_MOUNT_SET_GROUP);
}

static int rejoin_groups_of(struct exchange *x, const struct placing *p)
{
	int of_cover = rejoin_group(x, &p->cover_group), r = rejoin_group(x, &p->group);

	return of_cover < 0 ? of_cover : r;
}

/* ---- the mount aside ---- */

/* It is unbindable, for is_shared(). */
static int attach_aside(struct exchange *x)
{
	int root = x->where->root, r;

	if (x->aside >= 0)
		return 0;
	x->doing = MAKING_ASIDE;
	x->aside = idm_sys_open_tree(root, "", OPEN_TREE_CLONE | AT_EMPTY_PATH);
	r = x->aside < 0 ? x->aside : set_propagation(x->aside, MS_UNBINDABLE, 0);
	if (r == 0)
		r = idm_sys_move_mount_fd(x->aside, root, 0);
	if (r != -EINVAL)
		return r;
	r = leave_group_at(x, &x->root_group, root);
	if (r < 0)
		return r;
	x->doing = MAKING_ASIDE;
	return idm_sys_move_mount_fd(x->aside, root, 0);
}

/* ---- moving and attaching ---- */

/* The kernel does not move a mount that is on a shared one (EINVAL). */
static int move_runtime_mount(struct exchange *x, struct placing *p, int to)
{
	int r = idm_sys_move_mount_fd(p->place, to, 0);

	if (r != -EINVAL)
		return r;
	r = attach_aside(x);
	if (r == 0)
		r = leave_group_at(x, &p->group, p->directory);
	if (r < 0)
		return r;
	x->doing = MOVING;
	return idm_sys_move_mount_fd(p->place, to, 0);
}

/* The mounts of mapped covers are on each other, too. */
static bool is_on_mount_of(const struct placing *q, const struct placing *p)
{
	do
		q = q->cover;
	while (q && q != p);
	return q;
}

/* Whether mounts without a map are on that of `p`, however far below. */
static bool has_mounts_to_keep(const struct exchange *x, const struct placing *p)
{
	for (size_t i = 0; i < x->n; i++)
		if (!x->placings[i].mapped && is_on_mount_of(&x->placings[i], p))
			return true;
	return false;
}

/*
 * A mount on a shared one has copies on the peers of that, also on the host. They are removed with it,
 * while the shared one is in its group. A copy with mounts below it stays.
 */
static int remove_from_peers(struct exchange *x, struct placing *p)
{
	int r = attach_aside(x);

	if (r == 0)
		r = prepare_to_leave(x, &p->group, p->directory);
	if (r < 0)
		return r;
	x->doing = REMOVING;
	r = remove_mount(x, p->place);
	p->on_shared = r == 0;
	return r < 0 ? r : leave_group(x, &p->group);
}

/*
 * The kernel says first whether the mount could move at all: no mount moves onto itself (ELOOP), and
 * none that is on a shared one moves (EINVAL).
 */
static int remove_runtime_mount(struct exchange *x, struct placing *p)
{
	int r;

	x->doing = MOVING;
	r = idm_sys_move_mount_fd(p->place, p->place, 0);
	if (r == -EINVAL)
		return remove_from_peers(x, p);
	if (r != -ELOOP)
		return r;
	x->doing = REMOVING;
	return remove_mount(x, p->place);
}

static int move_or_remove(struct exchange *x, struct placing *p)
{
	int r;

	if (!has_mounts_to_keep(x, p))
		return remove_runtime_mount(x, p);
	r = attach_aside(x);
	if (r < 0)
		return r;
	x->doing = MOVING;
	r = move_runtime_mount(x, p, x->aside);
	p->aside = r == 0;
	return r;
}

/* It becomes private, so that mounts on it can move away. */
static int move_aside(struct exchange *x, struct placing *p)
{
	int r;

	x->doing = MOVING;
	r = set_propagation(p->place, MS_PRIVATE, 0);
	return r < 0 ? r : move_or_remove(x, p);
}

static int find_place(struct exchange *x, int directory, const char *path, uint64_t resolve)
{
	x->doing = RESOLVING;
	return open_below(directory, path, O_PATH, resolve);
}

/*
 * The place can be the root of a mount, if the source of another volume has one there. That is so when
 * an earlier container has left its mount on a volume that is a peer of the host's. The directory does
 * not lead to that mount.
 */
static int find_mount_point(struct exchange *x, struct placing *p)
{
	int place = find_place(x, p->directory, p->name, RESOLVE_NO_XDEV), r;

	if (place != -EXDEV)
		return place;
	place = find_place(x, p->directory, p->name, 0);
	if (place < 0 || !p->on_shared)
		return place;
	r = separate_shared_mount(x, &p->cover_group, place);
	if (r == 0)
		return place;
	idm_close_fd(&place);
	return r;
}

static int exchange_mount(struct exchange *x, struct placing *p)
{
	AUTO_CLOSE int place = -1;
	int r = move_aside(x, p);

	if (r < 0)
		return r;
	place = find_mount_point(x, p);
	if (place < 0)
		return place;
	x->doing = ATTACHING;
	return idm_sys_move_mount_fd(p->tree, place, 0);
}

/*
 * No unbindable mount moves onto a shared one (EINVAL). The tree can be shared, but not with the host:
 * attach.c refuses that.
 */
static int place_on_cover(struct exchange *x, struct placing *p)
{
	AUTO_CLOSE int place = find_place(x, p->cover->tree, p->rest, 0);
	int r;

	if (place < 0)
		return place;
	x->doing = p->mapped ? ATTACHING : MOVING;
	r = p->mapped ? idm_sys_move_mount_fd(p->tree, place, 0) : move_runtime_mount(x, p, place);
	if (r != -EINVAL)
		return r;
	r = attach_aside(x);
	if (r == 0)
		r = leave_group_at(x, &p->cover_group, p->cover->tree);
	if (r < 0)
		return r;
	x->doing = p->mapped ? ATTACHING : MOVING;
	return idm_sys_move_mount_fd(p->mapped ? p->tree : p->place, place, 0);
}

static int place_mount(struct exchange *x, struct placing *p)
{
	int r;

	if (p->place < 0 || (!p->mapped && !p->cover))
		return 0;
	r = p->cover ? place_on_cover(x, p) : exchange_mount(x, p);
	if (r < 0 || !p->mapped || !p->step.propagation)
		return r;
	x->doing = PROPAGATING;
	return idm_plan_entry_propagate(&p->step, p->tree);
}

/* ---- all ---- */

static int place_mounts(struct exchange *x)
{
	int r = 0;

	for (size_t i = 0; i < x->n && r == 0; i++) {
		x->which = i;
		r = place_mount(x, &x->placings[i]);
	}
	return r;
}

/* Each mount aside is on the one before it. To unmount that one would unmount the last one. */
static int remove_mounts_aside(struct exchange *x)
{
	int r = 0;

	x->doing = REMOVING;
	for (size_t i = x->n; i-- > 0 && r == 0;) {
		x->which = i;
		if (x->placings[i].aside)
			r = remove_mount(x, x->placings[i].place);
	}
	if (r < 0)
		return r;
	x->which = x->n;
	return x->aside < 0 ? 0 : remove_mount(x, x->aside);
}

/* A mount that has left its group can be in one aside, so those are removed later. */
static int finish_exchange(struct exchange *x)
{
	int r = 0;

	for (size_t i = 0; i < x->n && r == 0; i++) {
		x->which = i;
		r = rejoin_groups_of(x, &x->placings[i]);
	}
	if (r == 0)
		r = remove_mounts_aside(x);
	return r < 0 ? r : rejoin_group(x, &x->root_group);
}

/* The error that counts is the first one. A step that has been done fails, and changes nothing. */
static void clean_up(const struct exchange *failed)
{
	struct exchange x = *failed;

	for (size_t i = x.n; i-- > 0;)
		if (x.placings[i].tree >= 0)
			remove_mount(&x, x.placings[i].tree);
	for (size_t i = 0; i < x.n; i++)
		rejoin_groups_of(&x, &x.placings[i]);
	remove_mounts_aside(&x);
	rejoin_group(&x, &x.root_group);
}

/*
 * The child shares the caller's descriptor table, and as a rule the memory in which these are noted.
 * They are forgotten first: what is closed twice could be another thread's by then.
 */
static void close_noted_fd(volatile int *noted)
{
	int fd = *noted;

	*noted = -1;
	idm_close_fd(&fd);
}

static void close_group(struct mount_group *group)
{
	close_noted_fd(&group->mount);
	close_noted_fd(&group->copy);
}

static void close_noted(struct exchange *x)
{
	for (size_t i = 0; i < x->n; i++) {
		close_group(&x->placings[i].group);
		close_group(&x->placings[i].cover_group);
	}
	close_group(&x->root_group);
	close_noted_fd(&x->aside);
}

static int exchange_in_child(void *data)
{
	struct exchange *x = data;
	int r = idm_sys_setns(x->where->namespace, CLONE_NEWNS);

	if (r < 0)
		return r;
	r = place_mounts(x);
	if (r == 0)
		r = finish_exchange(x);
	if (r < 0)
		clean_up(x);
	close_noted(x);
	return r;
}

/* ---- reporting errors ---- */

static int diagnose_exchange(int code, const struct exchange *x, struct idm_error *err)
{
	static const char *const doings[] = {
		[JOINING] = "join its mount namespace: ",
		[MAKING_ASIDE] = "make a mount for those of the runtime: ",
		[MOVING] = "move the runtime's mount: ",
		[LEAVING_GROUP] = "separate the shared mount that it is on: ",
		[RESOLVING] = "find the destination again: ",
		[ATTACHING] = "",
		[PROPAGATING] = "set propagation: ",
		[REMOVING] = "remove the runtime's mounts: ",
		[REJOINING] = "share the mount that it is on again: ",
	};
	const struct placing *p = x->which < x->n ? &x->placings[x->which] : NULL;
	char name[IDM_PLAN_ENTRY_NAME];

	if (p)
		name_placing(p, name, sizeof(name));
	if (x->doing == LEAVING_GROUP && code == -EOPNOTSUPP)
		return idm_fail(
			err, code, IDM_STEP_ATTACH_IN_CONTAINER, p ? name : NULL,
			"a place on a shared mount is not supported by this kernel (needs Linux 5.15)");
	return idm_fail(err, code, IDM_STEP_ATTACH_IN_CONTAINER, p ? name : NULL, "%s%s",
			doings[x->doing], idm_errno_text(-code));
}

int exchange_mounts(struct placing *placings, size_t n, const struct mount_tables *where,
		    struct idm_error *err)
{
	struct exchange x = { .where = where,
			      .placings = placings,
			      .n = n,
			      .which = n,
			      .doing = JOINING,
			      .aside = -1,
			      .root_group = { -1, -1 } };
	int r = idm_subprocess_shared(exchange_in_child, &x, sizeof(x));

	close_noted(&x); /* of a child that was killed */
	return r < 0 ? diagnose_exchange(r, &x, err) : 0;
}

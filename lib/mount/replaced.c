// SPDX-License-Identifier: MIT
/*
 * The kernel unmounts a mount from all peers and slaves of the mount that it is on. For the replaced
 * mount that is intended: its copies there are replaced, too. But with it the mounts on it are
 * unmounted, and the replaced mount itself can have peers and slaves elsewhere, such as a recursive
 * bind. These lose what is mounted there.
 *
 * A private mount has neither. But if a copy of the replaced mount has mounts on it that are not
 * unmounted with those on the original, the kernel keeps the copy. So the replaced mount becomes private
 * only where it has no copies.
 */
#include "replaced.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/array.h"
#include "lib/base/error.h"
#include "lib/base/hashtable.h"
#include "lib/base/macros.h"
#include "lib/list/internal.h"
#include "lib/list/mount-copy.h"
#include "lib/list/mount-point.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/syscall.h"

static const enum idm_error_step step_attach = IDM_STEP_ATTACH;

struct peer {
	struct idm_hash_link by_id;
	struct idm_mount_info *mount; /* its ID is the short one */
	uint64_t peers, master;
};

struct peers {
	struct peer *v;
	size_t n;
	struct idm_hashtable by_id;	     /* when all are read */
	const struct peer *replaced, *place; /* the mount, and the one that it is on */
};

static int append_peer(const struct idm_mount_info *mount, void *data)
{
	const struct idm_mountinfo_mount *line = (const struct idm_mountinfo_mount *)mount;
	struct peers *all = data;
	struct idm_mount_info *copy = idm_copy_mount_info(mount);
	struct peer *p = copy ? idm_array_append(&all->v, &all->n, sizeof(*p)) : NULL;

	if (!p) {
		idm_free_mount_info(copy);
		return -ENOMEM;
	}
	*p = (struct peer){ { .key = copy->id }, copy, line->peers, line->master };
	return 0;
}

static void free_peers(struct peers *all)
{
	for (size_t i = 0; i < all->n; i++)
		idm_free_mount_info(all->v[i].mount);
	free(all->v);
	idm_hashtable_free(&all->by_id);
}

static int index_peers(struct peers *all)
{
	int r = 0;

	for (size_t i = 0; i < all->n && r == 0; i++)
		r = idm_hashtable_add(&all->by_id, &all->v[i].by_id);
	return r;
}

static const struct peer *find_peer(const struct peers *all, uint64_t id)
{
	return idm_container_of(struct peer, by_id, idm_hashtable_find(&all->by_id, id));
}

static const struct peer *find_parent(const struct peers *all, const struct peer *p)
{
	const struct peer *parent = find_peer(all, p->mount->parent_id);

	return parent == p ? NULL : parent; /* of a root */
}

/* ---- where mounts propagate ---- */

/* Any mount of the group; all have the same master. */
static const struct peer *find_in_group(const struct peers *all, uint64_t group)
{
	for (size_t i = 0; i < all->n; i++)
		if (all->v[i].peers == group)
			return &all->v[i];
	return NULL;
}

/* Whether what is mounted on `from` appears on `to`. */
static bool propagates(const struct peers *all, const struct peer *from, const struct peer *to)
{
	uint64_t master = to->master;

	if (!from->peers || from == to)
		return false;
	if (to->peers == from->peers)
		return true;
	for (size_t depth = 0; master && master != from->peers && depth < all->n; depth++) {
		const struct peer *above = find_in_group(all, master);

		master = above ? above->master : 0;
	}
	return master == from->peers;
}

/* Whether the kernel unmounts `other` with `p`. */
static bool goes_with(const struct peers *all, const struct peer *p, const struct peer *other)
{
	const struct peer *on_p = find_parent(all, p), *on_other = find_parent(all, other);
	AUTO_FREE char *of_p = NULL, *of_other = NULL;

	if (!on_p || !on_other || !propagates(all, on_p, on_other))
		return false;
	of_p = idm_path_in_filesystem(p->mount, on_p->mount);
	of_other = idm_path_in_filesystem(other->mount, on_other->mount);
	return of_p && of_other && strcmp(of_p, of_other) == 0;
}

/* ---- what is unmounted ---- */

/* A list from a time at which mounts were moved may have a mount on each. */
static bool is_below_replaced(const struct peers *all, const struct peer *p)
{
	for (size_t depth = 0; p && p != all->replaced && depth < all->n; depth++)
		p = find_parent(all, p);
	return p == all->replaced;
}

/* Whether the mount is on a copy of the replaced one, however far below. */
static bool is_below_copy(const struct peers *all, const struct peer *p)
{
	for (size_t depth = 0; p && depth < all->n; depth++) {
		if (goes_with(all, all->replaced, p))
			return true;
		p = find_parent(all, p);
	}
	return false;
}

/* Returns a mount elsewhere that is unmounted with `p`, which is below the replaced one. */
static const struct peer *find_victim(const struct peers *all, const struct peer *p)
{
	for (size_t i = 0; i < all->n; i++) {
		const struct peer *other = &all->v[i];

		if (goes_with(all, p, other) && !is_below_replaced(all, other) &&
		    !is_below_copy(all, other))
			return other;
	}
	return NULL;
}

static const struct peer *find_any_victim(const struct peers *all)
{
	const struct peer *victim = NULL;

	for (size_t i = 0; i < all->n && !victim; i++)
		if (&all->v[i] != all->replaced && is_below_replaced(all, &all->v[i]))
			victim = find_victim(all, &all->v[i]);
	return victim;
}

static int refuse_victim(const struct peers *all, const struct peer *victim, const char *path,
			 struct idm_error *err)
{
	idm_fail(err, -EBUSY, step_attach, path,
		 "unmounting the replaced mount would unmount %s, too: both are shared",
		 victim->mount->target);
	idm_hint(err, "mount --make-private %s keeps that one", find_parent(all, victim)->mount->target);
	return -EBUSY;
}

int idm_check_peers_of_replaced(int target_fd, const char *path, struct idm_error *err)
{
	struct peers all = { .v = NULL };
	const struct idm_lister lister = {
		.flags = IDM_LIST_UNMAPPED, .each = append_peer, .data = &all, .err = err
	};
	const struct peer *victim = NULL;
	uint64_t id;
	int r = idm_short_mount_id(target_fd, &id);

	if (r == 0)
		r = idm_mountinfo_list(&lister, &(struct idm_mount_ns){ .foreign = false }, -1);
	if (r == 0)
		r = index_peers(&all);
	if (r < 0) {
		free_peers(&all);
		return idm_fail_errno(err, r, step_attach, path);
	}
	all.replaced = find_peer(&all, id);
	all.place = all.replaced ? find_parent(&all, all.replaced) : NULL;
	r = all.place && !all.place->peers;
	if (r == 0 && all.replaced)
		victim = find_any_victim(&all);
	if (victim)
		r = refuse_victim(&all, victim, path, err);
	free_peers(&all);
	return r;
}

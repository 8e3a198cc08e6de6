// SPDX-License-Identifier: MIT
/*
 * What the container's table of mounts says before anything moves. The placings come from lookups of
 * names. A neighbour that shares a volume can exchange names at any time, and other hooks can mount in
 * the container, too. The table tells on which mount each one really is:
 *
 * - A mount on one that a tree replaces would go with it. So the hook has to move it, or the tree has a
 *   copy: the source has the same mount below it.
 * - A mount on a shared one has copies on all peers of that. They have no map, and stay.
 * - Below the runtime's mount another one of the same source can be. It has no map, and unmounting the
 *   tree would uncover it.
 */
#include "runtime-mounts.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exchange.h"
#include "lib/base/array.h"
#include "lib/base/error.h"
#include "lib/base/hashtable.h"
#include "lib/base/macros.h"
#include "lib/base/path-below.h"
#include "lib/list/internal.h"
#include "lib/list/mount-copy.h"
#include "lib/list/mount-point.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/procfs.h"
#include "lib/sys/syscall.h"
#include "open-inside.h"
#include "placing.h"

static const enum idm_error_step step_check = IDM_STEP_ATTACH_IN_CONTAINER;

/* A mount of the container, and what is known of it. */
struct entry {
	struct idm_hash_link by_id;
	struct idm_mount_info *mount;  /* its ID is the short one */
	const struct placing *placing; /* whose place it is; NULL: none */
};

struct table {
	struct entry *entries;
	size_t n;
	struct idm_hashtable by_id; /* when all are read */
	int proc;		    /* idm_procfs_root() */
	int root;
	char root_path[PATH_MAX];
};

/* ---- reading ---- */

static int append_entry(const struct idm_mount_info *mount, void *data)
{
	struct table *t = data;
	struct idm_mount_info *copy = idm_copy_mount_info(mount);
	struct entry *e = copy ? idm_array_append(&t->entries, &t->n, sizeof(*e)) : NULL;

	if (!e) {
		idm_free_mount_info(copy);
		return -ENOMEM;
	}
	*e = (struct entry){ .mount = copy };
	return 0;
}

static void free_table(struct table *t)
{
	for (size_t i = 0; i < t->n; i++)
		idm_free_mount_info(t->entries[i].mount);
	free(t->entries);
	idm_hashtable_free(&t->by_id);
}

static int index_entries(struct table *t)
{
	int r = 0;

	for (size_t i = 0; i < t->n && r == 0; i++) {
		t->entries[i].by_id.key = t->entries[i].mount->id;
		r = idm_hashtable_add(&t->by_id, &t->entries[i].by_id);
	}
	return r;
}

static struct entry *find_entry(const struct table *t, uint64_t id)
{
	return idm_container_of(struct entry, by_id, idm_hashtable_find(&t->by_id, id));
}

static struct entry *find_entry_of_fd(const struct table *t, int fd)
{
	uint64_t id;

	return idm_short_mount_id(fd, &id) == 0 ? find_entry(t, id) : NULL;
}

/* The same mount can be the place of two placings, if neither has a map. */
static int note_placings(struct table *t, const struct placing *placings, size_t n,
			 struct idm_error *err)
{
	for (size_t i = 0; i < n; i++) {
		struct entry *e = placings[i].place < 0 ? NULL : find_entry_of_fd(t, placings[i].place);

		if (placings[i].place >= 0 && !e)
			return idm_fail(err, -ESTALE, step_check, placings[i].destination,
					"its mount is not in the container any more");
		if (e && (!e->placing || placings[i].mapped))
			e->placing = &placings[i];
	}
	return 0;
}

static int read_table(struct table *t, const struct mount_tables *where, struct idm_error *err)
{
	const struct idm_lister lister = {
		.flags = IDM_LIST_UNMAPPED, .each = append_entry, .data = t, .err = err
	};
	ssize_t n = idm_procfs_fd_path(where->proc, where->root, t->root_path, sizeof(t->root_path));
	int r;

	if (n < 0)
		return idm_fail_errno(err, (int)n, step_check, NULL);
	t->proc = where->proc;
	t->root = where->root;
	r = idm_mountinfo_list_file(&lister, &(struct idm_mount_ns){ .foreign = true },
				    where->mountinfo);
	if (r == 0)
		r = index_entries(t);
	return r == -ENOMEM ? idm_fail_errno(err, r, step_check, NULL) : r;
}

static bool is_same_filesystem(const struct entry *a, const struct entry *b)
{
	return a->mount->dev_major == b->mount->dev_major && a->mount->dev_minor == b->mount->dev_minor;
}

/* ---- opening ---- */

/* Whether `fd` is on the mount of `e`. */
static bool is_on_entry(const struct entry *e, int fd)
{
	uint64_t id;

	return idm_short_mount_id(fd, &id) == 0 && id == e->mount->id;
}

/* ---- copies that mounts on a shared one have on its peers ---- */

static bool is_at_same_directory(const struct table *t, const struct entry *a, const struct entry *b)
{
	const struct entry *on_a = find_entry(t, a->mount->parent_id),
			   *on_b = find_entry(t, b->mount->parent_id);
	AUTO_FREE char *of_a = on_a ? idm_path_in_filesystem(a->mount, on_a->mount) : NULL;
	AUTO_FREE char *of_b = on_b ? idm_path_in_filesystem(b->mount, on_b->mount) : NULL;

	return of_a && of_b && strcmp(of_a, of_b) == 0 && is_same_filesystem(on_a, on_b);
}

/*
 * A neighbour can rename a directory between two lines of the table. The inodes tell, unless another
 * mount hides the one.
 */
static bool is_same_source(const struct table *t, const struct entry *e, const struct entry *other)
{
	const char *path = idm_path_below(other->mount->target, t->root_path);
	AUTO_CLOSE int there = -1;

	if (!path || strcmp(e->mount->root, other->mount->root) != 0 || !is_same_filesystem(e, other))
		return false;
	there = open_below(t->root, path, O_PATH, 0);
	return there < 0 || !is_on_entry(other, there) || idm_is_same_inode(there, e->placing->place);
}

static bool is_copy_of_any(const struct table *t, const struct entry *other)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct entry *e = &t->entries[i];

		if (e->placing && e != other && is_same_source(t, e, other) &&
		    is_at_same_directory(t, e, other))
			return true;
	}
	return false;
}

/* ---- mounts on those that trees replace ---- */

/* The place of a placing that the mount is on, however far below; NULL: of none */
static const struct entry *find_place_above(const struct table *t, const struct entry *e)
{
	for (size_t depth = 0; depth < t->n; depth++) {
		e = find_entry(t, e->mount->parent_id);
		if (!e || e->placing)
			return e;
	}
	return NULL;
}

static int is_at_path(const struct idm_mount_info *mount, void *path)
{
	return strcmp(mount->target, path) == 0;
}

/* Whether the host has a mount at `rest` below the source, visible or not. */
static bool has_source_mount(const struct placing *p, const char *rest, int proc)
{
	char path[PATH_MAX];
	AUTO_FREE char *target = NULL;
	uint64_t id;
	bool unique;

	if (p->step.kind != IDM_PLAN_ENTRY_BIND || !p->step.recursive ||
	    idm_mount_id(p->step.dirfd, p->step.source, &id, &unique) < 0 ||
	    idm_procfs_fd_path(proc, p->step.dirfd, path, sizeof(path)) < 0 ||
	    asprintf(&target, "%s/%s", strcmp(path, "/") == 0 ? "" : path, rest) < 0)
		return false;
	return idm_list_below(id, is_at_path, target, NULL) > 0;
}

/*
 * Whether the source has the mount, too. One that another mount hides cannot be looked up. So for that
 * any mount will do that is in the tree at its path, or hidden in the source.
 */
static bool is_in_tree(const struct table *t, const struct entry *e, const struct entry *above)
{
	const struct placing *p = above->placing;
	const char *rest = idm_path_below(e->mount->target, above->mount->target);
	AUTO_CLOSE int copy = -1, here = -1;
	bool hidden;

	if (!rest || !*rest)
		return false;
	copy = open_below(p->tree, rest, O_PATH, 0);
	here = open_below(p->place, rest, O_PATH, 0);
	hidden = here < 0 || !is_on_entry(e, here);
	if (copy < 0 || idm_is_mount_point(copy) <= 0)
		return hidden && has_source_mount(p, rest, t->proc);
	return hidden || idm_is_same_mount_root(copy, here);
}

/*
 * Mounts go along with that of an unmapped placing. A copy of a volume's mount does not count: it is
 * only there since the runtime has shared the mount below, which the tree replaces.
 */
static bool will_be_lost(const struct table *t, const struct entry *e, const struct entry *above)
{
	const struct placing *cover = above && above->placing->mapped ? above->placing : NULL;

	if (e->placing && e->placing->cover == cover)
		return false;
	if (e->placing && e->placing->mapped)
		return true;
	return cover && !is_in_tree(t, e, above) && !is_copy_of_any(t, e);
}

static int check_not_lost(const struct table *t, const struct entry *e, struct idm_error *err)
{
	const char *path = idm_path_below(e->mount->target, t->root_path);
	const struct entry *above = path ? find_place_above(t, e) : NULL;
	char name[IDM_PLAN_ENTRY_NAME];

	if (!path || !will_be_lost(t, e, above))
		return 0;
	name_placing(above ? above->placing : e->placing, name, sizeof(name));
	idm_fail(err, -EBUSY, step_check, name, "the mount at /%s would be lost", path);
	idm_hint(err, "either another hook has made it, or names in a shared volume change");
	return -EBUSY;
}

/* ---- mounts below those that trees replace ---- */

/* The mount whose root `e` covers; NULL: `e` is on a directory. */
static const struct entry *find_covered(const struct table *t, const struct entry *e)
{
	const struct entry *below = find_entry(t, e->mount->parent_id);

	return below && strcmp(below->mount->target, e->mount->target) == 0 ? below : NULL;
}

/*
 * A volume shows the host's mounts in it, as the engine wants. In the root filesystem itself nothing is
 * mounted but what the runtime and hooks mount.
 */
static int check_covers_no_source(const struct table *t, const struct entry *e, struct idm_error *err)
{
	const struct entry *root = find_entry_of_fd(t, t->root), *below = find_covered(t, e);
	char name[IDM_PLAN_ENTRY_NAME];

	if (e->placing->step.kind != IDM_PLAN_ENTRY_BIND) /* it is made for the container */
		return 0;
	for (; below; below = find_covered(t, below)) {
		if (below->placing || find_entry(t, below->mount->parent_id) != root ||
		    !is_same_source(t, e, below))
			continue;
		name_placing(e->placing, name, sizeof(name));
		idm_fail(err, -EBUSY, step_check, name,
			 "the source is also mounted below it, without a map");
		idm_hint(err, "either another hook or the host has mounted it in the root filesystem");
		return -EBUSY;
	}
	return 0;
}

/* ---- copies of mapped mounts ---- */

static bool is_on(const struct table *t, const struct entry *e, const struct entry *other)
{
	for (size_t depth = 0; e && e != other && depth < t->n; depth++)
		e = find_entry(t, e->mount->parent_id);
	return e == other;
}

/*
 * Whether a mount on the one appears on the other, if they are peers. Where it is there does not count:
 * a neighbour can rename the directory between two lines of the table.
 */
static bool can_be_peers(const struct entry *a, const struct entry *b)
{
	return a && b && is_same_filesystem(a, b) &&
	       (idm_path_below(a->mount->root, b->mount->root) ||
		idm_path_below(b->mount->root, a->mount->root));
}

/* The configuration itself can have the same volume there. That is no copy. */
static bool is_unmapped_copy(const struct table *t, const struct entry *e, const struct entry *other)
{
	return !other->placing && is_same_source(t, e, other) &&
	       can_be_peers(find_entry(t, e->mount->parent_id),
			    find_entry(t, other->mount->parent_id)) &&
	       !is_on(t, e, other);
}

static int check_no_copy(const struct table *t, const struct entry *e, struct idm_error *err)
{
	const struct entry *parent = find_entry(t, e->mount->parent_id);
	char name[IDM_PLAN_ENTRY_NAME];

	if (!parent || parent->mount->propagation != IDM_PROPAGATION_SHARED)
		return 0;
	for (size_t i = 0; i < t->n; i++) {
		const struct entry *other = &t->entries[i];

		if (!is_unmapped_copy(t, e, other))
			continue;
		name_placing(e->placing, name, sizeof(name));
		idm_fail(err, -EOPNOTSUPP, step_check, name,
			 "it is on a shared mount, and so is also at /%s, without its map",
			 idm_path_below(other->mount->target, t->root_path));
		idm_hint(err, "mount the volume that it is in only once, or without shared");
		return -EOPNOTSUPP;
	}
	return 0;
}

static int check_nothing_unmapped(const struct table *t, const struct entry *e, struct idm_error *err)
{
	int r = check_covers_no_source(t, e, err);

	return r < 0 ? r : check_no_copy(t, e, err);
}

/* ---- a tmpfs ---- */

/* No inode tells that it is the runtime's. What is there will be read, which no FUSE server may see. */
static int check_tmpfs_type(const struct entry *e, struct idm_error *err)
{
	char name[IDM_PLAN_ENTRY_NAME];

	if (!is_new_tmpfs(e->placing) || strcmp(e->mount->fstype, "tmpfs") == 0)
		return 0;
	name_placing(e->placing, name, sizeof(name));
	return idm_fail(err, -EINVAL, step_check, name, "expected a tmpfs there, got %s",
			e->mount->fstype);
}

/* ---- all ---- */

static int check_replaced(const struct table *t, const struct entry *e, struct idm_error *err)
{
	int r = check_nothing_unmapped(t, e, err);

	return r < 0 ? r : check_tmpfs_type(e, err);
}

int check_runtime_mounts(const struct placing *placings, size_t n, const struct mount_tables *where,
			 struct idm_error *err)
{
	struct table t = { .entries = NULL };
	int r = read_table(&t, where, err);

	if (r == 0)
		r = note_placings(&t, placings, n, err);
	for (size_t i = 0; i < t.n && r == 0; i++) {
		r = check_not_lost(&t, &t.entries[i], err);
		if (r == 0 && t.entries[i].placing && t.entries[i].placing->mapped)
			r = check_replaced(&t, &t.entries[i], err);
	}
	free_table(&t);
	return r;
}

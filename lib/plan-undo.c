// SPDX-License-Identifier: MIT
/*
 * Undoing what a record says: those mounts and no other, those directories if they are empty, nothing
 * recursively. First everything is looked at; what is in the way is found before anything is undone.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "kernel.h"
#include "list.h"
#include "record.h"
#include "util.h"

static const char step_undo[] = "undo";

/* A mount that is there now. */
struct node {
	uint64_t id, parent;
	char *target;
	bool ours;
};

struct undoing {
	struct idm_record record;
	unsigned int flags;
	struct node *nodes; /* in the order of mounting */
	size_t n_nodes;
	uint64_t *ours; /* their ids, as far as they are to be undone */
	size_t n_ours;
	int *parents; /* for each entry of the record: where it was created, or -1 */
};

/* ---- looking ---- */

static int collect(const struct idm_mount *mount, void *data)
{
	struct undoing *u = data;
	struct node *more = reallocarray(u->nodes, u->n_nodes + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	u->nodes = more;
	more[u->n_nodes] = (struct node){ mount->id, mount->parent_id, strdup(mount->target), false };
	if (!more[u->n_nodes].target)
		return -ENOMEM;
	u->n_nodes++;
	return 0;
}

static struct node *find_node(const struct undoing *u, uint64_t id)
{
	for (size_t i = 0; i < u->n_nodes; i++)
		if (u->nodes[i].id == id)
			return &u->nodes[i];
	return NULL;
}

static bool is_ours(const struct undoing *u, uint64_t id)
{
	for (size_t i = 0; i < u->n_ours; i++)
		if (u->ours[i] == id)
			return true;
	return false;
}

static int mark(struct undoing *u, struct node *node)
{
	uint64_t *more;

	if (node->ours)
		return 0;
	more = reallocarray(u->ours, u->n_ours + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	u->ours = more;
	more[u->n_ours++] = node->id;
	node->ours = true;
	return 0;
}

/* Ids that are used again say nothing without the place. */
static int mark_recorded(struct undoing *u)
{
	int r = 0;

	for (size_t i = 0; i < u->record.n && r == 0; i++) {
		const struct idm_record_entry *e = &u->record.entries[i];
		struct node *node = e->kind == IDM_RECORD_ROOT || e->kind == IDM_RECORD_MOUNT
					    ? find_node(u, e->number)
					    : NULL;

		if (node && (u->record.unique_ids || strcmp(node->target, e->path) == 0))
			r = mark(u, node);
	}
	return r;
}

/* A program that died in between had no time to let others mount anything there. */
static int mark_below(struct undoing *u)
{
	int r = 0;

	for (size_t i = 0; i < u->n_nodes && r == 0; i++)
		if (is_ours(u, u->nodes[i].parent))
			r = mark(u, &u->nodes[i]);
	return r;
}

static int mark_ours(struct undoing *u, struct idm_error *err)
{
	int r = mark_recorded(u);

	if (r == 0 && !u->record.complete)
		r = mark_below(u);
	return r < 0 ? idm_fail(err, r, step_undo, NULL, NULL) : 0;
}

static int check_foreign(const struct undoing *u, struct idm_error *err)
{
	for (size_t i = 0; i < u->n_nodes; i++) {
		const struct node *node = &u->nodes[i];

		if (node->ours || !is_ours(u, node->parent))
			continue;
		idm_fail(err, -EBUSY, step_undo, node->target,
			 "there is a mount that the record does not know");
		idm_hint(err, "unmount it first: only what the record names is undone");
		return -EBUSY;
	}
	return 0;
}

/* Whether this is still the namespace, and this start of the machine, in which the mounts were made. */
static int look(struct undoing *u, struct idm_error *err)
{
	struct idm_mntns ns;
	char boot[40];
	int r;

	if (!u->record.namespace_inode) /* died before the first thing was made */
		return 0;
	r = idm_boot_id(boot, err);
	if (r < 0)
		return r;
	if (strcmp(boot, u->record.boot) != 0)
		return 0;
	idm_mntns_own(&ns);
	if (ns.inode != u->record.namespace_inode) {
		idm_fail(err, -EXDEV, step_undo, NULL,
			 "the mounts are in mount namespace %llu, not in this one",
			 (unsigned long long)u->record.namespace_inode);
		idm_hint(err,
			 "\"lsns -t mnt\" shows who is in it, nsenter(1) goes there; if nobody is, the "
			 "mounts are gone, and the record can be removed");
		return -EXDEV;
	}
	r = idm_list(IDM_LIST_UNMAPPED, collect, u, err);
	if (r < 0)
		return r == -ENOMEM ? idm_fail(err, r, step_undo, NULL, NULL) : r;
	r = mark_ours(u, err);
	return r < 0 ? r : check_foreign(u, err);
}

/* ---- what was created inside ---- */

static bool is_inside(enum idm_record_kind kind)
{
	return kind == IDM_RECORD_INSIDE_DIRECTORY || kind == IDM_RECORD_INSIDE_FILE;
}

/*
 * A writable copy of the directory in which something was created: nothing is mounted in it, and it does
 * not keep the mount itself busy.
 */
static int copy_parent(int root, const char *path)
{
	struct mount_attr writable = { .attr_clr = MOUNT_ATTR_RDONLY, .propagation = MS_PRIVATE };
	AUTO_CLOSE int parent = -1, copy = -1;
	char above[PATH_MAX], *slash;

	if ((size_t)snprintf(above, sizeof(above), "./%s", path) >= sizeof(above))
		return -ENAMETOOLONG;
	slash = strrchr(above, '/');
	*slash = '\0';
	parent = idm_sys_openat2(root, above, O_PATH | O_DIRECTORY, 0,
				 RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
	if (parent < 0)
		return parent;
	copy = idm_sys_open_tree(parent, "", OPEN_TREE_CLONE | AT_EMPTY_PATH);
	if (copy >= 0)
		idm_sys_mount_setattr(copy, "", AT_EMPTY_PATH, &writable);
	return idm_take_fd(&copy);
}

/* The root of the root filesystem, if it is still mounted. */
static int open_root(const struct undoing *u)
{
	for (size_t i = 0; i < u->record.n; i++) {
		const struct idm_record_entry *e = &u->record.entries[i];
		const struct node *node = e->kind == IDM_RECORD_ROOT ? find_node(u, e->number) : NULL;
		AUTO_CLOSE int fd = -1;
		uint64_t id;
		bool unique;

		if (!node || !node->ours)
			continue;
		fd = idm_sys_openat(AT_FDCWD, node->target, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0);
		if (fd >= 0 && idm_mount_id(fd, &id, &unique) == 0 && id == node->id)
			return idm_take_fd(&fd);
	}
	return -ENOENT;
}

static int open_parents(struct undoing *u, struct idm_error *err)
{
	AUTO_CLOSE int root = open_root(u);

	u->parents = reallocarray(NULL, u->record.n + 1, sizeof(*u->parents));
	if (!u->parents)
		return idm_fail(err, -ENOMEM, step_undo, NULL, NULL);
	for (size_t i = 0; i < u->record.n; i++) {
		const struct idm_record_entry *e = &u->record.entries[i];

		u->parents[i] = root >= 0 && is_inside(e->kind) ? copy_parent(root, e->path) : -1;
	}
	return 0;
}

/* ---- unmounting ---- */

static int why_not_unmounted(int code, const struct node *node, struct idm_error *err)
{
	if (code != -EBUSY)
		return idm_fail(err, code, step_undo, node->target, NULL);
	idm_fail(err, code, step_undo, node->target, "the mount is in use");
	idm_hint(err, "\"fuser -vm %s\" shows by whom; --lazy detaches it all the same", node->target);
	return code;
}

/*
 * The kernel unmounts what a path leads to: that has to be the mount that is meant. Its descriptor is
 * closed before, since it would keep the mount busy.
 */
static int unmount(const struct undoing *u, const struct node *node, struct idm_error *err)
{
	int fd = idm_sys_openat(AT_FDCWD, node->target, O_PATH | O_NOFOLLOW, 0), r;
	uint64_t id = 0;
	bool unique;

	if (fd < 0)
		return idm_fail(err, fd, step_undo, node->target, NULL);
	r = idm_mount_id(fd, &id, &unique);
	idm_close_fd(&fd);
	if (r < 0)
		return idm_fail(err, r, step_undo, node->target, NULL);
	if (id != node->id)
		return idm_fail(err, -EBUSY, step_undo, node->target, "another mount hides it");
	r = idm_sys_umount(node->target, UMOUNT_NOFOLLOW | (u->flags & IDM_UNDO_LAZY ? MNT_DETACH : 0));
	return r < 0 ? why_not_unmounted(r, node, err) : 0;
}

static int unmount_all(const struct undoing *u, struct idm_error *err)
{
	for (size_t i = u->n_nodes; i-- > 0;) {
		int r = u->nodes[i].ours ? unmount(u, &u->nodes[i], err) : 0;

		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- removing ---- */

static int remove_made(int parent, const char *name, const struct idm_record_entry *e,
		       struct idm_error *err)
{
	bool directory = e->kind == IDM_RECORD_DIRECTORY || e->kind == IDM_RECORD_INSIDE_DIRECTORY;
	struct stat st;
	int r = idm_sys_fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return idm_fail(err, r, step_undo, e->path, NULL);
	/* Somebody has put something else there, or something into it: not ours any more. */
	if (st.st_ino != e->number || (directory ? !S_ISDIR(st.st_mode) : !S_ISREG(st.st_mode)))
		return 0;
	if (!directory && st.st_size)
		return idm_fail(err, -ENOTEMPTY, step_undo, e->path, "the file is not empty");
	r = idm_sys_unlinkat(parent, name, directory ? AT_REMOVEDIR : 0);
	return r < 0 && r != -ENOENT ? idm_fail(err, r, step_undo, e->path, NULL) : 0;
}

static int remove_outside(const struct idm_record_entry *e, struct idm_error *err)
{
	AUTO_FREE char *above = strdup(e->path);
	AUTO_CLOSE int parent = -1;
	char *slash;

	if (!above)
		return idm_fail(err, -ENOMEM, step_undo, NULL, NULL);
	slash = strrchr(above, '/');
	slash[slash == above] = '\0';
	parent = idm_sys_openat(AT_FDCWD, above, O_PATH | O_DIRECTORY, 0);
	if (parent == -ENOENT)
		return 0;
	if (parent < 0)
		return idm_fail(err, parent, step_undo, above, NULL);
	return remove_made(parent, strrchr(e->path, '/') + 1, e, err);
}

static const char *last_component(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Goes on after what cannot be removed, and tells of the first such. */
static int remove_all(const struct undoing *u, struct idm_error *err)
{
	int result = 0;

	for (size_t i = u->record.n; i-- > 0;) {
		const struct idm_record_entry *e = &u->record.entries[i];
		struct idm_error *first = result < 0 ? NULL : err;
		int r = 0;

		if (e->kind == IDM_RECORD_DIRECTORY || e->kind == IDM_RECORD_FILE)
			r = remove_outside(e, first);
		else if (u->parents[i] >= 0)
			r = remove_made(u->parents[i], last_component(e->path), e, first);
		if (r < 0 && result == 0)
			result = r;
	}
	return result;
}

/* ---- the call ---- */

static int undo(struct undoing *u, struct idm_error *err)
{
	int r = look(u, err);

	if (r == 0)
		r = open_parents(u, err);
	if (r == 0)
		r = unmount_all(u, err);
	return r < 0 ? r : remove_all(u, err);
}

static void release(struct undoing *u)
{
	for (size_t i = 0; u->parents && i < u->record.n; i++)
		idm_close_fd(&u->parents[i]);
	free(u->parents);
	for (size_t i = 0; i < u->n_nodes; i++)
		free(u->nodes[i].target);
	free(u->nodes);
	free(u->ours);
	idm_record_free(&u->record);
}

int idm_plan_undo(const char *record, unsigned int flags, struct idm_error *err)
{
	struct undoing u = { .flags = flags };
	int r;

	if (flags & ~IDM_UNDO_LAZY)
		return idm_fail(err, -EINVAL, step_undo, record, "unknown flags 0x%x", flags);
	r = idm_record_read(&u.record, record, err);
	if (r < 0)
		return r;
	r = undo(&u, err);
	release(&u);
	if (r == 0) {
		r = idm_sys_unlinkat(AT_FDCWD, record, 0);
		if (r < 0)
			idm_fail(err, r, "remove record", record, NULL);
	}
	return r;
}

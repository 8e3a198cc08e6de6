// SPDX-License-Identifier: MIT
/*
 * Removes what a plan created in the root filesystem. It is on a mount of the plan. So the undo removes
 * it right before it unmounts that mount.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/probe.h"
#include "lib/sys/syscall.h"

static const enum idm_error_step step_undo = IDM_STEP_UNDO;

/*
 * For each entry of the journal, undo.on has the ID of the mount on which it was created. 0 is one that
 * is not known, and DONE an entry that is removed.
 */
#define DONE UINT64_MAX

static bool is_inside(enum idm_journal_kind kind)
{
	return kind == IDM_JOURNAL_INSIDE_DIRECTORY || kind == IDM_JOURNAL_INSIDE_FILE;
}

static const char *last_component(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* The mounts of the root filesystem are on top of each other. In the end the base is left. */
static bool is_of_root(const struct idm_undo *u, uint64_t id)
{
	for (size_t i = 0; i < u->journal.n; i++)
		if (u->journal.entries[i].kind == IDM_JOURNAL_BASE && u->journal.entries[i].number == id)
			return false;
	return idm_undo_is_marked(u, id);
}

/*
 * Opens the top mount at the target of the root filesystem. Returns -ENOENT if it is not of the journal.
 */
static int open_root_mount(const struct idm_undo *u)
{
	for (size_t i = 0; i < u->journal.n; i++) {
		const struct idm_journal_entry *e = &u->journal.entries[i];
		const struct idm_mount_node *node = e->kind == IDM_JOURNAL_ROOT
							    ? idm_mount_nodes_find(&u->nodes, e->number)
							    : NULL;
		AUTO_CLOSE int fd = -1;
		uint64_t id;
		bool unique;
		int r;

		if (!node || !node->marked)
			continue;
		fd = idm_sys_openat(AT_FDCWD, node->target, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0);
		r = fd < 0 ? fd : idm_mount_id(fd, "", &id, &unique);
		if (r < 0)
			return r;
		return is_of_root(u, id) ? idm_steal_fd(&fd) : -ENOENT;
	}
	return -ENOENT;
}

/* Opens the directory in which something was created. *on is the mount of that directory. */
static int open_parent_inside(const struct idm_undo *u, const char *path, uint64_t *on)
{
	AUTO_CLOSE int root = open_root_mount(u), parent = -1;
	char above[PATH_MAX];
	bool unique;
	int r;

	if (root < 0)
		return root;
	if ((size_t)snprintf(above, sizeof(above), "./%s", path) >= sizeof(above))
		return -ENAMETOOLONG;
	*strrchr(above, '/') = '\0';
	parent = idm_sys_openat2(root, above, O_PATH | O_DIRECTORY, 0,
				 RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
	if (parent < 0)
		return parent;
	r = idm_mount_id(parent, "", on, &unique);
	return r < 0 ? r : idm_steal_fd(&parent);
}

int idm_undo_find_inside(struct idm_undo *u, struct idm_error *err)
{
	u->on = calloc(u->journal.n + 1, sizeof(*u->on));
	if (!u->on)
		return idm_fail_errno(err, -ENOMEM, step_undo, NULL);
	for (size_t i = 0; i < u->journal.n && u->any_marked; i++) {
		const struct idm_journal_entry *e = &u->journal.entries[i];
		AUTO_CLOSE int parent = is_inside(e->kind) ? open_parent_inside(u, e->path, &u->on[i])
							   : -ENOENT;

		if (parent < 0 && !idm_undo_is_gone(parent))
			return idm_fail_errno(err, parent, step_undo, e->path);
	}
	return 0;
}

/* Removes it through a copy of the mount. The copy is writable even where the root filesystem is not. */
static int remove_in_copy(int parent, const struct idm_journal_entry *e, struct idm_error *err)
{
	struct mount_attr writable = { .attr_clr = MOUNT_ATTR_RDONLY, .propagation = MS_PRIVATE };
	AUTO_CLOSE int copy = idm_sys_open_tree(parent, "", OPEN_TREE_CLONE | AT_EMPTY_PATH);
	int r = copy < 0 ? copy : idm_sys_mount_setattr(copy, "", AT_EMPTY_PATH, &writable);

	return r < 0 ? idm_fail_errno(err, r, step_undo, e->path)
		     : idm_undo_remove_created(copy, last_component(e->path), e, err);
}

/* Returns 1 if it was removed, 0 if it does not exist or is not on that mount. */
static int remove_inside(const struct idm_undo *u, const struct idm_journal_entry *e, uint64_t on,
			 struct idm_error *err)
{
	uint64_t is_on = 0;
	AUTO_CLOSE int parent = open_parent_inside(u, e->path, &is_on);
	struct idm_error why;
	int r;

	if (idm_undo_is_gone(parent) || (parent >= 0 && is_on != on))
		return 0;
	if (parent < 0)
		return idm_fail_errno(err, parent, step_undo, e->path);
	r = idm_undo_remove_created(parent, last_component(e->path), e, &why);
	if (r == -EROFS)
		r = remove_in_copy(parent, e, &why);
	if (r < 0 && err)
		*err = why;
	return r;
}

/* Whether another try may succeed. Then the mount has to stay, since the next try needs it. */
static bool may_ignore(int r)
{
	return r < 0 && r != -ENOTEMPTY && r != -EBUSY && r != -EROFS && r != -EPERM && r != -EACCES;
}

int idm_undo_remove_inside(struct idm_undo *u, uint64_t mount, struct idm_error *err)
{
	for (size_t i = u->journal.n; i-- > 0;) {
		const struct idm_journal_entry *e = &u->journal.entries[i];
		struct idm_error why;
		int r;

		if (!is_inside(e->kind) || (u->on[i] && u->on[i] != mount))
			continue;
		r = remove_inside(u, e, mount, &why);
		if (r < 0 && err && (may_ignore(r) || !u->left))
			*err = why;
		if (may_ignore(r))
			return r;
		u->on[i] = r ? DONE : 0;
		idm_undo_note_left(u, r);
	}
	return 0;
}

// SPDX-License-Identifier: MIT
/*
 * Undoes a journal. It unmounts the mounts of the journal and no other. It removes the directories of
 * the journal if they are empty. It removes nothing recursively. It checks everything first: obstacles
 * are found before anything is undone.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "lib/base/array.h"
#include "lib/base/cancel.h"
#include "lib/base/copy-struct.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/list/internal.h"
#include "lib/mount/mount-nodes.h"
#include "lib/mount/target.h"
#include "lib/mount/umount-fd.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/procfs.h"
#include "lib/sys/syscall.h"

static const enum idm_error_step step_undo = IDM_STEP_UNDO;

#define DONE UINT64_MAX

/*
 * The undo waits so long for a mount that is in use. A process that only looks up a path is done by
 * then.
 */
#define BUSY_TRIES 40
#define BUSY_MILLISECONDS 5

/* A thing that appeared up to so long after its announcement counts as the one that was created then. */
#define MOST_NANOSECONDS 10000000000ULL

struct undoing {
	struct idm_journal journal;
	unsigned int flags;
	struct idm_mount_nodes nodes; /* that exist now, in the order of mounting */
	uint64_t *marked;	      /* the IDs of the mounts to undo */
	size_t n_marked;
	uint64_t
		*on; /* for each entry of the journal: the mount it was created on; 0: not known; or DONE
		      */
	int left;    /* the error of the first thing that could not be removed, or 0 */
};

/* ---- looking ---- */

static int collect_node(const struct idm_mount_info *mount, void *data)
{
	struct undoing *u = data;

	return idm_mount_nodes_find(&u->nodes, mount->id) ? 0 : idm_mount_nodes_append(mount, &u->nodes);
}

static int compare_nodes(const void *a, const void *b)
{
	const struct idm_mount_node *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

/*
 * Finds every mount of the journal, and all mounts below these. The first look finds all of them, unless
 * some have been moved elsewhere. With short IDs it finds all mounts of the namespace.
 */
static int collect_nodes(struct undoing *u, struct idm_error *err)
{
	int r = 0;

	for (size_t i = 0; i < u->journal.n && r == 0; i++) {
		const struct idm_journal_entry *e = &u->journal.entries[i];

		if (e->kind < IDM_JOURNAL_BASE || idm_mount_nodes_find(&u->nodes, e->number))
			continue;
		r = idm_list_below(e->number, collect_node, u, err);
		if (!u->journal.unique_ids)
			return r;
	}
	if (u->nodes.n)
		qsort(u->nodes.v, u->nodes.n, sizeof(*u->nodes.v), compare_nodes);
	return r;
}

static bool is_marked(const struct undoing *u, uint64_t id)
{
	for (size_t i = 0; i < u->n_marked; i++)
		if (u->marked[i] == id)
			return true;
	return false;
}

/*
 * Asks the kernel again, since other processes unmount too. Returns 0, or -ENOENT if the mount is gone.
 * The kernel cannot be asked for reused IDs: then it returns -ENOSYS.
 */
static int query_mount_again(const struct undoing *u, uint64_t id)
{
	struct idm_mnt_id_req req = {
		.size = IDM_MNT_ID_REQ_SIZE_VER0,
		.mnt_id = id,
		.param = IDM_STATMOUNT_MNT_BASIC,
	};
	struct idm_statmount head;

	return u->journal.unique_ids ? idm_sys_statmount(&req, &head, sizeof(head)) : -ENOSYS;
}

static int mark_node(struct undoing *u, struct idm_mount_node *node)
{
	uint64_t *new;

	if (node->marked)
		return 0;
	new = idm_array_append(&u->marked, &u->n_marked, sizeof(*new));
	if (!new)
		return -ENOMEM;
	*new = node->id;
	node->marked = true;
	return 0;
}

/* Reused IDs prove nothing without the target. */
static int mark_recorded(struct undoing *u)
{
	int r = 0;

	for (size_t i = 0; i < u->journal.n && r == 0; i++) {
		const struct idm_journal_entry *e = &u->journal.entries[i];
		struct idm_mount_node *node = e->kind >= IDM_JOURNAL_BASE
						      ? idm_mount_nodes_find(&u->nodes, e->number)
						      : NULL;

		if (node && (u->journal.unique_ids || strcmp(node->target, e->path) == 0))
			r = mark_node(u, node);
	}
	return r;
}

/* The root is the first mount that a plan creates, or the base. Their lines come first. */
static uint64_t find_oldest(const struct undoing *u)
{
	for (size_t i = 0; i < u->journal.n; i++)
		if (u->journal.entries[i].kind >= IDM_JOURNAL_BASE)
			return u->journal.entries[i].number;
	return 0;
}

/*
 * The program died before it could name all its mounts, but after it had created them. Unique IDs only
 * grow. So mounts that other processes have made since are above the limit, and those that were there
 * before, and were moved below, are older than the root. Before Linux 6.8 IDs are reused, and the
 * journal has no limit. Then every mount below counts as one of the journal. That is true if the undo
 * follows at once. A mount that another process made while the plan was applied, and put below it since,
 * counts as one of the journal on every kernel.
 */
static int mark_next_below(struct undoing *u)
{
	const uint64_t oldest = find_oldest(u);
	int r = 0;

	for (size_t i = 0; i < u->nodes.n && r == 0; i++) {
		struct idm_mount_node *node = &u->nodes.v[i];

		if (is_marked(u, node->parent) &&
		    (!u->journal.limit || (node->id > oldest && node->id < u->journal.limit)))
			r = mark_node(u, node);
	}
	return r;
}

/* A mount can have a smaller ID than the one that it is on: it was moved there, or the ID is reused. */
static int mark_below(struct undoing *u)
{
	size_t before;
	int r;

	do {
		before = u->n_marked;
		r = mark_next_below(u);
	} while (r == 0 && u->n_marked > before);
	return r;
}

static int mark_journaled(struct undoing *u, struct idm_error *err)
{
	int r = mark_recorded(u);

	if (r == 0 && !u->journal.complete)
		r = mark_below(u);
	return r < 0 ? idm_fail_errno(err, r, step_undo, NULL) : 0;
}

static int check_foreign(const struct undoing *u, struct idm_error *err)
{
	for (size_t i = 0; i < u->nodes.n; i++) {
		const struct idm_mount_node *node = &u->nodes.v[i];

		if (node->marked || !is_marked(u, node->parent))
			continue;
		idm_fail(err, -EBUSY, step_undo, node->target, "the journal does not name this mount");
		idm_hint(err, "unmount it first; undo unmounts only mounts of the journal");
		return -EBUSY;
	}
	return 0;
}

/* A mount outside of this root directory is hidden, but not gone. */
static int check_reach(const struct undoing *u, struct idm_error *err)
{
	for (size_t i = 0; i < u->journal.n; i++) {
		const struct idm_journal_entry *e = &u->journal.entries[i];

		if (e->kind < IDM_JOURNAL_BASE || idm_mount_nodes_find(&u->nodes, e->number) ||
		    query_mount_again(u, e->number) < 0)
			continue;
		idm_fail(err, -EXDEV, step_undo, e->path, "the mount is outside of this root directory");
		idm_hint(err, "undo it outside of this chroot(2)");
		return -EXDEV;
	}
	return 0;
}

/*
 * Marks the mounts to undo. They exist only in the start of the machine in which they were created.
 * Fails in another mount namespace than theirs.
 */
static int mark_mounts(struct undoing *u, struct idm_error *err)
{
	struct idm_mount_ns ns;
	char boot[40];
	int r;

	if (!u->journal.namespace_inode) /* the program died before it created anything */
		return 0;
	r = idm_boot_id(boot, err);
	if (r < 0)
		return r;
	if (strcmp(boot, u->journal.boot) != 0)
		return 0;
	r = idm_mount_ns_own(&ns);
	if (idm_is_shortage(r))
		return idm_fail_errno(err, r, step_undo, "/proc");
	if (r < 0)
		return idm_fail(err, -ENOENT, step_undo, "/proc",
				"the mount namespace is unknown without /proc");
	if (ns.inode != u->journal.namespace_inode) {
		idm_fail(err, -EXDEV, step_undo, NULL,
			 "the mounts are in another mount namespace (%llu)",
			 (unsigned long long)u->journal.namespace_inode);
		idm_hint(err, "\"lsns -t mnt\" shows its processes, and nsenter(1) enters it; without "
			      "processes the mounts are gone, and the journal can be removed");
		return -EXDEV;
	}
	r = collect_nodes(u, err);
	if (r < 0)
		return r == -ENOMEM ? idm_fail_errno(err, r, step_undo, NULL) : r;
	r = check_reach(u, err);
	if (r == 0)
		r = mark_journaled(u, err);
	return r < 0 ? r : check_foreign(u, err);
}

/* ---- removing ---- */

/*
 * If an entry was about to be created, only the time is known. A user may create it by hand that soon
 * after the program died. Then the user loses an empty directory.
 */
static bool is_same_file(const struct idm_journal_entry *e, const struct idm_file_id *is, bool directory)
{
	const struct idm_file_id was = { .inode = e->number, .born = e->born };

	if (e->number)
		return idm_is_same_file(&was, is, directory);
	return (directory ? S_ISDIR(is->mode) : S_ISREG(is->mode)) && is->born >= e->born &&
	       is->born - e->born < MOST_NANOSECONDS;
}

static int remove_created(int parent, const char *name, const struct idm_journal_entry *e,
			  struct idm_error *err)
{
	bool directory = e->kind == IDM_JOURNAL_DIRECTORY || e->kind == IDM_JOURNAL_INSIDE_DIRECTORY;
	struct idm_file_id is;
	int r = idm_file_id(parent, name, &is);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return idm_fail_errno(err, r, step_undo, e->path);
	/* Another process may have replaced it, or put something into it. Then it has to stay. */
	if (!is_same_file(e, &is, directory))
		return 0;
	if (!directory && is.size)
		return idm_fail(err, -ENOTEMPTY, step_undo, e->path, "the file is not empty");
	r = idm_sys_unlinkat(parent, name, directory ? AT_REMOVEDIR : 0);
	return r < 0 && r != -ENOENT ? idm_fail_errno(err, r, step_undo, e->path) : 1;
}

/* ---- what was created inside ---- */

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
static bool is_of_root(const struct undoing *u, uint64_t id)
{
	for (size_t i = 0; i < u->journal.n; i++)
		if (u->journal.entries[i].kind == IDM_JOURNAL_BASE && u->journal.entries[i].number == id)
			return false;
	return is_marked(u, id);
}

/*
 * Opens the top mount at the target of the root filesystem. Returns -ENOENT if it is not of the journal.
 */
static int open_root_mount(const struct undoing *u)
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
static int open_parent(const struct undoing *u, const char *path, uint64_t *on)
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

/* The file, or a directory on its path, is gone or is something else now. */
static bool is_gone(int r)
{
	return r == -ENOENT || r == -ENOTDIR || r == -ELOOP || r == -ENAMETOOLONG;
}

/* Finds the mounts on which things were created, as far as they are visible yet. */
static int find_mounts(struct undoing *u, struct idm_error *err)
{
	u->on = calloc(u->journal.n + 1, sizeof(*u->on));
	if (!u->on)
		return idm_fail_errno(err, -ENOMEM, step_undo, NULL);
	for (size_t i = 0; i < u->journal.n && u->n_marked; i++) {
		const struct idm_journal_entry *e = &u->journal.entries[i];
		AUTO_CLOSE int parent = is_inside(e->kind) ? open_parent(u, e->path, &u->on[i])
							   : -ENOENT;

		if (parent < 0 && !is_gone(parent))
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
		     : remove_created(copy, last_component(e->path), e, err);
}

/* Returns 1 if it was removed, 0 if it does not exist or is not on that mount. */
static int remove_inside(const struct undoing *u, const struct idm_journal_entry *e, uint64_t on,
			 struct idm_error *err)
{
	uint64_t is_on = 0;
	AUTO_CLOSE int parent = open_parent(u, e->path, &is_on);
	struct idm_error why;
	int r;

	if (is_gone(parent) || (parent >= 0 && is_on != on))
		return 0;
	if (parent < 0)
		return idm_fail_errno(err, parent, step_undo, e->path);
	r = remove_created(parent, last_component(e->path), e, &why);
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

/* Only the first thing that cannot be removed is reported. The rest is undone all the same. */
static void note_if_left(struct undoing *u, int r)
{
	if (r < 0 && !u->left)
		u->left = r;
}

/*
 * Removes what was created on a mount, once nothing is mounted on it. A thing that is not found there
 * may appear once the mount that covers it is gone.
 */
static int remove_all_on(struct undoing *u, uint64_t mount, struct idm_error *err)
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
		note_if_left(u, r);
	}
	return 0;
}

/* ---- unmounting ---- */

static int diagnose_unmount(int code, const struct idm_mount_node *node, struct idm_error *err)
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

static int try_unmount(const struct undoing *u, const struct idm_mount_node *node, struct idm_error *err)
{
	int r = idm_unmount_by_id(AT_FDCWD, node->target, node->id,
				  u->flags & IDM_PLAN_UNDO_LAZY ? MNT_DETACH : 0);

	if (r == -EXDEV)
		return idm_fail(err, -EBUSY, step_undo, node->target, "another mount hides it");
	return r < 0 ? diagnose_unmount(r, node, err) : 0;
}

/*
 * To the kernel a mount is in use while any process looks up a path that ends in it, in any call.
 * Another process may also have unmounted it since the check.
 */
static int unmount_journaled(const struct undoing *u, const struct idm_mount_node *node,
			     struct idm_error *err)
{
	struct idm_error why;
	int r = try_unmount(u, node, &why);

	for (int i = 1; i < BUSY_TRIES && r == -EBUSY; i++) {
		idm_sys_sleep(BUSY_MILLISECONDS);
		r = try_unmount(u, node, &why);
	}
	if (r == 0 || query_mount_again(u, node->id) == -ENOENT)
		return 0;
	if (err)
		*err = why;
	return r;
}

static int unmount_all(struct undoing *u, struct idm_error *err)
{
	struct idm_mount_node *node;
	int r = 0;

	while (r == 0 && (node = idm_mount_nodes_topmost(&u->nodes))) {
		r = remove_all_on(u, node->id, err);
		if (r == 0)
			r = unmount_journaled(u, node, err);
		node->marked = false;
	}
	return r;
}

/* ---- what was created outside ---- */

static int remove_outside(const struct idm_journal_entry *e, struct idm_error *err)
{
	AUTO_FREE char *above = strdup(e->path);
	AUTO_CLOSE int parent = -1;
	char *slash;

	if (!above)
		return idm_fail_errno(err, -ENOMEM, step_undo, NULL);
	slash = strrchr(above, '/');
	slash[slash == above] = '\0';
	parent = idm_sys_openat(AT_FDCWD, above, O_PATH | O_DIRECTORY, 0);
	if (is_gone(parent))
		return 0;
	if (parent < 0)
		return idm_fail_errno(err, parent, step_undo, above);
	return remove_created(parent, strrchr(e->path, '/') + 1, e, err);
}

static void remove_all_outside(struct undoing *u, struct idm_error *err)
{
	for (size_t i = u->journal.n; i-- > 0;) {
		const struct idm_journal_entry *e = &u->journal.entries[i];

		if (e->kind == IDM_JOURNAL_DIRECTORY || e->kind == IDM_JOURNAL_FILE)
			note_if_left(u, remove_outside(e, u->left ? NULL : err));
	}
}

/* ---- the call ---- */

static int undo_journal(struct undoing *u, struct idm_error *err)
{
	int r = mark_mounts(u, err);

	if (r == 0)
		r = find_mounts(u, err);
	if (r == 0)
		r = unmount_all(u, err);
	if (r < 0)
		return r;
	remove_all_outside(u, err);
	return u->left;
}

static void free_undoing(struct undoing *u)
{
	free(u->on);
	idm_mount_nodes_free(&u->nodes);
	free(u->marked);
	idm_journal_free(&u->journal);
}

static int remove_journal(const struct idm_journal *r, const char *path, struct idm_error *err)
{
	int code = idm_journal_remove(r->directory, strrchr(path, '/') ? strrchr(path, '/') + 1 : path,
				      r->fd);

	if (code == -ESTALE)
		return idm_fail(err, code, IDM_STEP_REMOVE_JOURNAL, path,
				"another file replaced it, and was kept");
	return code < 0 ? idm_fail_errno(err, code, IDM_STEP_REMOVE_JOURNAL, path) : 0;
}

int idm_plan_undo(const char *journal, unsigned int flags, struct idm_error *err)
{
	HOLD_CANCEL;
	struct undoing u = { .flags = flags };
	int r = idm_check_flags(flags, IDM_PLAN_UNDO_LAZY, step_undo, journal, err);

	if (r == 0)
		r = idm_journal_read(&u.journal, journal, err);
	if (r < 0)
		return r;
	r = undo_journal(&u, err);
	if (r == 0)
		r = remove_journal(&u.journal, journal, err);
	free_undoing(&u);
	return r;
}

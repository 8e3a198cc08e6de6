// SPDX-License-Identifier: MIT
/* Finds the mounts to undo, and what forbids to undo them. It only reads. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "lib/base/error.h"
#include "lib/list/internal.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/syscall.h"

static const enum idm_error_step step_undo = IDM_STEP_UNDO;

static int compare_nodes(const void *a, const void *b)
{
	const struct idm_mount_node *const *x = a, *const *y = b;

	return (*x)->id < (*y)->id ? -1 : (*x)->id > (*y)->id;
}

/*
 * Finds every mount of the journal, and all mounts below these. The first look finds all of them, unless
 * some have been moved elsewhere. With short IDs it finds all mounts of the namespace.
 */
static int collect_nodes(struct idm_undo *u, struct idm_error *err)
{
	int r = 0;

	for (size_t i = 0; i < u->journal.n && r == 0; i++) {
		const struct idm_journal_entry *e = &u->journal.entries[i];

		if (e->kind < IDM_JOURNAL_BASE || idm_mount_nodes_find(&u->nodes, e->number))
			continue;
		r = idm_list_below(e->number, idm_mount_nodes_append, &u->nodes, err);
		if (!u->journal.unique_ids)
			break;
	}
	if (u->nodes.n && u->journal.unique_ids)
		qsort(u->nodes.v, u->nodes.n, sizeof(*u->nodes.v), compare_nodes);
	idm_mount_nodes_sort(&u->nodes);
	return r;
}

int idm_undo_query_mount(const struct idm_undo *u, uint64_t id)
{
	struct idm_mnt_id_req req = {
		.size = IDM_MNT_ID_REQ_SIZE_VER0,
		.mnt_id = id,
		.param = IDM_STATMOUNT_MNT_BASIC,
	};
	struct idm_statmount head;

	return u->journal.unique_ids ? idm_sys_statmount(&req, &head, sizeof(head)) : -ENOSYS;
}

static bool is_marked(const struct idm_mount_node *node)
{
	return node && node->marked;
}

static void mark_node(struct idm_undo *u, struct idm_mount_node *node)
{
	u->any_marked = true;
	node->marked = true;
}

bool idm_undo_is_marked(const struct idm_undo *u, uint64_t id)
{
	return is_marked(idm_mount_nodes_find(&u->nodes, id));
}

/* Reused IDs prove nothing without the target. */
static void mark_recorded(struct idm_undo *u)
{
	for (size_t i = 0; i < u->journal.n; i++) {
		const struct idm_journal_entry *e = &u->journal.entries[i];
		struct idm_mount_node *node = e->kind >= IDM_JOURNAL_BASE
						      ? idm_mount_nodes_find(&u->nodes, e->number)
						      : NULL;

		if (node && (u->journal.unique_ids || strcmp(node->target, e->path) == 0))
			mark_node(u, node);
	}
}

/* The root is the first mount that a plan creates, or the base. Their lines come first. */
static uint64_t find_oldest(const struct idm_undo *u)
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
 *
 * Each mount comes before those on it, since the order is that of unmounting backwards. IDs do not tell:
 * a mount can have a smaller one than the mount that it was moved to.
 */
static void mark_below(struct idm_undo *u)
{
	const uint64_t oldest = find_oldest(u);

	for (size_t i = u->nodes.n; i-- > 0;) {
		struct idm_mount_node *node = u->nodes.v[i];

		if (is_marked(idm_mount_nodes_parent(&u->nodes, node)) &&
		    (!u->journal.limit || (node->id > oldest && node->id < u->journal.limit)))
			mark_node(u, node);
	}
}

static int check_foreign(const struct idm_undo *u, struct idm_error *err)
{
	for (size_t i = u->nodes.n; i-- > 0;) {
		const struct idm_mount_node *node = u->nodes.v[i];

		if (node->marked || !is_marked(idm_mount_nodes_parent(&u->nodes, node)))
			continue;
		idm_fail(err, -EBUSY, step_undo, node->target, "the journal does not name this mount");
		idm_hint(err, "unmount it first; undo unmounts only mounts of the journal");
		return -EBUSY;
	}
	return 0;
}

/* A mount outside of this root directory is hidden, but not gone. */
static int check_reach(const struct idm_undo *u, struct idm_error *err)
{
	for (size_t i = 0; i < u->journal.n; i++) {
		const struct idm_journal_entry *e = &u->journal.entries[i];

		if (e->kind < IDM_JOURNAL_BASE || idm_mount_nodes_find(&u->nodes, e->number) ||
		    idm_undo_query_mount(u, e->number) < 0)
			continue;
		idm_fail(err, -EXDEV, step_undo, e->path, "the mount is outside of this root directory");
		idm_hint(err, "undo it outside of this chroot(2)");
		return -EXDEV;
	}
	return 0;
}

int idm_undo_mark_mounts(struct idm_undo *u, struct idm_error *err)
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
	if (r < 0)
		return r;
	mark_recorded(u);
	if (!u->journal.complete)
		mark_below(u);
	return check_foreign(u, err);
}

// SPDX-License-Identifier: MIT
/* The inode: owner and group as the filesystem has them, mode, flags and the access control list. */
#include <errno.h>
#include <linux/capability.h>
#include <unistd.h>

#include "facts.h"
#include "lib/base/macros.h"
#include "lib/sys/capability.h"
#include "lib/sys/syscall.h"

/* An owner without a number in the caller's user namespace exists all the same: it is not unmapped. */
#define HIDDEN_ID (IDM_EXPLAIN_NO_ID - 1)

/* Entries of a map, with those that are not visible. */
#define HIDDEN_MOST 1000

/* Without AT_STATX_DONT_SYNC: FUSE and NFS know nothing about a file that they were not asked about. */
static int query_inode(int fd, struct statx *st)
{
	return idm_sys_statx(fd, "", AT_EMPTY_PATH | AT_NO_AUTOMOUNT,
			     STATX_TYPE | STATX_MODE | STATX_UID | STATX_GID, st);
}

/* ---- owners that the mount does not show ---- */

/* Linux 6.15, and the privilege to make mounts. */
static bool query_unmapped(const struct idm_process_facts *process, int fd, struct statx *st)
{
	AUTO_CLOSE int copy = idm_copy_mount(process, fd, true);

	return copy >= 0 && query_inode(copy, st) == 0;
}

/* ---- inodes without an owner ---- */

/* A layer maps it to none, or the user namespace of the filesystem does not have it. */
static bool can_lack_owner(const struct idm_mount_facts *mount)
{
	return !mount->map && (mount->unseen & IDM_UNSEEN_LAYERS || mount->fs_map);
}

enum presence { IS_PRESENT, IS_MISSING, IS_UNKNOWN };

/*
 * An inode without an owner shows the overflow ID, as one of that ID does. The kernel lets no process
 * write to the former: inode_permission(), also before it looks at the mode. Nor do capabilities count
 * for it. The caller's capabilities count for all others in the initial user namespace.
 */
static enum presence probe_owner(const struct idm_process_facts *process, int fd, const struct statx *st)
{
	const int flags = AT_EMPTY_PATH | AT_EACCESS;
	/* The mode lets some callers read without capabilities. */
	uint32_t readers = S_IRGRP | S_IROTH | (st->stx_uid == geteuid() ? S_IRUSR : 0);
	int r = idm_sys_faccessat2(fd, "", W_OK, flags);

	if (r == 0)
		return IS_PRESENT;
	if (!process->caller_is_initial || !idm_has_capability(CAP_DAC_OVERRIDE))
		return IS_UNKNOWN;
	/* A read-only filesystem and an immutable file refuse before the kernel looks at the mode. */
	if (r != -EACCES)
		r = idm_sys_faccessat2(fd, "", R_OK, flags);
	if (r == -EACCES)
		return IS_MISSING;
	return r == 0 && !(st->stx_mode & readers) ? IS_PRESENT : IS_UNKNOWN;
}

/*
 * The mounter of an overlay also has to be allowed. Only in the initial user namespace, the capabilities
 * of root count for each owner. In another's mount namespace, it can be root of that one.
 */
static bool is_mounted_by_root(const struct idm_process_facts *process,
			       const struct idm_mount_facts *mount)
{
	return !(mount->unseen & IDM_UNSEEN_LAYERS) || idm_is_in_initial_mounts(process);
}

/* ---- IDs ---- */

/*
 * The mount shows the ID, so an entry that is not visible maps it. The ID on disk is not known: the
 * facts have the same number, or the highest that is free.
 */
static uint32_t add_hidden_entry(struct idm_map *map, unsigned int kind, uint32_t seen)
{
	struct idm_entry entry = { seen, seen, 1 };
	const struct idm_entry *entries;

	/* An ACL with thousands of IDs would take minutes. */
	if (idm_map_entries(map, kind, &entries) >= HIDDEN_MOST)
		return IDM_EXPLAIN_NO_ID;
	for (uint32_t disk = IDM_EXPLAIN_NO_ID - 1; idm_map_add(map, kind, &entry, 1, NULL) < 0;
	     disk--) {
		if (disk < IDM_EXPLAIN_NO_ID - HIDDEN_MOST)
			return IDM_EXPLAIN_NO_ID;
		entry.disk = disk;
	}
	return entry.disk;
}

/* The first column of a mount's map has the numbers of the filesystem's user namespace. */
static uint32_t leave_fs_userns(const struct idm_mount_facts *mount, unsigned int kind, uint32_t id)
{
	uint32_t outside = id;

	if (mount->fs_map && idm_map_to_seen(mount->fs_map, kind, id, &outside) < 0)
		return IDM_EXPLAIN_NO_ID;
	return outside;
}

/* The ID on disk of one that the mount shows. The overflow ID stands for all that have no number. */
static uint32_t find_disk_id(const struct idm_process_facts *process,
			     const struct idm_mount_facts *mount, unsigned int kind, uint32_t seen)
{
	uint32_t overflow = kind == IDM_UID ? process->overflow_uid : process->overflow_gid, id;

	if (mount->map && idm_map_to_disk(mount->map, kind, seen, &id) == 0)
		return leave_fs_userns(mount, kind, id);
	if (mount->visible && seen != overflow)
		return add_hidden_entry(mount->visible, kind, seen);
	if (mount->map)
		return IDM_EXPLAIN_NO_ID;
	return seen == overflow && !process->caller_is_initial ? HIDDEN_ID : seen;
}

static void remove_overflow_ids(const struct idm_process_facts *process, const struct statx *st,
				struct idm_explain_inode *inode)
{
	if (st->stx_uid == process->overflow_uid)
		inode->uid = IDM_EXPLAIN_NO_ID;
	if (st->stx_gid == process->overflow_gid)
		inode->gid = IDM_EXPLAIN_NO_ID;
}

static void collect_owner(const struct idm_process_facts *process, const struct idm_mount_facts *mount,
			  int fd, struct statx *st, struct idm_inode_facts *facts)
{
	bool overflows = st->stx_uid == process->overflow_uid || st->stx_gid == process->overflow_gid;
	enum presence owner = IS_PRESENT;

	if (mount->map && overflows && query_unmapped(process, fd, st)) {
		facts->inode.uid = st->stx_uid;
		facts->inode.gid = st->stx_gid;
		return;
	}
	facts->inode.uid = find_disk_id(process, mount, IDM_UID, st->stx_uid);
	facts->inode.gid = find_disk_id(process, mount, IDM_GID, st->stx_gid);
	if (overflows && can_lack_owner(mount))
		owner = probe_owner(process, fd, st);
	if (owner == IS_MISSING && !is_mounted_by_root(process, mount))
		owner = IS_UNKNOWN;
	if (owner == IS_MISSING)
		remove_overflow_ids(process, st, &facts->inode);
	if (owner == IS_UNKNOWN || (overflows && (mount->mapped || !process->caller_is_initial)))
		facts->unseen |= IDM_UNSEEN_OWNER;
}

/* ---- all of it ---- */

static void collect_flags(const struct statx *st, struct idm_inode_facts *facts)
{
	if (st->stx_attributes & STATX_ATTR_IMMUTABLE)
		facts->inode.flags |= IDM_INODE_IMMUTABLE;
	if (st->stx_attributes & STATX_ATTR_APPEND)
		facts->inode.flags |= IDM_INODE_APPEND;
	if (!(st->stx_attributes_mask & STATX_ATTR_IMMUTABLE))
		facts->unseen |= IDM_UNSEEN_FLAGS;
}

/* An ID of the list that the mount does not map is not an ID of the process. */
static void convert_acl(const struct idm_process_facts *process, const struct idm_mount_facts *mount,
			struct idm_acl_facts *acl)
{
	for (size_t i = 0; i < acl->n; i++)
		if (acl->entries[i].id != IDM_EXPLAIN_NO_ID && mount->map)
			acl->entries[i].id = find_disk_id(process, mount, acl->entries[i].kind,
							  acl->entries[i].id);
}

static void add_acl(const struct idm_process_facts *process, const struct idm_mount_facts *mount, int fd,
		    struct idm_inode_facts *facts)
{
	int r = idm_collect_acl(fd, &facts->acl);

	if (r < 0)
		facts->unseen |= IDM_UNSEEN_ACL;
	if (r <= 0)
		return;
	convert_acl(process, mount, &facts->acl);
	facts->inode.flags |= IDM_INODE_ACL;
	facts->inode.acl_group = facts->acl.group;
	facts->inode.acl = facts->acl.entries;
	facts->inode.n_acl = facts->acl.n;
}

int idm_collect_inode(const struct idm_process_facts *process, const struct idm_mount_facts *mount,
		      int fd, struct idm_inode_facts *facts)
{
	struct statx st;
	int r = query_inode(fd, &st);

	if (r < 0)
		return r;
	facts->unseen = 0;
	facts->inode = (struct idm_explain_inode)IDM_EXPLAIN_INODE_INIT;
	facts->inode.mode = st.stx_mode;
	collect_flags(&st, facts);
	add_acl(process, mount, fd, facts);
	collect_owner(process, mount, fd, &st, facts);
	return 0;
}

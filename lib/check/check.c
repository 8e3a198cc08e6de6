// SPDX-License-Identifier: MIT
/*
 * There is no question to ask the kernel, only a thing to try: map a detached copy and see whether the
 * owners change. A filesystem may also accept the map and then not heed it.
 */
#include "internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>

#include "lib/base/cancel.h"
#include "lib/base/copy-struct.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/list/mount-place.h"
#include "lib/list/mount-query.h"
#include "lib/mount/tree-diag.h"
#include "lib/sys/capability.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/file-type.h"
#include "lib/sys/nofollow.h"
#include "lib/sys/probe.h"
#include "lib/sys/refused.h"
#include "lib/sys/syscall.h"

static const enum idm_error_step step_check = IDM_STEP_CHECK_PATH;

/* ---- the map to try ---- */

/* The IDs of the caller's user namespace, in the disk column. */
static int own_ids(struct idm_map **own, struct idm_error *err)
{
	int r = idm_map_new(own);

	if (r < 0)
		return idm_fail_errno(err, r, step_check, NULL);
	r = idm_map_add_pid(*own, getpid(), err);
	if (r < 0)
		idm_map_free(*own);
	return r;
}

/* Returns another ID of the caller's user namespace than `id`, or `id` if there is no other. */
static uint32_t another_id(const struct idm_map *own, unsigned int kind, uint32_t id)
{
	const struct idm_entry *e;
	size_t n = idm_map_entries(own, kind, &e);

	for (size_t i = 0; i < n; i++) {
		if (e[i].disk != id)
			return e[i].disk;
		if (e[i].count > 1)
			return id + 1;
	}
	return id;
}

/*
 * Exchanges the caller's ID with the owner's. So the map changes the owner, and the caller's ID has a
 * counterpart on disk, with which it can own files. If the caller is the owner, another ID is exchanged.
 * Without another ID the map leaves the caller out.
 */
static int exchange_ids(struct idm_map *map, const struct idm_map *own, unsigned int kind,
			uint32_t caller, uint32_t owner, struct idm_error *err)
{
	uint32_t other = caller, ignored;
	struct idm_entry e[2];

	if (owner != caller && idm_map_to_seen(own, kind, owner, &ignored) == 0)
		other = owner;
	else
		other = another_id(own, kind, caller);
	if (other == caller) {
		e[0] = (struct idm_entry){ caller ? 0 : 1, caller, 1 };
		return idm_map_add(map, kind, e, 1, err);
	}
	e[0] = (struct idm_entry){ caller, other, 1 };
	e[1] = (struct idm_entry){ other, caller, 1 };
	return idm_map_add(map, kind, e, 2, err);
}

static int make_map(const struct stat *st, const struct idm_map *own, struct idm_map **map,
		    struct idm_error *err)
{
	/* -1 is not an ID: the call only returns the current one. */
	uint32_t uid = (uint32_t)setfsuid((uid_t)-1), gid = (uint32_t)setfsgid((gid_t)-1);
	int r = idm_map_new(map);

	if (r < 0)
		return idm_fail_errno(err, r, step_check, NULL);
	r = exchange_ids(*map, own, IDM_UID, uid, st->st_uid, err);
	if (r == 0)
		r = exchange_ids(*map, own, IDM_GID, gid, st->st_gid, err);
	if (r < 0)
		idm_map_free(*map);
	return r;
}

/* ---- the owner that the map shows ---- */

/* How an owner must be seen. Without an ID in the caller's user namespace it is the overflow ID. */
static uint32_t get_expected_id(const struct idm_map *map, const struct idm_map *own, unsigned int kind,
				uint32_t disk)
{
	uint32_t id;

	if (idm_map_to_seen(own, kind, disk, &id) == 0 && idm_map_to_seen(map, kind, disk, &id) == 0)
		return id;
	return idm_overflow_id(kind);
}

static bool owner_is_mapped(const struct idm_trial *trial, const struct idm_map *own,
			    struct idm_error *err)
{
	struct stat disk, seen;
	uint32_t uid, gid;
	int r = idm_sys_fstatat(trial->plain, "", &disk, AT_EMPTY_PATH);

	if (r == 0)
		r = idm_sys_fstatat(trial->tree, "", &seen, AT_EMPTY_PATH);
	if (r != 0) {
		idm_fail_errno(err, r, step_check, trial->path);
		return false;
	}
	uid = get_expected_id(trial->map, own, IDM_UID, disk.st_uid);
	gid = get_expected_id(trial->map, own, IDM_GID, disk.st_gid);
	if (seen.st_uid == uid && seen.st_gid == gid)
		return true;
	idm_fail(err, -EIO, step_check, trial->path,
		 "the filesystem accepted a map from %u:%u to %u:%u, but shows the owner as %u:%u",
		 disk.st_uid, disk.st_gid, uid, gid, seen.st_uid, seen.st_gid);
	return false;
}

/* ---- the trial ---- */

/*
 * Returns a copy that shows the IDs on disk. Before Linux 6.15 a map cannot be removed, and the copy of
 * a mapped source keeps it. That does no harm: such a source cannot be mapped again either.
 */
static int plain_copy(int source, const struct idm_mount_props *look)
{
	int plain = -ENOSYS;

	if (look->mapped || !look->visible)
		plain = idm_probe_clone_unmapped(source);
	return plain < 0 ? idm_probe_clone(source, -1, 0) : plain;
}

static int try_map(int source, const struct idm_map *own, struct idm_trial *trial, unsigned int flags,
		   struct idm_check_result *check, struct idm_error *err)
{
	AUTO_CLOSE int userns = idm_userns_open(trial->map, 0, err), tree = -1;

	if (userns < 0)
		return userns;
	trial->tree = tree = idm_probe_clone(source, userns, IDM_TREE_REMAP);
	if (tree < 0) {
		idm_diagnose_not_mapped(tree, source, trial->path, userns, IDM_TREE_REMAP, err);
		return 0;
	}
	if (idm_probe_attach(tree) < 0) {
		idm_diagnose_move_refused(-EPERM, IDM_STEP_ATTACH, trial->path, err);
		return 0;
	}
	check->mappable = owner_is_mapped(trial, own, err);
	if (check->mappable && flags & IDM_CHECK_WRITE)
		idm_check_write(trial, check, err);
	return 0;
}

static int check_opened_source(int source, const char *path, unsigned int flags,
			       struct idm_check_result *check, struct idm_error *err)
{
	AUTO_CLOSE int plain = -1;
	struct idm_map *own, *map;
	struct stat st, disk;
	struct idm_mount_props look;
	int r;

	idm_query_mount(source, &look);
	memcpy(check->fstype, look.fstype, sizeof(check->fstype));
	check->mapped = look.mapped;

	if (idm_is_deleted(source)) {
		idm_fail(err, -ENOENT, step_check, path, "it was deleted, so it cannot be mounted");
		return 0;
	}
	plain = plain_copy(source, &look);
	if (plain < 0) {
		idm_diagnose_not_mapped(plain, source, path, -1, 0, err);
		return 0;
	}
	r = idm_sys_fstatat(source, "", &st, AT_EMPTY_PATH);
	if (r == 0)
		r = idm_sys_fstatat(plain, "", &disk, AT_EMPTY_PATH);
	if (r != 0) {
		idm_fail_errno(err, r, step_check, path);
		return idm_hint_admission(r, source, err);
	}
	/* On a mount that is not attached, nothing else shows a map. */
	check->mapped |= st.st_uid != disk.st_uid || st.st_gid != disk.st_gid;

	r = own_ids(&own, err);
	if (r < 0)
		return r;
	r = make_map(&disk, own, &map, err);
	if (r == 0) {
		struct idm_trial trial = {
			.plain = plain, .tree = -1, .map = map, .path = path, .rdonly = look.rdonly
		};

		r = try_map(source, own, &trial, flags, check, err);
		idm_map_free(map);
	}
	idm_map_free(own);
	return r;
}

/* The size in the first release, without the padding at the end. */
#define FIRST_SIZE \
	(offsetof(struct idm_check_result, fstype) + sizeof(((struct idm_check_result *)0)->fstype))

/* An older program has a shorter struct. A newer one has a longer struct, and may request nothing that
 * this version does not know. */
static int copy_check_size(struct idm_check_result *own, const struct idm_check_result *check,
			   const char *path, struct idm_error *err)
{
	size_t size = check->size;

	if (size < FIRST_SIZE)
		return idm_fail(err, -EINVAL, step_check, path,
				"expected struct idm_check_result of at least %zu bytes, got %zu",
				FIRST_SIZE, size);
	if (IDM_COPY_STRUCT(own, fstype, check, step_check, NULL) < 0)
		return idm_fail(err, -E2BIG, step_check, path,
				"expected struct idm_check_result of %zu bytes, got %zu", sizeof(*own),
				size);
	*own = (struct idm_check_result){ .size = size };
	return 0;
}

int idm_check_path(int dirfd, const char *path, unsigned int flags, struct idm_check_result *check,
		   struct idm_error *why, struct idm_error *err)
{
	HOLD_CANCEL;
	AUTO_CLOSE int source = -1;
	struct idm_error reason = { 0 }; /* of the result, or of a failure */
	struct idm_check_result own;
	int r = idm_check_flags(flags, IDM_CHECK_WRITE | IDM_CHECK_EMPTY_PATH, step_check, path, err);

	if (r < 0)
		return r;
	r = copy_check_size(&own, check, path, err);
	if (r < 0)
		return r;
	if (!*path && !(flags & IDM_CHECK_EMPTY_PATH))
		return idm_fail_empty(err, step_check);
	source = idm_open_or_dup(dirfd, path, O_PATH);
	if (source < 0)
		return idm_fail_at(err, source, step_check, path, dirfd);
	r = check_opened_source(source, path, flags, &own, why || err ? &reason : NULL);
	if (r < 0 && err)
		*err = reason;
	if (r < 0)
		return r;
	memcpy(check, &own, own.size < sizeof(own) ? own.size : sizeof(own));
	if (why)
		*why = reason;
	return 0;
}

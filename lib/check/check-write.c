// SPDX-License-Identifier: MIT
/* Checks whether a file that is created through a map has the right owner on disk. The file never has a
 * name. */
#include <errno.h>
#include <string.h>
#include <sys/fsuid.h>

#include "internal.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/syscall.h"

static const enum idm_error_step step_write = IDM_STEP_MAKE_FILE;

static void diagnose_no_file(const struct idm_trial *trial, const char *fstype, int code,
			     struct idm_error *err)
{
	switch (code) {
	case -EROFS:
		idm_fail(err, code, step_write, trial->path,
			 trial->rdonly ? "the mount is read-only" : "the filesystem (%s) is read-only",
			 fstype);
		break;
	case -EOPNOTSUPP:
		idm_fail(err, code, step_write, trial->path,
			 "the filesystem (%s) does not support nameless files (O_TMPFILE), so "
			 "writing was not tried",
			 fstype);
		break;
	case -ENOTDIR:
		idm_fail(err, code, step_write, trial->path, "it is not a directory");
		idm_hint(err, "check its parent directory");
		break;
	case -EOVERFLOW:
		idm_fail(err, code, step_write, trial->path,
			 "the filesystem (%s) cannot store the mapped ID of the caller", fstype);
		break;
	case -EACCES:
		idm_fail(err, code, step_write, trial->path,
			 "the caller cannot write there once the owner of the directory is mapped");
		idm_hint(err, "run it as root");
		break;
	case -EDQUOT:
	case -ENOSPC:
		idm_fail(err, code, step_write, trial->path, "the filesystem (%s) has no space: %s",
			 fstype, idm_errno_text(-code));
		break;
	default:
		idm_fail_errno(err, code, step_write, trial->path);
	}
}

/*
 * Finds the owner on disk: opens the same inode on the mount without a map. The file has no name, so its
 * handle identifies it. Requires a filesystem with file handles, and CAP_DAC_READ_SEARCH in the initial
 * user namespace.
 */
static int stat_on_disk(int plain, int file, struct stat *st)
{
	union {
		struct file_handle handle;
		char space[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} h = { .handle.handle_bytes = MAX_HANDLE_SZ };
	AUTO_CLOSE int mount = -1, same = -1;
	int r = idm_sys_name_to_handle(file, "", &h.handle, AT_EMPTY_PATH);

	if (r < 0)
		return r;
	mount = idm_sys_openat(plain, ".", O_RDONLY | O_DIRECTORY, 0);
	if (mount < 0)
		return mount;
	same = idm_sys_open_by_handle(mount, &h.handle, O_PATH);
	return same < 0 ? same : idm_sys_fstatat(same, "", st, AT_EMPTY_PATH);
}

/* The caller owns the file. The group is the caller's, or that of a set-group-ID directory. */
static bool seen_is_right(const struct idm_trial *trial, const struct stat *seen, struct idm_error *err)
{
	uint32_t uid = (uint32_t)setfsuid((uid_t)-1), gid = (uint32_t)setfsgid((gid_t)-1);
	struct stat dir;
	int r = idm_sys_fstatat(trial->tree, "", &dir, AT_EMPTY_PATH);

	if (r < 0) {
		idm_fail_errno(err, r, step_write, trial->path);
		return false;
	}
	if (seen->st_uid == uid && (seen->st_gid == gid || seen->st_gid == dir.st_gid))
		return true;
	idm_fail(err, -EIO, step_write, trial->path,
		 "a file created through the map by %u:%u is seen as owned by %u:%u", uid, gid,
		 seen->st_uid, seen->st_gid);
	return false;
}

static bool disk_is_right(const struct idm_trial *trial, const struct stat *seen,
			  const struct stat *disk, struct idm_error *err)
{
	uint32_t uid, gid;

	if (idm_map_to_disk(trial->map, IDM_UID, seen->st_uid, &uid) == 0 && disk->st_uid == uid &&
	    idm_map_to_disk(trial->map, IDM_GID, seen->st_gid, &gid) == 0 && disk->st_gid == gid)
		return true;
	idm_fail(err, -EIO, step_write, trial->path,
		 "a file created through the map and seen as owned by %u:%u is owned by %u:%u on disk",
		 seen->st_uid, seen->st_gid, disk->st_uid, disk->st_gid);
	return false;
}

void idm_check_write(const struct idm_trial *trial, struct idm_check_result *check,
		     struct idm_error *err)
{
	/* O_EXCL: linkat(2) can never name it. */
	AUTO_CLOSE int file = idm_sys_openat(trial->tree, ".", O_TMPFILE | O_EXCL | O_RDWR, 0600);
	struct stat seen, disk;
	int r = file;

	if (r >= 0)
		r = idm_sys_fstatat(file, "", &seen, AT_EMPTY_PATH);
	if (r < 0) {
		diagnose_no_file(trial, check->fstype, r, err);
		return;
	}
	check->disk_id_checked = stat_on_disk(trial->plain, file, &disk) == 0;
	check->writable = seen_is_right(trial, &seen, err) &&
			  (!check->disk_id_checked || disk_is_right(trial, &seen, &disk, err));
}

// SPDX-License-Identifier: MIT
/* The file of a journal: its directory, lock and removal. Its writer, its reader and the undo share
 * them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "internal.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/syscall.h"

int idm_journal_directory(const char *path, const char **name)
{
	const char *slash = strrchr(path, '/');
	AUTO_FREE char *above = NULL;

	*name = slash ? slash + 1 : path;
	if (!**name)
		return *path ? -EISDIR : -ENOENT;
	if (!slash)
		return idm_sys_openat(AT_FDCWD, ".", O_PATH | O_DIRECTORY, 0);
	above = strndup(path, slash == path ? 1 : (size_t)(slash - path));
	return above ? idm_sys_openat(AT_FDCWD, above, O_PATH | O_DIRECTORY, 0) : -ENOMEM;
}

int idm_journal_remove(int directory, const char *name, int fd)
{
	struct stat own, there;
	int r = idm_sys_fstatat(fd, "", &own, AT_EMPTY_PATH);

	if (r == 0)
		r = idm_sys_fstatat(directory, name, &there, AT_SYMLINK_NOFOLLOW);
	if (r != 0)
		return r;
	if (own.st_dev != there.st_dev || own.st_ino != there.st_ino)
		return -ESTALE;
	return idm_sys_unlinkat(directory, name, 0);
}

/*
 * A journal that another process still writes is not complete yet. Of two processes that undo one
 * journal at once, each would find things gone.
 */
int idm_journal_lock(int fd, const char *path, struct idm_error *err)
{
	int r = idm_sys_flock(fd, LOCK_EX | LOCK_NB);
	struct stat st;

	if (r == -EAGAIN)
		return idm_fail(err, -EBUSY, IDM_STEP_LOCK_JOURNAL, path,
				"another process is applying or undoing this journal");
	if (r == 0)
		r = idm_sys_fstatat(fd, "", &st, AT_EMPTY_PATH);
	if (r == 0 && !st.st_nlink)
		r = -ENOENT;
	return r < 0 ? idm_fail_errno(err, r, IDM_STEP_LOCK_JOURNAL, path) : 0;
}

/*
 * A child that the program forked since then may have the descriptor too. So close(2) is not enough.
 */
void idm_journal_unlock(int *fd)
{
	if (*fd < 0)
		return;
	idm_sys_flock(*fd, LOCK_UN);
	idm_close_fd(fd);
}

int idm_boot_id(char boot[40], struct idm_error *err)
{
	static const char file[] = "/proc/sys/kernel/random/boot_id";
	AUTO_CLOSE int fd = idm_sys_openat(AT_FDCWD, file, O_RDONLY, 0);
	ssize_t n = fd < 0 ? fd : idm_sys_read(fd, boot, 39);

	if (n < 0)
		return idm_fail_errno(err, (int)n, IDM_STEP_READ_BOOT_ID, file);
	boot[n] = '\0';
	boot[strcspn(boot, "\n")] = '\0';
	return 0;
}

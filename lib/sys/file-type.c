// SPDX-License-Identifier: MIT
#include "file-type.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/stat.h>

#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "syscall.h"

/* Going through a link of /proc, the kernel itself looks whether it has come to a directory. */
static int find_type_by_link(int fd, mode_t *type)
{
	AUTO_CLOSE int directory = -1;
	char link[64];

	snprintf(link, sizeof(link), "/proc/thread-self/fd/%d", fd);
	directory = idm_sys_openat(AT_FDCWD, link, O_PATH | O_DIRECTORY, 0);
	if (directory < 0 && directory != -ENOTDIR)
		return -EACCES;
	*type = directory < 0 ? S_IFREG : S_IFDIR;
	return 0;
}

int idm_file_type(int fd, mode_t *type)
{
	struct statx st;
	int r = idm_sys_statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st);

	*type = r == 0 ? st.stx_mode & S_IFMT : 0;
	return r == -EACCES ? find_type_by_link(fd, type) : r;
}

bool idm_is_on_block_device(int fd)
{
	struct statx st;

	/* Others have anonymous devices, of major number 0. */
	return idm_sys_statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st) == 0 &&
	       st.stx_dev_major != 0;
}

int idm_hint_admission(int code, int fd, struct idm_error *err)
{
	struct statx st;
	struct statfs fs;

	/* Such a one lets even the type of its file be known to its user only. */
	if (code == -EACCES && idm_sys_fstatfs(fd, &fs) == 0 && fs.f_type == FUSE_SUPER_MAGIC &&
	    idm_sys_statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st) == -EACCES)
		idm_hint(
			err,
			"a FUSE filesystem admits only its own user, not even root, unless it is mounted "
			"with allow_other");
	return code;
}

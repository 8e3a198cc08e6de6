// SPDX-License-Identifier: MIT
/* A refusal to the caller says nothing about the process, which may have other credentials. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "facts.h"
#include "lib/base/error.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/file-type.h"
#include "lib/sys/syscall.h"

/* The overlay lets the caller search the directory. Then a layer refuses, to the process that mounted
 * it. */
static bool is_refused_by_layer(int fd)
{
	struct statfs fs;

	return idm_sys_fstatfs(fd, &fs) == 0 && fs.f_type == OVERLAYFS_SUPER_MAGIC &&
	       idm_sys_faccessat2(fd, "", X_OK, AT_EMPTY_PATH | AT_EACCESS) == 0;
}

/* An O_PATH descriptor triggers no mount. The name may be in the filesystem that is mounted then. */
static bool is_awaiting_mount(int fd)
{
	struct statfs fs;

	return idm_sys_fstatfs(fd, &fs) == 0 && fs.f_type == AUTOFS_SUPER_MAGIC;
}

int idm_fail_to_look(struct idm_error *err, int code, const char *path, int fd)
{
	if (code != -EACCES) {
		idm_fail_errno(err, code, IDM_STEP_EXPLAIN, path);
		if (code == -ENOENT && is_awaiting_mount(fd))
			idm_hint(err, "autofs mounts nothing for this command: list the directory first");
		return code;
	}
	if (is_refused_by_layer(fd))
		return idm_fail(
			err, code, IDM_STEP_EXPLAIN, path,
			"Permission denied for every process: a layer of the overlay refuses the search "
			"to the process that mounted it");
	idm_fail(err, code, IDM_STEP_LOOK_UP_PATH, path,
		 "Permission denied for the caller, which is no verdict about the process");
	idm_hint(err, "the facts require a caller who may look there, such as the user of the process");
	return idm_hint_admission(code, fd, err);
}

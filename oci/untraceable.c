// SPDX-License-Identifier: MIT
/*
 * setns(2) sets the attribute dumpable to the sysctl fs.suid_dumpable. It does not if the caller's user
 * owns the user namespace, or the one above it that is directly below the caller's. The next call can
 * clear the attribute, but with 1 a process in there could trace before. It could then act as the user
 * of the hook, which is the host's root user as a rule.
 */
#include "untraceable.h"

#include <errno.h>
#include <unistd.h>

#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/sys/procfs.h"
#include "lib/sys/syscall.h"
#include "lib/sys/userns-parents.h"

static const enum idm_error_step step_join = IDM_STEP_JOIN_USERNS;

/* An owner without an ID in the caller's user namespace is another user. */
static bool is_owned_by_caller(int userns, int own)
{
	AUTO_CLOSE int ns = idm_sys_dup(userns);

	for (int level = 0; level < IDM_USERNS_LEVELS_MOST && ns >= 0; level++) {
		uid_t owner = (uid_t)-1;
		int r = idm_sys_ioctl(ns, IDM_NS_GET_OWNER_UID, &owner);

		idm_replace_by_parent_userns(&ns);
		if (ns >= 0 && idm_is_same_inode(ns, own))
			return r == 0 && owner == geteuid();
	}
	return false;
}

/* 1 counts where the file cannot be read. */
static bool sysctl_makes_dumpable(void)
{
	AUTO_CLOSE int fd = idm_sys_openat(AT_FDCWD, "/proc/sys/fs/suid_dumpable", O_RDONLY, 0);
	char mode = '1';

	return fd < 0 || idm_sys_pread(fd, &mode, 1, 0) != 1 || mode == '1';
}

int check_untraceable(int userns, struct idm_error *err)
{
	AUTO_CLOSE int own = idm_procfs_open_self("ns/user", step_join, err);

	if (own < 0)
		return own;
	if (is_owned_by_caller(userns, own) || !sysctl_makes_dumpable())
		return 0;
	idm_fail(err, -EPERM, step_join, NULL,
		 "the sysctl fs.suid_dumpable is 1, so that processes in there can trace the hook's");
	idm_hint(err, "the administrator can set it to 0 or 2");
	return -EPERM;
}

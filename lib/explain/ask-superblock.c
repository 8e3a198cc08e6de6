// SPDX-License-Identifier: MIT
/*
 * Whether a user namespace mounted a filesystem that the kernel cannot map. Since Linux 6.11,
 * open_by_handle_at(2) permits file handles to a process with CAP_SYS_ADMIN in the user namespace of the
 * superblock: may_decode_fh() in fs/fhandle.c. The owner of the mount namespace is permitted as well, so
 * the mount must be in none: a detached copy whose descriptor is closed, as the working directory.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>

#include "facts.h"
#include "lib/base/macros.h"
#include "lib/sys/capability.h"
#include "lib/sys/probe.h"
#include "lib/sys/procfs.h"
#include "lib/sys/subprocess.h"
#include "lib/sys/syscall.h"

struct superblock_question {
	int directory, mount_ns_fd;
	int userns_fd; /* -1: the caller's own, which no process can join again */
};

static int enter_unattached_copy(int directory)
{
	AUTO_CLOSE int copy = idm_probe_clone(directory, -1, 0);

	return copy < 0 ? copy : idm_sys_fchdir(copy);
}

/* There is no such file. The permission comes first. */
static int try_handle(void)
{
	union {
		struct file_handle handle;
		char space[sizeof(struct file_handle) + 8];
	} h = { .handle = { .handle_bytes = 8, .handle_type = 1 } };
	AUTO_CLOSE int fd = idm_sys_open_by_handle(AT_FDCWD, &h.handle, O_PATH | O_DIRECTORY);

	return fd != -EPERM;
}

static int ask_in_userns(void *data)
{
	const struct superblock_question *question = data;
	int r = question->mount_ns_fd < 0 ? 0 : idm_sys_setns(question->mount_ns_fd, CLONE_NEWNS);

	if (r == 0)
		r = enter_unattached_copy(question->directory);
	if (r == 0 && question->userns_fd >= 0)
		r = idm_sys_setns(question->userns_fd, CLONE_NEWUSER);
	return r < 0 ? r : try_handle();
}

bool idm_is_callers_userns(int userns_fd)
{
	AUTO_CLOSE int own = idm_procfs_open_self("ns/user", IDM_STEP_EXPLAIN, NULL);

	return own >= 0 && idm_is_same_inode(own, userns_fd);
}

/* A process that joins the namespace has all of them. */
static bool has_required_capabilities(void)
{
	return idm_has_capability(CAP_SYS_ADMIN) && idm_has_capability(CAP_DAC_READ_SEARCH);
}

int idm_ask_superblock(const struct idm_process_facts *process, int directory, int userns_fd)
{
	struct superblock_question question = { directory, process->mount_ns_fd, userns_fd };

	if (directory < 0 || idm_kernel_is_before(6, 11))
		return -EINVAL;
	if (idm_is_callers_userns(userns_fd)) {
		question.userns_fd = -1;
		if (!has_required_capabilities())
			return -EACCES;
	}
	return idm_subprocess(ask_in_userns, &question);
}

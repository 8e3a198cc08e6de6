// SPDX-License-Identifier: MIT
#include "mount-namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/macros.h"
#include "report.h"

/*
 * Opens nothing but a regular file, as those of namespaces are: a FIFO would wait, and the mere open of
 * some devices has effects.
 */
static int open_namespace_file(const char *path)
{
	int found = open(path, O_PATH | O_CLOEXEC), fd = -1;
	struct stat st;
	char link[40];

	if (found >= 0 && fstat(found, &st) == 0) {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", found);
		errno = EINVAL;
		fd = S_ISREG(st.st_mode) ? open(link, O_RDONLY | O_CLOEXEC) : -1;
	}
	if (found >= 0) {
		int saved = errno;

		close(found);
		errno = saved;
	}
	return fd;
}

static int open_own_place(struct mount_namespace *ns)
{
	ns->own = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	ns->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	ns->directory = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (ns->own >= 0 && ns->root >= 0 && ns->directory >= 0)
		return DONE;
	return report_failure("open own mount namespace: %s", strerror(errno));
}

int open_mount_namespace(struct mount_namespace *ns, const char *name)
{
	char path[64];

	if (!name[strspn(name, "0123456789")]) {
		snprintf(path, sizeof(path), "/proc/%.20s/ns/mnt", name);
		name = path;
	}
	ns->other = open_namespace_file(name);
	if (ns->other < 0)
		return report_failure("%s: open mount namespace: %s", name, strerror(errno));
	return open_own_place(ns);
}

void close_mount_namespace(struct mount_namespace *ns)
{
	idm_close_fd(&ns->other);
	idm_close_fd(&ns->own);
	idm_close_fd(&ns->root);
	idm_close_fd(&ns->directory);
}

int enter_mount_namespace(const struct mount_namespace *ns, const char *name)
{
	if (setns(ns->other, CLONE_NEWNS) == 0)
		return DONE;
	return report_failure("%s: enter mount namespace: %s", name, strerror(errno));
}

int leave_mount_namespace(const struct mount_namespace *ns)
{
	if (setns(ns->own, CLONE_NEWNS) == 0 && fchdir(ns->root) == 0 && chroot(".") == 0 &&
	    fchdir(ns->directory) == 0)
		return DONE;
	return report_failure("leave mount namespace: %s", strerror(errno));
}

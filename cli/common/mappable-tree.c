// SPDX-License-Identifier: MIT
/*
 * The kernel maps a tree as a whole or not at all, and unmounts nothing within a detached one. So a
 * thread enters a mount namespace of its own, unmounts there what the library finds at fault, and copies
 * the tree from there.
 */
#include "mappable-tree.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/base/mapped-hint.h"
#include "oci/new-namespaces.h"
#include "report.h"

struct mappable {
	const char *source;
	int userns_fd;
	const struct idm_tree_options *options;
	struct idm_error *err;
	int result;
};

static bool is_mount_below(const struct idm_error *err)
{
	return err->step == IDM_STEP_MAP_TREE && err->subject.length &&
	       err->subject.length < IDM_SUBJECT_SIZE - 1 &&
	       strncmp(err->hint, IDM_HINT_BELOW, strlen(IDM_HINT_BELOW)) == 0;
}

/* Nothing but mounts below keeps a mount of this namespace in use. */
static int unmount_here(const char *name, const char **rest)
{
	*rest = "";
	if (umount2(name, UMOUNT_NOFOLLOW) == 0)
		return 0;
	*rest = ", with the mounts below it";
	return umount2(name, UMOUNT_NOFOLLOW | MNT_DETACH) < 0 ? -errno : 0;
}

/* A user may own a directory on the way. A link there would lead to another mount. */
static int open_directory_of(char *path, const char **name)
{
	const struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
				      .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS };
	char *slash = strrchr(path, '/');
	int fd;

	if (!slash || !slash[1])
		return -EBUSY; /* the root directory, or nothing that the library reports */
	*slash = '\0';
	*name = slash + 1;
	fd = (int)syscall(SYS_openat2, AT_FDCWD, slash == path ? "/" : path, &how, sizeof(how));
	*slash = '/';
	return fd < 0 ? -errno : fd;
}

/* The thread has a working directory of its own. It is put back, since the source may be relative. */
static int unmount_unmappable(char *path, const char **rest)
{
	const char *name;
	AUTO_CLOSE int before = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	AUTO_CLOSE int directory = open_directory_of(path, &name);
	int r;

	if (directory < 0)
		return directory;
	if (before < 0 || fchdir(directory) < 0)
		return -errno;
	r = unmount_here(name, rest);
	return fchdir(before) < 0 ? -errno : r;
}

static int leave_out(struct idm_error *err)
{
	char path[IDM_SUBJECT_SIZE], reason[IDM_REASON_SIZE];
	const char *rest = "";
	int r;

	idm_error_part(err, err->subject, path, sizeof(path));
	idm_error_part(err, err->reason, reason, sizeof(reason));
	r = unmount_unmappable(path, &rest);
	if (r < 0)
		return idm_fail(err, r, IDM_STEP_UNMOUNT, path, "left out: %s", idm_errno_text(-r));
	report_note("%s: left out%s: %s", path, rest, reason);
	return 0;
}

/* Each pass unmounts one mount, so the passes end. */
static void *copy_mappable(void *data)
{
	struct mappable *m = data;

	m->result = enter_new_mount_namespace(m->err);
	while (m->result == 0) {
		m->result = idm_tree_open(AT_FDCWD, m->source, m->userns_fd, m->options, m->err);
		if (m->result >= 0 || !is_mount_below(m->err))
			break;
		m->result = leave_out(m->err);
	}
	return NULL;
}

/* unshare(2) of a mount namespace also separates the thread's root and working directory. */
int open_mappable_tree(const char *source, int userns_fd, const struct idm_tree_options *options,
		       struct idm_error *err)
{
	struct mappable m = { source, userns_fd, options, err, 0 };
	pthread_t thread;
	int r = pthread_create(&thread, NULL, copy_mappable, &m);

	if (r)
		return idm_fail(err, -r, IDM_STEP_OPEN_TREE, source, "start a thread: %s",
				idm_errno_text(r));
	pthread_join(thread, NULL);
	return m.result;
}

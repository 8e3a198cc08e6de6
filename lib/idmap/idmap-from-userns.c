// SPDX-License-Identifier: MIT
/* The other way: from a user namespace to its map. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "idmap.h"
#include "lib/base/cancel.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/base/read-file.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/procfs.h"
#include "lib/sys/reaped-diag.h"
#include "lib/sys/subprocess.h"
#include "lib/sys/syscall.h"

static const enum idm_error_step step_read = IDM_STEP_READ_USERNS;

/* 340 lines of three columns, each at least 10 wide. */
#define MAP_TEXT_SIZE 16384

/* The kernel shows an ID that has no number in the reader's user namespace as 4294967295. */
static bool has_invisible_ids(const char *text)
{
	unsigned int disk, seen, count;

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (sscanf(line, "%u %u %u", &disk, &seen, &count) == 3 && seen == IDM_ID_END)
			return true;
	}
	return false;
}

static int add_map_file(struct idm_map *map, unsigned int kind, int process, struct idm_error *err)
{
	const char *name = kind == IDM_UID ? "uid_map" : "gid_map";
	AUTO_CLOSE int fd = idm_procfs_openat(process, name, O_RDONLY);
	AUTO_FREE char *text = NULL;
	size_t n;
	int r = fd < 0 ? fd : idm_read_file(fd, MAP_TEXT_SIZE, &text, &n);

	if (r < 0)
		return idm_fail_errno(err, r, step_read, r == -ENOMEM ? NULL : name);
	if (n == 0) /* a namespace whose map has not been written: the side stays empty */
		return 0;
	if (has_invisible_ids(text))
		return idm_fail(err, -EINVAL, step_read, name,
				"some of its IDs are not visible from the caller's user namespace");
	return idm_map_parse_kernel(map, kind, text, err);
}

/*
 * Both sides of the process behind `pidfd` or, if one fails, none. As in idm_userns_open() it is certain
 * only afterwards whose /proc directory that was.
 */
static int add_process_map(struct idm_map *map, int pidfd, struct idm_error *err)
{
	AUTO_CLOSE int process = idm_procfs_open(pidfd, false, err);
	struct idm_map *new;
	int r;

	if (process < 0)
		return process;
	r = idm_map_copy(map, &new);
	if (r < 0)
		return idm_fail_errno(err, r, step_read, NULL);
	r = add_map_file(new, IDM_UID, process, err);
	if (r == 0)
		r = add_map_file(new, IDM_GID, process, err);
	/* Also if that failed: there are many errnos for "it is gone". */
	if (idm_sys_pidfd_send_signal(pidfd, 0) == -ESRCH)
		r = idm_fail(err, -ESRCH, step_read, NULL, "the process exited");
	if (r == 0)
		idm_map_move(map, new);
	idm_map_free(new);
	return r;
}

int idm_map_add_pid(struct idm_map *map, pid_t pid, struct idm_error *err)
{
	HOLD_CANCEL;
	AUTO_CLOSE int pidfd = -1;
	char subject[32];

	snprintf(subject, sizeof(subject), "pid %d", (int)pid);
	if (pid <= 0)
		return idm_fail(err, -EINVAL, step_read, subject, "expected a positive process number");
	pidfd = idm_sys_pidfd_open(pid);
	if (pidfd == -ESRCH)
		return idm_fail(err, pidfd, step_read, subject, "no such process");
	if (pidfd < 0)
		return idm_fail_errno(err, pidfd, step_read, subject);
	return add_process_map(map, pidfd, err);
}

/* ---- by descriptor ---- */

/* Only a process in the namespace shows its map. This one joins and exits. */
static int join_visited_userns(void *userns_fd)
{
	return idm_sys_setns(*(int *)userns_fd, CLONE_NEWUSER);
}

static int visit_userns_once(struct idm_map *map, int userns_fd, struct idm_error *err)
{
	struct idm_subprocess visitor;
	int r = idm_subprocess_run(&visitor, join_visited_userns, &userns_fd);

	if (r == -EPERM) {
		idm_fail(err, r, step_read, NULL, "it requires CAP_SYS_ADMIN in that user namespace");
		idm_hint(err, "a process number instead of a file needs no privilege");
	} else if (r == -EBUSY) {
		idm_diagnose_no_init(step_read, err);
	} else if (r == -ESRCH) {
		idm_fail(err, r, step_read, NULL, "another process killed the child");
	} else if (r < 0) {
		idm_fail_errno(err, r, step_read, NULL);
	} else {
		r = add_process_map(map, visitor.pidfd, err);
	}
	idm_subprocess_end(&visitor);
	return r;
}

static int visit_userns(struct idm_map *map, int userns_fd, struct idm_error *err)
{
	int r = -ESRCH;

	for (int i = 0; i < IDM_CHILD_ATTEMPTS && r == -ESRCH; i++)
		r = visit_userns_once(map, userns_fd, err);
	return r == -ESRCH ? idm_diagnose_always_reaped(err) : r;
}

/*
 * setns(2) refuses to join the namespace that one is in already. Without a /proc that is not known, and
 * joining is tried; a lack of descriptors would only be taken for another failure there.
 */
static int is_own_userns(int userns_fd, struct idm_error *err)
{
	AUTO_CLOSE int ns = idm_procfs_open_self("ns/user", step_read, err);

	if (idm_is_shortage(ns))
		return ns;
	return ns >= 0 && idm_is_same_inode(ns, userns_fd);
}

int idm_map_add_userns(struct idm_map *map, int userns_fd, struct idm_error *err)
{
	HOLD_CANCEL;
	int own;

	if (idm_sys_ioctl(userns_fd, IDM_NS_GET_NSTYPE, NULL) != CLONE_NEWUSER)
		return idm_fail(err, -EINVAL, step_read, NULL, "the file is not a user namespace");
	own = is_own_userns(userns_fd, err);
	if (own < 0)
		return own;
	return own ? idm_map_add_pid(map, getpid(), err) : visit_userns(map, userns_fd, err);
}

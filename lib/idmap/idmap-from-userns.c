// SPDX-License-Identifier: MIT
/* The other way: from a user namespace to its map. userns-by-mount.c does it without a process. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "idmap.h"
#include "lib/base/cancel.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/base/read-file.h"
#include "lib/sys/delegate.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/procfs.h"
#include "lib/sys/reaped-diag.h"
#include "lib/sys/subprocess.h"
#include "lib/sys/syscall.h"
#include "userns-by-mount.h"

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

/* What a process shows of its map, in memory that a subprocess can write. */
struct map_texts {
	char text[2][MAP_TEXT_SIZE]; /* uid_map and gid_map */
	bool explained;		     /* reading them failed, and the error is filled in */
};

static const char *const file_names[] = { "uid_map", "gid_map" };

static int read_map_text(struct map_texts *texts, int process, int i, struct idm_error *err)
{
	AUTO_CLOSE int fd = idm_procfs_openat(process, file_names[i], O_RDONLY);
	ssize_t n = fd < 0 ? fd : idm_read_all(fd, texts->text[i], MAP_TEXT_SIZE);

	if (n == MAP_TEXT_SIZE)
		n = -EFBIG;
	if (n < 0)
		return idm_fail_errno(err, (int)n, step_read, file_names[i]);
	texts->text[i][n] = '\0';
	return 0;
}

/*
 * Reads both sides of the process behind `pidfd`. As in idm_userns_open() it is certain only afterwards
 * whose /proc directory that was. Makes system calls only, and no stdio without `err`.
 */
static int read_map_texts(int pidfd, struct map_texts *texts, struct idm_error *err)
{
	AUTO_CLOSE int process = idm_procfs_open(pidfd, false, err);
	int r;

	if (process < 0)
		return process;
	r = read_map_text(texts, process, 0, err);
	if (r == 0)
		r = read_map_text(texts, process, 1, err);
	/* Also if that failed: there are many errnos for "it is gone". */
	if (idm_sys_pidfd_send_signal(pidfd, 0) == -ESRCH)
		r = idm_fail(err, -ESRCH, step_read, NULL, "the process exited");
	return r;
}

static int read_maps_of_child(int pidfd, void *data, struct idm_error *err)
{
	struct map_texts *texts = data;
	int r = read_map_texts(pidfd, texts, err);

	texts->explained = r < 0 && err;
	return r;
}

static int add_map_text(struct idm_map *map, unsigned int kind, const char *text, struct idm_error *err)
{
	if (!*text) /* a namespace whose map has not been written: the side stays empty */
		return 0;
	if (has_invisible_ids(text))
		return idm_fail(err, -EINVAL, step_read, file_names[kind == IDM_GID],
				"some of its IDs are not visible from the caller's user namespace");
	return idm_map_parse_kernel(map, kind, text, err);
}

/* Both sides or, if one fails, none. */
static int add_map_texts(struct idm_map *map, const struct map_texts *texts, struct idm_error *err)
{
	struct idm_map *new;
	int r = idm_map_copy(map, &new);

	if (r < 0)
		return idm_fail_errno(err, r, step_read, NULL);
	r = add_map_text(new, IDM_UID, texts->text[0], err);
	if (r == 0)
		r = add_map_text(new, IDM_GID, texts->text[1], err);
	if (r == 0)
		idm_map_move(map, new);
	idm_map_free(new);
	return r;
}

static int new_map_texts(struct map_texts **texts, struct idm_error *err)
{
	*texts = idm_subprocess_memory(sizeof(**texts));
	return *texts ? 0 : idm_fail_errno(err, -ENOMEM, step_read, NULL);
}

static int add_process_map(struct idm_map *map, int pidfd, struct idm_error *err)
{
	struct map_texts *texts;
	int r = new_map_texts(&texts, err);

	if (r < 0)
		return r;
	r = read_map_texts(pidfd, texts, err);
	if (r == 0)
		r = add_map_texts(map, texts, err);
	idm_subprocess_memory_free(texts, sizeof(*texts));
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

static int fail_visit(int code, struct idm_error *err)
{
	if (code == -EBUSY)
		return idm_diagnose_no_init(code, step_read, err);
	if (code == -ESRCH)
		return idm_fail(err, code, step_read, NULL, "another process killed the child");
	if (code != -EPERM)
		return idm_fail_errno(err, code, step_read, NULL);
	idm_fail(err, code, step_read, NULL, "it requires CAP_SYS_ADMIN in that user namespace");
	idm_hint(err, "a process number instead of a file needs no privilege");
	return code;
}

/* Returns false if that way does not exist here, or the map does not fit: then the other way says why.
 */
static bool add_map_of_mount(struct idm_map *map, int userns_fd)
{
	struct idm_map *found = idm_read_userns_by_mount(userns_fd), *sum = NULL;
	bool added = found && idm_map_copy(map, &sum) == 0 &&
		     idm_map_add(sum, IDM_UID, found->uid.entries, found->uid.n, NULL) == 0 &&
		     idm_map_add(sum, IDM_GID, found->gid.entries, found->gid.n, NULL) == 0;

	if (added)
		idm_map_move(map, sum);
	idm_map_free(sum);
	idm_map_free(found);
	return added;
}

/* Else only a process in the namespace shows its map. A delegate joins and exits. */
static int visit_userns_once(struct idm_map *map, int userns_fd, struct map_texts *texts,
			     struct idm_error *err)
{
	const struct idm_delegate_work work = { .operation = IDM_DELEGATE_JOIN_USERNS, .fd = userns_fd };
	int r;

	texts->explained = false;
	r = idm_delegate(&work, read_maps_of_child, texts, err);
	if (r == 0)
		return add_map_texts(map, texts, err);
	return texts->explained ? r : fail_visit(r, err);
}

static int visit_userns(struct idm_map *map, int userns_fd, struct idm_error *err)
{
	struct map_texts *texts;
	int r = new_map_texts(&texts, err);

	if (r < 0)
		return r;
	r = -ESRCH;
	for (int i = 0; i < IDM_CHILD_ATTEMPTS && r == -ESRCH; i++)
		r = visit_userns_once(map, userns_fd, texts, err);
	idm_subprocess_memory_free(texts, sizeof(*texts));
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

	if (idm_sys_fd_flags(userns_fd) < 0)
		return idm_fail(err, -EBADF, step_read, NULL, "descriptor %d is not open", userns_fd);
	if (idm_sys_ioctl(userns_fd, IDM_NS_GET_NSTYPE, NULL) != CLONE_NEWUSER)
		return idm_fail(err, -EINVAL, step_read, NULL, "the file is not a user namespace");
	own = is_own_userns(userns_fd, err);
	if (own < 0)
		return own;
	if (own)
		return idm_map_add_pid(map, getpid(), err);
	return add_map_of_mount(map, userns_fd) ? 0 : visit_userns(map, userns_fd, err);
}

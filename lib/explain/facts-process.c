// SPDX-License-Identifier: MIT
/*
 * The process: credentials, user namespace, root directory and mount namespace. A pidfd is opened before
 * all of it. If the process still exists afterwards, its number was not another's in between.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "facts.h"
#include "lib/base/array.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/base/read-file.h"
#include "lib/idmap/idmap.h"
#include "lib/sys/capability.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/procfs.h"
#include "lib/sys/syscall.h"

static const enum idm_error_step step = IDM_STEP_EXPLAIN;

/* A process can be in 65536 groups. */
#define STATUS_MOST (2UL << 20)

/* ---- /proc/PID/status ---- */

static int add_groups(struct idm_process_facts *process, const char *line)
{
	char *end;

	for (;; line = end) {
		unsigned long id = strtoul(line, &end, 10);
		uint32_t *group;

		/* Nothing but blanks follows the last one, up to the next line's name. */
		if (end == line)
			return 0;
		group = idm_array_append(&process->groups, &process->n_groups, sizeof(*group));
		if (!group)
			return -ENOMEM;
		*group = (uint32_t)id;
	}
}

static int parse_credentials(struct idm_process_facts *process, const char *text)
{
	unsigned int euid, uid, gid;
	unsigned long long capabilities, bounding_set;

	/* Of four, the second is the effective ID, and the last one that for filesystems. */
	if (sscanf(idm_procfs_find_line(text, "\nUid:"), "%*u %u %*u %u", &euid, &uid) != 2 ||
	    sscanf(idm_procfs_find_line(text, "\nGid:"), "%*u %*u %*u %u", &gid) != 1 ||
	    sscanf(idm_procfs_find_line(text, "\nCapEff:"), "%llx", &capabilities) != 1 ||
	    sscanf(idm_procfs_find_line(text, "\nCapBnd:"), "%llx", &bounding_set) != 1)
		return -EIO;
	process->euid = euid;
	process->fsuid = uid;
	process->fsgid = gid;
	process->capabilities = capabilities;
	process->bounding_set = bounding_set;
	return add_groups(process, idm_procfs_find_line(text, "\nGroups:"));
}

static int read_credentials(struct idm_process_facts *process, int fd, struct idm_error *err)
{
	AUTO_FREE char *text = NULL;
	size_t n;
	int r = fd < 0 ? fd : idm_read_file(fd, STATUS_MOST, &text, &n);

	if (r == 0)
		r = parse_credentials(process, text);
	return r < 0 ? idm_fail_errno(err, r, step, "status") : 0;
}

/* A number that the caller's user namespace lacks is shown as the overflow ID. */
static void note_invisible_ids(struct idm_process_facts *process)
{
	if (!process->caller_is_initial &&
	    (process->fsuid == process->overflow_uid || process->euid == process->overflow_uid ||
	     process->fsgid == process->overflow_gid))
		process->unseen |= IDM_UNSEEN_PROCESS_IDS;
}

/* ---- the user namespace ---- */

static bool has_everything(const struct idm_map *map)
{
	const struct idm_entry *e = map->uid.entries;

	return map->uid.n == 1 && e->disk == 0 && e->seen == 0 && e->count == IDM_ID_END;
}

/*
 * The map is readable where the namespace's file is not: of each process, by each user. A child can have
 * the initial namespace's map. Without the file, such a map is taken for the initial one's.
 */
static int collect_userns_map(struct idm_process_facts *process, pid_t pid, struct idm_error *err)
{
	int r = idm_map_new(&process->userns_map);

	if (r < 0)
		return idm_fail_errno(err, r, step, NULL);
	r = idm_map_add_pid(process->userns_map, pid, err);
	process->is_initial = r == 0 && process->caller_is_initial && process->userns_fd < 0 &&
			      has_everything(process->userns_map);
	if (r == 0 && !process->is_initial)
		return 0;
	idm_map_free(process->userns_map);
	process->userns_map = NULL;
	if (r != -EINVAL)
		return r;
	process->unseen |= IDM_UNSEEN_PROCESS_IDS;
	return 0;
}

static int collect_own_userns(struct idm_process_facts *process, struct idm_error *err)
{
	idm_map_free(process->userns_map);
	process->userns_map = NULL;
	process->is_initial = process->caller_is_initial;
	if (process->is_initial)
		return 0;
	process->userns_fd = idm_procfs_open_self("ns/user", step, NULL);
	return idm_collect_own_ids(&process->userns_map, err);
}

/*
 * Of its own namespace, a reader gets the IDs of the parent. So the same text as of the caller is that
 * of the caller's namespace, or of another that happens to be like it. In doubt it is the caller's,
 * whose map then replaces the text, and the namespace itself is not visible.
 */
static int settle_closed_userns(struct idm_process_facts *process, const struct idm_map *callers,
				struct idm_error *err)
{
	AUTO_MAP struct idm_map *ids = NULL;
	int r = idm_collect_own_ids(&ids, err);

	if (r < 0)
		return r;
	if (idm_has_outside_ids(callers, ids))
		return collect_own_userns(process, err);
	if (idm_map_equal(callers, ids))
		return 0;
	process->unseen |= IDM_UNSEEN_PROCESS_IDS;
	idm_map_free(process->userns_map);
	process->userns_map = ids;
	ids = NULL;
	return 0;
}

static int collect_closed_userns(struct idm_process_facts *process, pid_t pid, struct idm_error *err)
{
	AUTO_MAP struct idm_map *callers = NULL;
	int r = collect_userns_map(process, pid, err);

	if (r < 0 || process->caller_is_initial || !process->userns_map)
		return r;
	r = idm_map_new(&callers);
	if (r < 0)
		return idm_fail_errno(err, r, step, NULL);
	r = idm_map_add_pid(callers, getpid(), err);
	if (r < 0 || !idm_map_equal(callers, process->userns_map))
		return r;
	return settle_closed_userns(process, callers, err);
}

static int collect_userns(struct idm_process_facts *process, int directory, pid_t pid,
			  struct idm_error *err)
{
	AUTO_CLOSE int own = idm_procfs_open_self("ns/user", step, NULL);
	AUTO_CLOSE int other = idm_procfs_openat(directory, "ns/user", O_RDONLY);

	if (own < 0 || other < 0)
		return collect_closed_userns(process, pid, err);
	if (!idm_is_same_inode(own, other)) {
		if (!idm_is_initial_userns(other))
			process->userns_fd = idm_steal_fd(&other);
		return collect_userns_map(process, pid, err);
	}
	return collect_own_userns(process, err);
}

/* ---- the root directory and the mount namespace ---- */

static int open_own_places(struct idm_process_facts *process, struct idm_error *err)
{
	process->root_fd = idm_sys_openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY, 0);
	if (process->root_fd < 0)
		return idm_fail_errno(err, process->root_fd, step, "/");
	process->cwd_fd = idm_sys_openat(AT_FDCWD, ".", O_PATH | O_DIRECTORY, 0);
	return process->cwd_fd < 0 ? idm_fail_errno(err, process->cwd_fd, step, ".") : 0;
}

static void collect_mount_ns(struct idm_process_facts *process, int directory)
{
	AUTO_CLOSE int own = idm_procfs_open_self("ns/mnt", step, NULL);
	AUTO_CLOSE int other = idm_procfs_openat(directory, "ns/mnt", O_RDONLY);
	struct idm_mnt_ns_info info = { 0 };
	struct stat st;

	if (other < 0 || (own >= 0 && idm_is_same_inode(own, other)))
		return;
	process->mount_ns.foreign = true;
	if (idm_sys_fstatat(other, "", &st, AT_EMPTY_PATH) == 0)
		process->mount_ns.inode = st.st_ino;
	if (idm_sys_ioctl(other, IDM_NS_MNT_GET_INFO, &info) == 0)
		process->mount_ns.id = info.mnt_ns_id;
	process->mount_ns_fd = idm_steal_fd(&other);
}

/* The caller may not follow these links of every process. Its own root is the best guess then. */
static int open_places(struct idm_process_facts *process, int directory, struct idm_error *err)
{
	process->root_fd = idm_sys_openat(directory, "root", O_PATH | O_DIRECTORY, 0);
	process->cwd_fd = idm_sys_openat(directory, "cwd", O_PATH | O_DIRECTORY, 0);
	collect_mount_ns(process, directory);
	if (process->root_fd >= 0 && process->cwd_fd >= 0)
		return 0;
	if (process->root_fd != -EACCES && process->root_fd != -EPERM && process->root_fd < 0)
		return idm_fail_errno(err, process->root_fd, step, "root");
	idm_close_fd(&process->root_fd);
	idm_close_fd(&process->cwd_fd);
	process->unseen |= IDM_UNSEEN_ROOT;
	return open_own_places(process, err);
}

/* ---- the security module ---- */

static void note_confinement(struct idm_process_facts *process, int label_fd)
{
	if (idm_is_confined(label_fd))
		process->unseen |= IDM_UNSEEN_LSM;
}

/* ---- all of it ---- */

static int collect_self(struct idm_process_facts *process, struct idm_error *err)
{
	AUTO_CLOSE int status = idm_procfs_open_self("status", step, err);
	AUTO_CLOSE int label = idm_procfs_open_self("attr/current", step, NULL);
	int r = status < 0 ? status : read_credentials(process, status, err);

	note_confinement(process, label);
	if (r == 0)
		r = collect_own_userns(process, err);
	return r < 0 ? r : open_own_places(process, err);
}

static int collect_from(struct idm_process_facts *process, int directory, pid_t pid,
			struct idm_error *err)
{
	AUTO_CLOSE int status = idm_procfs_openat(directory, "status", O_RDONLY);
	AUTO_CLOSE int label = idm_procfs_openat(directory, "attr/current", O_RDONLY);
	int r = read_credentials(process, status, err);

	note_confinement(process, label);
	if (r == 0)
		r = collect_userns(process, directory, pid, err);
	return r < 0 ? r : open_places(process, directory, err);
}

static int collect_other(struct idm_process_facts *process, pid_t pid, struct idm_error *err)
{
	AUTO_CLOSE int pidfd = idm_sys_pidfd_open(pid), directory = -1;
	char subject[32];
	int r;

	snprintf(subject, sizeof(subject), "pid %d", (int)pid);
	if (pidfd == -ESRCH)
		return idm_fail(err, pidfd, step, subject, "no such process");
	if (pidfd < 0)
		return idm_fail_errno(err, pidfd, step, subject);
	directory = idm_procfs_open(pidfd, false, err);
	r = directory < 0 ? directory : collect_from(process, directory, pid, err);
	if (idm_sys_pidfd_send_signal(pidfd, 0) == -ESRCH)
		return idm_fail(err, -ESRCH, step, subject, "the process exited");
	return r;
}

int idm_collect_process(pid_t pid, struct idm_process_facts *process, struct idm_error *err)
{
	int r;

	*process = (struct idm_process_facts){ .root_fd = -1,
					       .cwd_fd = -1,
					       .mount_ns_fd = -1,
					       .userns_fd = -1,
					       .caller_is_initial = idm_in_initial_userns(),
					       .overflow_uid = idm_overflow_id(IDM_UID),
					       .overflow_gid = idm_overflow_id(IDM_GID) };
	if (pid < 0)
		return idm_fail(err, -EINVAL, step, NULL, "expected a process number, got %d", (int)pid);
	idm_collect_protection(process);
	r = pid ? collect_other(process, pid, err) : collect_self(process, err);
	if (r == 0)
		note_invisible_ids(process);
	return r;
}

void idm_release_process(struct idm_process_facts *process)
{
	idm_close_fd(&process->root_fd);
	idm_close_fd(&process->cwd_fd);
	idm_close_fd(&process->mount_ns_fd);
	idm_close_fd(&process->userns_fd);
	free(process->groups);
	idm_map_free(process->userns_map);
}

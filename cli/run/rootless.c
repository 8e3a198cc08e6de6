// SPDX-License-Identifier: MIT
/*
 * An ordinary user becomes root of a new user namespace with their subordinate IDs. newuidmap(1) and
 * newgidmap(1), which know these IDs, write the maps. Without them a user may map only their own ID.
 * Everything else is done in there, as root does it on the host. The kernel refuses to map filesystems
 * of the host there, and idmountd(8) does it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/common/report.h"
#include "oci/new-namespaces.h"
#include "run.h"

/* ---- writing it ---- */

static bool is_own_id_only(const struct idm_map *map, unsigned int kind, uint32_t own)
{
	const struct idm_entry *e;

	return idm_map_entries(map, kind, &e) == 1 && e->count == 1 && e->seen == own;
}

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return done;
}

static bool write_own_map(const struct idm_map *map, unsigned int kind, const char *path)
{
	char text[64];

	return idm_map_print(map, IDM_FORMAT_KERNEL, kind, text, sizeof(text)) < (ssize_t)sizeof(text) &&
	       write_file(path, text);
}

/* "newuidmap PID DISK SEEN COUNT ..." instead of this process. */
static void exec_helper(const char *program, const struct idm_map *map, unsigned int kind, pid_t pid)
{
	const struct idm_entry *e;
	size_t n = idm_map_entries(map, kind, &e), size = 12 * (3 * n + 1), at = 0;
	char **argv = calloc(3 * n + 3, sizeof(*argv)), *text = malloc(size);
	int k = 0;

	if (!argv || !text)
		_exit(RUN_FAILED);
	argv[k++] = (char *)program;
	argv[k++] = text;
	at += (size_t)sprintf(text, "%d", (int)pid) + 1;
	for (size_t i = 0; i < 3 * n; i++) {
		const uint32_t *row = (const uint32_t *)&e[i / 3];

		argv[k++] = text + at;
		at += (size_t)sprintf(text + at, "%u", row[i % 3]) + 1;
	}
	execvp(program, argv);
	_exit(errno == ENOENT ? RUN_NOT_FOUND : RUN_NOT_EXECUTABLE);
}

static int run_helper(const char *program, const struct idm_map *map, unsigned int kind, pid_t pid)
{
	pid_t child = fork();
	int status;

	if (child == 0)
		exec_helper(program, map, kind, pid);
	if (child < 0 || waitpid(child, &status, 0) < 0)
		return RUN_FAILED;
	return WIFEXITED(status) ? WEXITSTATUS(status) : RUN_FAILED;
}

/*
 * The helpers must be outside of the user namespace whose maps they write, so the child is forked
 * before. It runs them when the namespace exists, and reports their failure. The user has an ID there.
 */
static pid_t start_outside(const struct idm_map *map, const int go[2])
{
	pid_t parent = getpid(), child = fork();
	int status;
	char byte;

	if (child != 0)
		return child;
	close(go[1]); /* otherwise read(2) would not see that the other process has closed the pipe */
	if (read(go[0], &byte, 1) != 1)
		_exit(RUN_FAILED);
	status = run_helper("newuidmap", map, IDM_UID, parent);
	if (status == 0)
		status = run_helper("newgidmap", map, IDM_GID, parent);
	_exit(status == 0 ? DONE : run_report_no_map(map));
}

static int unshare_user(void)
{
	struct idm_error err;

	return enter_new_userns(&err) < 0 ? report_error(&err) : DONE;
}

static int enter_with_helpers(const struct idm_map *map)
{
	int go[2], status, helper = RUN_FAILED << 8;
	pid_t child;

	if (pipe2(go, O_CLOEXEC) < 0)
		return report_failure("make pipe: %s", strerror(errno));
	child = start_outside(map, go);
	close(go[0]);
	status = child < 0 ? report_failure("fork: %s", strerror(errno)) : unshare_user();
	if (status == DONE && write(go[1], "", 1) != 1)
		status = report_failure("write to pipe: %s", strerror(errno));
	close(go[1]);
	if (child > 0)
		waitpid(child, &helper, 0);
	return status == DONE && helper != 0 ? FAILED : status;
}

static int enter_alone(const struct idm_map *map)
{
	int status = unshare_user();

	if (status != DONE)
		return status;
	/* The kernel requires this first: setgroups(2) could drop a group that denies access. */
	if (write_file("/proc/self/setgroups", "deny") &&
	    write_own_map(map, IDM_UID, "/proc/self/uid_map") &&
	    write_own_map(map, IDM_GID, "/proc/self/gid_map"))
		return DONE;
	return report_failure("write the map of the user namespace: %s", strerror(errno));
}

static int enter_userns(struct run_request *q, const struct idm_map *map)
{
	int status;

	/* Otherwise root would own this process's files in /proc, and newuidmap would refuse it. */
	prctl(PR_SET_DUMPABLE, 1);
	q->no_setgroups = is_own_id_only(map, IDM_UID, geteuid()) &&
			  is_own_id_only(map, IDM_GID, getegid());
	status = q->no_setgroups ? enter_alone(map) : enter_with_helpers(map);
	if (status != DONE)
		return status;
	prctl(PR_SET_DUMPABLE, 1);
	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return report_failure("become root of the user namespace: %s", strerror(errno));
	return DONE;
}

int run_enter_userns(struct run_request *q)
{
	struct idm_map *map;
	int status;

	q->rootless = true;
	status = run_choose_userns(q, &map);
	if (status == DONE)
		status = run_find_exposure(q);
	if (status == DONE)
		status = enter_userns(q, map);
	if (status == DONE)
		status = run_move_maps(q, map);
	idm_map_free(map);
	return status;
}

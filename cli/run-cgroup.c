// SPDX-License-Identifier: MIT
/*
 * A cgroup of the container's own, where its users own that of the caller, as an ordinary user owns one
 * that was delegated. A container can mount the cgroup filesystem by itself, and with that it would
 * freeze or kill every process of its cgroup: the caller, too.
 *
 * The caller's cgroup is found as the root of such a filesystem in a new cgroup namespace, wherever the
 * host has mounted it, or not at all.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/kernel.h"
#include "report.h"
#include "run.h"

/* Those that act on all processes of a cgroup, or move processes. */
static const char *const files[] = { "cgroup.kill", "cgroup.freeze", "cgroup.procs", "cgroup.threads" };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What this process may not mount, a process below it may not either. */
static bool is_impossible(int code)
{
	return code == -ENODEV || code == -EPERM || code == -EACCES || code == -ENOSYS;
}

/* The caller's cgroup; -1: there is none that matters. */
static int open_own_cgroup(int *own)
{
	int fs, r;

	*own = -1;
	if (unshare(CLONE_NEWCGROUP) < 0)
		return report_failure("make cgroup namespace: %s", strerror(errno));
	fs = idm_sys_fsopen("cgroup2", 0);
	r = fs < 0 ? fs : idm_sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	if (r == 0)
		r = idm_sys_fsmount(fs, 0, 0);
	if (fs >= 0)
		close(fs);
	if (r < 0)
		return is_impossible(r) ? DONE
					: report_failure("open the caller's cgroup: %s", strerror(-r));
	*own = r;
	return DONE;
}

/* In the user namespace of an ordinary user this process may do what the container may. */
static bool is_the_containers(const struct run_request *q, int cgroup, const char *file)
{
	uint32_t disk;
	struct stat st;

	if (q->rootless)
		return faccessat(cgroup, file, W_OK, AT_EACCESS) == 0;
	return fstatat(cgroup, file, &st, 0) == 0 &&
	       (idm_map_to_disk(q->maps.map, IDM_UID, st.st_uid, &disk) == 0 ||
		idm_map_to_disk(q->maps.map, IDM_GID, st.st_gid, &disk) == 0);
}

static bool can_be_written(const struct run_request *q, int cgroup)
{
	for (size_t i = 0; i < COUNT(files); i++)
		if (is_the_containers(q, cgroup, files[i]))
			return true;
	return false;
}

#define MOST_NAMES 1000

/*
 * A process of another PID namespace may have this number, too. One that is empty was left by a process
 * that was killed, and is removed.
 */
static int make_directory(struct run_cgroup *c)
{
	for (int i = 0; i < MOST_NAMES; i++) {
		snprintf(c->name, sizeof(c->name), "idmount-%d-%d", (int)getpid(), i);
		unlinkat(c->parent, c->name, AT_REMOVEDIR);
		if (mkdirat(c->parent, c->name, 0755) == 0)
			return 0;
		if (errno != EEXIST)
			break;
	}
	return -1;
}

static int make_cgroup(struct run_cgroup *c)
{
	c->made = make_directory(c) == 0;
	if (c->made)
		c->fd = openat(c->parent, c->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c->fd >= 0)
		return DONE;
	return report_failure(
		"make a cgroup for the container, which could kill the caller in this one: %s",
		strerror(errno));
}

int run_make_cgroup(const struct run_request *q, struct run_cgroup *c)
{
	int status;

	*c = (struct run_cgroup)RUN_CGROUP_NONE;
	status = open_own_cgroup(&c->parent);
	if (status != DONE || c->parent < 0 || !can_be_written(q, c->parent))
		return status;
	return make_cgroup(c);
}

/* ---- the end ---- */

static void remove_below(int cgroup);

/* With all that the container has made below it. */
static void remove_cgroup(int parent, const char *name)
{
	int cgroup;

	if (unlinkat(parent, name, AT_REMOVEDIR) == 0)
		return;
	cgroup = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (cgroup < 0)
		return;
	remove_below(cgroup);
	unlinkat(parent, name, AT_REMOVEDIR);
}

static void remove_below(int cgroup)
{
	DIR *directory = fdopendir(cgroup);
	struct dirent *entry;

	if (!directory) {
		close(cgroup);
		return;
	}
	while ((entry = readdir(directory)))
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
			remove_cgroup(cgroup, entry->d_name);
	closedir(directory);
}

/* It stays where the container's processes do, with --no-pid. */
void run_cgroup_free(struct run_cgroup *c)
{
	if (c->fd >= 0)
		close(c->fd);
	if (c->made)
		remove_cgroup(c->parent, c->name);
	if (c->parent >= 0)
		close(c->parent);
	*c = (struct run_cgroup)RUN_CGROUP_NONE;
}

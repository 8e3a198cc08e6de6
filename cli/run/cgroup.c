// SPDX-License-Identifier: MIT
/*
 * A cgroup of the container's own. It is made if the container's users own the caller's cgroup, as an
 * ordinary user owns a delegated one. A container can mount the cgroup filesystem by itself. With that
 * it would freeze or kill every process of its cgroup: the caller, too.
 *
 * The caller's cgroup is found as the root of such a filesystem in a new cgroup namespace. It does not
 * matter where the host has mounted that filesystem, or whether it has.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli/common/report.h"
#include "run.h"

/* The files that act on all processes of a cgroup, or move processes. */
static const char *const files[] = { "cgroup.kill", "cgroup.freeze", "cgroup.procs", "cgroup.threads" };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* If this process may not mount a filesystem, a process below it may not either. */
static bool is_impossible(int code)
{
	return code == ENODEV || code == EPERM || code == EACCES || code == ENOSYS;
}

/* A new mount of the cgroup filesystem, whose root is that of the cgroup namespace; or -1. */
static int mount_cgroup2(void)
{
	int fs = (int)syscall(SYS_fsopen, "cgroup2", FSOPEN_CLOEXEC), mount = -1, code;

	if (fs < 0)
		return -1;
	if (syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		mount = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, 0U);
	code = errno;
	close(fs);
	errno = code;
	return mount;
}

/* Opens the caller's cgroup; -1: the container cannot mount it. */
static int open_own_cgroup(int *own)
{
	*own = -1;
	if (unshare(CLONE_NEWCGROUP) < 0)
		return report_failure("make cgroup namespace: %s", strerror(errno));
	*own = mount_cgroup2();
	if (*own >= 0 || is_impossible(errno))
		return DONE;
	return report_failure("open the caller's cgroup: %s", strerror(errno));
}

/* In the user namespace of an ordinary user this process may do all that the container may. */
static bool is_writable_for_container(const struct run_request *q, int cgroup, const char *file)
{
	uint32_t disk;
	struct stat st;

	if (q->rootless)
		return faccessat(cgroup, file, W_OK, AT_EACCESS) == 0;
	return fstatat(cgroup, file, &st, 0) == 0 &&
	       (st.st_mode & S_IWOTH || idm_map_to_disk(q->maps.map, IDM_UID, st.st_uid, &disk) == 0 ||
		idm_map_to_disk(q->maps.map, IDM_GID, st.st_gid, &disk) == 0);
}

static bool can_be_written(const struct run_request *q, int cgroup)
{
	for (size_t i = 0; i < COUNT(files); i++)
		if (is_writable_for_container(q, cgroup, files[i]))
			return true;
	return false;
}

/* The name is random: in another PID namespace a process can have the same number. */
static int make_directory(struct run_cgroup *c)
{
	unsigned long long number;

	if (getrandom(&number, sizeof(number), 0) != sizeof(number))
		return -1;
	snprintf(c->name, sizeof(c->name), RUN_CGROUP_PREFIX "%016llx", number);
	return mkdirat(c->parent, c->name, 0755);
}

/* Below a threaded cgroup, a cgroup accepts no process before it is threaded, too. */
static bool make_threaded(int cgroup)
{
	static const char invalid[] = "domain invalid", threaded[] = "threaded";
	int file = openat(cgroup, "cgroup.type", O_RDWR | O_CLOEXEC);
	char type[32] = "";
	bool done;

	if (file < 0)
		return errno == ENOENT;
	done = read(file, type, sizeof(type) - 1) >= 0 &&
	       (strncmp(type, invalid, strlen(invalid)) != 0 ||
		write(file, threaded, strlen(threaded)) == (ssize_t)strlen(threaded));
	close(file);
	return done;
}

/*
 * The lock says that this process lives, see remove-cgroup.c. Before it has the lock, another start can
 * have removed the directory, or can be about to do so.
 */
static bool make_locked_directory(struct run_cgroup *c)
{
	c->made = make_directory(c) == 0;
	if (!c->made)
		return false;
	c->fd = openat(c->parent, c->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return c->fd >= 0 && flock(c->fd, LOCK_SH | LOCK_NB) == 0 &&
	       faccessat(c->parent, c->name, F_OK, 0) == 0;
}

static void drop_directory(struct run_cgroup *c)
{
	if (c->made)
		unlinkat(c->parent, c->name, AT_REMOVEDIR);
	if (c->fd >= 0)
		close(c->fd);
	c->made = false;
	c->fd = -1;
}

/* Another user can open the directory, and hold a lock on it. Then no other start removes it either. */
#define LOCK_ATTEMPTS 8

static int make_cgroup(struct run_cgroup *c)
{
	for (int i = 0; i < LOCK_ATTEMPTS; i++) {
		drop_directory(c);
		if (make_locked_directory(c) || !c->made)
			break;
	}
	if (c->fd >= 0 && make_threaded(c->fd))
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
	run_remove_left_cgroups(c->parent);
	return make_cgroup(c);
}

/* ---- the end ---- */

/* The caller's cgroup is needed no more, if none was made in it. */
void run_cgroup_release(struct run_cgroup *c)
{
	if (c->made || c->parent < 0)
		return;
	close(c->parent);
	c->parent = -1;
}

/* With --no-pid, processes of the container may still be in it: then it stays. */
void run_cgroup_free(struct run_cgroup *c)
{
	if (c->made)
		run_remove_cgroup(c->parent, c->name, c->fd);
	if (c->fd >= 0)
		close(c->fd);
	if (c->parent >= 0)
		close(c->parent);
	*c = (struct run_cgroup)RUN_CGROUP_NONE;
}

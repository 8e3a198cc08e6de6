// SPDX-License-Identifier: MIT
/*
 * A cgroup of the container's own. It is made if the container's users own the caller's cgroup, as an
 * ordinary user owns a delegated one. A container can mount the cgroup filesystem by itself. With that
 * it would freeze or kill every process of its cgroup: the caller, too.
 *
 * The caller's cgroup is found as the root of such a filesystem in a new cgroup namespace. It does not
 * matter where the host has mounted that filesystem, or whether it has.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
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
	snprintf(c->name, sizeof(c->name), "idmount-%016llx", number);
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

static int make_cgroup(struct run_cgroup *c)
{
	c->made = make_directory(c) == 0;
	if (c->made)
		c->fd = openat(c->parent, c->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
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
	return make_cgroup(c);
}

/* ---- the end ---- */

/* Processes of the container's may still be there with --no-pid, and make more of them. */
static bool is_populated(int cgroup)
{
	int file = openat(cgroup, "cgroup.events", O_RDONLY | O_CLOEXEC);
	char text[256] = "";
	bool populated = file < 0 || read(file, text, sizeof(text) - 1) < 0 ||
			 strstr(text, "populated 1");

	if (file >= 0)
		close(file);
	return populated;
}

/* Finds the first directory in there. Closes the descriptor. */
static bool find_directory(int fd, char *name, size_t size)
{
	DIR *directory = fdopendir(fd);
	struct dirent *entry;
	bool found = false;

	if (!directory) {
		close(fd);
		return false;
	}
	while (!found && (entry = readdir(directory)))
		found = entry->d_type == DT_DIR && strcmp(entry->d_name, ".") != 0 &&
			strcmp(entry->d_name, "..") != 0 &&
			(size_t)snprintf(name, size, "%s", entry->d_name) < size;
	closedir(directory);
	return found;
}

/*
 * Removes a cgroup that has no other cgroup below it. Returns false if none exists, or if it cannot be
 * removed. Uses a descriptor for each of two levels only: the container may have made cgroups of any
 * depth.
 */
static bool remove_lowest(int top)
{
	int above = fcntl(top, F_DUPFD_CLOEXEC, 0), below;
	char name[256], next[256];
	bool removed;

	if (above < 0 || !find_directory(openat(above, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), name,
					 sizeof(name))) {
		if (above >= 0)
			close(above);
		return false;
	}
	for (;;) {
		below = openat(above, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (below < 0 || !find_directory(openat(below, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC),
						 next, sizeof(next)))
			break;
		close(above);
		above = below;
		snprintf(name, sizeof(name), "%s", next);
	}
	removed = unlinkat(above, name, AT_REMOVEDIR) == 0;
	close(above);
	if (below >= 0)
		close(below);
	return removed;
}

/* There may be many. The program has exited, so signals may kill this process again. */
static void remove_below(int cgroup)
{
	static const int signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < COUNT(signals); i++)
		sigaddset(&set, signals[i]);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	while (remove_lowest(cgroup))
		;
}

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
	if (c->made && unlinkat(c->parent, c->name, AT_REMOVEDIR) < 0 && c->fd >= 0 &&
	    !is_populated(c->fd)) {
		remove_below(c->fd);
		unlinkat(c->parent, c->name, AT_REMOVEDIR);
	}
	if (c->fd >= 0)
		close(c->fd);
	if (c->parent >= 0)
		close(c->parent);
	*c = (struct run_cgroup)RUN_CGROUP_NONE;
}

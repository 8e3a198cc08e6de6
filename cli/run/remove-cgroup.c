// SPDX-License-Identifier: MIT
/*
 * The removal of containers' cgroups: when the program has exited, or at a later start, if "idmount run"
 * was killed by SIGKILL.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "lib/base/macros.h"
#include "run.h"

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
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaddset(&set, signals[i]);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	while (remove_lowest(cgroup))
		;
}

void run_remove_cgroup(int parent, const char *name, int cgroup)
{
	if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || cgroup < 0 || is_populated(cgroup))
		return;
	remove_below(cgroup);
	unlinkat(parent, name, AT_REMOVEDIR);
}

/* ---- cgroups that were left behind ---- */

/* The name of such a cgroup. */
static bool is_cgroup_name(const char *name)
{
	const size_t n = strlen(RUN_CGROUP_PREFIX);

	return strncmp(name, RUN_CGROUP_PREFIX, n) == 0 &&
	       strspn(name + n, "0123456789abcdef") == RUN_CGROUP_DIGITS && !name[n + RUN_CGROUP_DIGITS];
}

/* At one start. A container, or a user who may write there, can make more of them at any time. */
#define LEFT_MOST 100

/* While an "idmount run" lives, it holds a lock on its cgroup, so that this one gets none. */
static void remove_if_left(int parent, const char *name, unsigned int *most)
{
	AUTO_CLOSE int cgroup = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	--*most;
	if (cgroup < 0 || flock(cgroup, LOCK_EX | LOCK_NB) < 0 || is_populated(cgroup))
		return;
	while (*most && remove_lowest(cgroup))
		--*most;
	unlinkat(parent, name, AT_REMOVEDIR);
}

void run_remove_left_cgroups(int parent)
{
	DIR *directory = fdopendir(openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	unsigned int most = LEFT_MOST;
	struct dirent *entry;

	if (!directory)
		return;
	while (most && (entry = readdir(directory)))
		if (is_cgroup_name(entry->d_name))
			remove_if_left(parent, entry->d_name, &most);
	closedir(directory);
}

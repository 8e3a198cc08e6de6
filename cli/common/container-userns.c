// SPDX-License-Identifier: MIT
#include "container-userns.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "report.h"

/* The kernel judges a set-user-ID file by the namespace of the process, not by that of config.json. */
static int is_in_own_userns(pid_t pid, bool *same)
{
	struct stat own, its;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	if (stat(path, &its) < 0)
		return report_failure("process %d: look at the container: %s", (int)pid,
				      errno == ENOENT ? "no such process" : strerror(errno));
	if (stat("/proc/self/ns/user", &own) < 0)
		return report_failure("/proc/self/ns/user: look at the container: %s", strerror(errno));
	*same = own.st_dev == its.st_dev && own.st_ino == its.st_ino;
	return DONE;
}

static int read_userns_map(pid_t pid, struct idm_map *map)
{
	struct idm_error err;

	return idm_map_add_pid(map, pid, &err) < 0 ? report_error(&err) : DONE;
}

int read_container_userns(pid_t pid, struct idm_map **map)
{
	bool same = false;
	int status = is_in_own_userns(pid, &same);

	*map = NULL;
	if (status != DONE || same)
		return status;
	if (idm_map_new(map) < 0)
		return out_of_memory();
	status = read_userns_map(pid, *map);
	if (status != DONE) {
		idm_map_free(*map);
		*map = NULL;
	}
	return status;
}

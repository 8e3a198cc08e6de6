// SPDX-License-Identifier: MIT
#include "oci-ids.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "report.h"

/*
 * The namespace is the process's, not the one of config.json: the kernel judges a set-user-ID file by
 * it.
 */
static int is_in_our_namespace(pid_t pid, bool *ours)
{
	struct stat own, its;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	if (stat(path, &its) < 0)
		return report_failure("process %d: look at the container: %s", (int)pid,
				      errno == ENOENT ? "there is no such process" : strerror(errno));
	if (stat("/proc/self/ns/user", &own) < 0)
		return report_failure("/proc/self/ns/user: look at the container: %s", strerror(errno));
	*ours = own.st_dev == its.st_dev && own.st_ino == its.st_ino;
	return DONE;
}

static int read_ids(pid_t pid, struct idm_map *map)
{
	struct idm_error err;

	return idm_map_add_pid(map, pid, &err) < 0 ? report_error(&err) : DONE;
}

int read_container_ids(pid_t pid, struct idm_map **map)
{
	bool ours = false;
	int status = is_in_our_namespace(pid, &ours);

	*map = NULL;
	if (status != DONE || ours)
		return status;
	if (idm_map_new(map) < 0)
		return out_of_memory();
	status = read_ids(pid, *map);
	if (status != DONE) {
		idm_map_free(*map);
		*map = NULL;
	}
	return status;
}

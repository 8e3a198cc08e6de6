// SPDX-License-Identifier: MIT
/*
 * newuidmap(1) and newgidmap(1) get their privilege from a file, and report only the kernel's answer. If
 * they lack that privilege, /etc/subuid is not the cause.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "cli/common/report.h"
#include "oci/new-namespaces.h"
#include "run.h"

/* Searches as execvp(3) does. Returns false if no directory of PATH has the file. */
static bool find_in_path(const char *name, char *file, size_t size)
{
	const char *path = getenv("PATH");

	path = path ? path : "/bin:/usr/bin";
	for (;;) {
		size_t n = strcspn(path, ":");

		snprintf(file, size, "%.*s%s%s", (int)n, path, n ? "/" : "", name);
		if (access(file, X_OK) == 0)
			return true;
		if (!path[n])
			return false;
		path += n + 1;
	}
}

static bool has_privilege(const char *file)
{
	struct stat st;

	if (stat(file, &st) < 0 || st.st_mode & S_ISUID)
		return true;
	/* Capabilities that cannot be read exist, too. */
	return getxattr(file, "security.capability", NULL, 0) >= 0 ||
	       (errno != ENODATA && errno != EOPNOTSUPP);
}

static bool is_nosuid(const char *file)
{
	struct statvfs fs;

	return statvfs(file, &fs) == 0 && fs.f_flag & ST_NOSUID;
}

/* Returns whether the program could not have done its work. Reports that. */
static bool is_at_fault(const char *name)
{
	char file[4096];

	if (!find_in_path(name, file, sizeof(file)))
		report_failure("%s is not installed, or not in PATH (on Debian: package uidmap)", name);
	else if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
		report_failure("%s cannot gain the privilege to write a map: no_new_privs is set (by "
			       "setpriv(1), a container, or NoNewPrivileges= of systemd)",
			       file);
	else if (!has_privilege(file))
		report_failure(
			"%s has neither the setuid bit nor file capabilities, so it may not write a "
			"map; as root: chmod u+s %s",
			file, file);
	else if (is_nosuid(file))
		report_failure("%s is on a filesystem mounted nosuid, so it may not write a map", file);
	else
		return false;
	return true;
}

int run_report_no_map(const struct idm_map *map)
{
	struct idm_error err;

	if (is_at_fault("newuidmap") || is_at_fault("newgidmap"))
		return FAILED;
	if (check_own_ids(map, &err) < 0)
		report_error(&err);
	else
		report_failure("newuidmap or newgidmap refused the map: see above, and /etc/subuid");
	return FAILED;
}

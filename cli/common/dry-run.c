// SPDX-License-Identifier: MIT
#include "dry-run.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report.h"
#include "oci/new-namespaces.h"

int begin_dry_run(void)
{
	struct idm_error err;

	if (enter_new_mount_namespace(&err) < 0)
		return report_error(&err);
	report_step("entered a mount namespace that vanishes with this command");
	return DONE;
}

/* Returns -1 after a report. */
static int open_trial_userns(const struct idm_map *map)
{
	struct idm_error err;
	int userns = idm_userns_open(map, 0, &err);

	if (userns < 0)
		report_error(&err);
	return userns < 0 ? -1 : userns;
}

int try_mapping(const struct idm_path *path, const struct idm_map *map)
{
	struct idm_tree_options options = IDM_TREE_OPTIONS_INIT;
	int userns = map ? open_trial_userns(map) : -1, tree;
	struct idm_error err;

	if (map && userns < 0)
		return FAILED;
	options.flags = map ? IDM_TREE_SERVICE : 0;
	tree = idm_tree_open(path->dirfd, path->path, userns, &options, &err);
	if (userns >= 0)
		close(userns);
	if (tree < 0)
		return report_error(&err);
	close(tree);
	report_step("copied %s%s, and dropped the copy", path->path, map ? " and mapped it" : "");
	return DONE;
}

int try_directory(const struct idm_path *path)
{
	int fd = openat(path->dirfd, path->path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return report_failure("%s: open directory: %s", path->path, strerror(errno));
	close(fd);
	return DONE;
}

int try_writable_directory(const struct idm_path *path)
{
	int status = try_directory(path);

	if (status == DONE && faccessat(path->dirfd, path->path, W_OK, AT_EACCESS) < 0)
		return report_failure("%s: write directory: %s", path->path, strerror(errno));
	return status;
}

int try_target(const char *target, bool mkdir)
{
	struct stat st;

	if (fstatat(AT_FDCWD, target, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT && mkdir
			       ? DONE
			       : report_failure("%s: open target: %s", target, strerror(errno));
	return S_ISLNK(st.st_mode) ? report_failure("%s: open target: %s", target, strerror(ELOOP))
				   : DONE;
}

static int try_directory_of_journal(const char *journal)
{
	char *copy = strdup(journal);
	int r = copy ? faccessat(AT_FDCWD, dirname(copy), W_OK | X_OK, AT_EACCESS) : -1;

	free(copy);
	return r < 0 ? report_failure("%s: write journal: %s", journal, strerror(errno)) : DONE;
}

int try_journal(const char *journal)
{
	struct stat st;

	if (!journal)
		return DONE;
	if (fstatat(AT_FDCWD, journal, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return report_failure("%s: write journal: %s", journal, strerror(EEXIST));
	return errno == ENOENT ? try_directory_of_journal(journal)
			       : report_failure("%s: write journal: %s", journal, strerror(errno));
}

int end_dry_run(int status, const char *target)
{
	return status == DONE
		       ? print_line("%s: can be mounted; nothing was, because of --dry-run", target)
		       : status;
}

// SPDX-License-Identifier: MIT
/* Programs that run, and swap files. Whatever the permissions are, the kernel refuses to change these. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/unescape.h"
#include "verdict.h"

static bool is_file_at(int directory, const char *path, const struct stat *file)
{
	struct stat st;

	return fstatat(directory, path, &st, 0) == 0 && st.st_dev == file->st_dev &&
	       st.st_ino == file->st_ino;
}

/* ---- programs ---- */

static bool runs_file(int proc, const char *name, const struct stat *file)
{
	char exe[NAME_MAX + sizeof("/exe")];

	if (!isdigit((unsigned char)*name) || atoi(name) == getpid())
		return false;
	snprintf(exe, sizeof(exe), "%s/exe", name);
	return is_file_at(proc, exe, file);
}

/* As far as /proc shows it: those of other users to root only. Returns 0 without such a process. */
static pid_t find_running(const struct stat *file)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	pid_t pid = 0;

	while (proc && !pid && (entry = readdir(proc)))
		if (runs_file(dirfd(proc), entry->d_name, file))
			pid = (pid_t)atoi(entry->d_name);
	if (proc)
		closedir(proc);
	return pid;
}

/* open(2) looks for it after the permissions, and before the mount's being read-only. */
static bool is_write_possible(const struct verdict *v)
{
	return v->facts.access == IDM_ACCESS_WRITE &&
	       (!v->result.errnum || v->result.rule == IDM_RULE_MOUNT_READONLY);
}

static void refuse_running_program(struct verdict *v, const struct stat *file)
{
	pid_t pid = file->st_mode & 0111 ? find_running(file) : 0;

	if (!pid)
		return;
	snprintf(v->other_reason, sizeof(v->other_reason),
		 "process %d runs it; replace it by a new file", (int)pid);
	refuse_for_reason(v, ETXTBSY, v->other_reason);
}

/* ---- swap files ---- */

/* "/swap\040file file 1024 0 -2" */
static bool is_line_of(char *line, const struct stat *file)
{
	line[strcspn(line, " \t\n")] = '\0';
	idm_unescape(line);
	return *line == '/' && is_file_at(AT_FDCWD, line, file);
}

static bool is_swap_file(const struct stat *file)
{
	FILE *swaps = fopen("/proc/swaps", "re");
	bool found = false;
	char *line = NULL;
	size_t size = 0;

	while (swaps && !found && getline(&line, &size, swaps) > 0)
		found = is_line_of(line, file);
	free(line);
	if (swaps)
		fclose(swaps);
	return found;
}

/* ---- both ---- */

void refuse_busy_file(struct verdict *v)
{
	struct stat file;

	if (!v->place->is_last || v->is_unknown || !S_ISREG(v->facts.inode->mode) ||
	    fstat(v->place->fd, &file) < 0)
		return;
	if (is_write_possible(v))
		refuse_running_program(v, &file);
	else if (v->facts.access == IDM_ACCESS_UNLINK && !v->result.errnum && is_swap_file(&file))
		refuse_for_reason(v, EPERM, "the system swaps to it; run swapoff(8) first");
}

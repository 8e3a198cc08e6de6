// SPDX-License-Identifier: MIT
#include "process-path.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/macros.h"
#include "lib/sys/syscall.h"
#include "process-file.h"

/* ---- identity ---- */

int find_file_id(int fd, struct file_id *id)
{
	struct statx st;
	int r = idm_sys_statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC,
			      STATX_INO | STATX_MNT_ID | STATX_MNT_ID_UNIQUE, &st);

	if (r == 0)
		*id = (struct file_id){ st.stx_dev_major, st.stx_dev_minor, st.stx_ino, st.stx_mnt_id };
	return r;
}

bool is_same_file_id(const struct file_id *a, const struct file_id *b)
{
	return a->major == b->major && a->minor == b->minor && a->inode == b->inode &&
	       (!a->mount || !b->mount || a->mount == b->mount);
}

bool parse_file_id(const char *text, struct file_id *id)
{
	char again[FILE_ID_TEXT];

	id->mount = 0;
	if (sscanf(text, "%" SCNu32 ":%" SCNu32 ":%" SCNu64 ":%" SCNu64, &id->major, &id->minor,
		   &id->inode, &id->mount) < 3)
		return false;
	format_file_id(id, again);
	return strcmp(text, again) == 0;
}

void format_file_id(const struct file_id *id, char text[FILE_ID_TEXT])
{
	int n = snprintf(text, FILE_ID_TEXT, "%" PRIu32 ":%" PRIu32 ":%" PRIu64, id->major, id->minor,
			 id->inode);

	if (id->mount)
		snprintf(text + n, FILE_ID_TEXT - (size_t)n, ":%" PRIu64, id->mount);
}

/* ---- paths ---- */

/* AT_FDCWD: the caller's working directory. */
static int open_start(pid_t pid, bool absolute)
{
	int fd;

	if (!pid && !absolute)
		return AT_FDCWD;
	fd = open_process_file(pid, absolute ? "root" : "cwd", O_PATH | O_DIRECTORY);
	return fd < 0 ? -errno : fd;
}

int open_process_path(pid_t pid, const char *path)
{
	const char *rest = path + strspn(path, "/");
	int start = open_start(pid, rest != path), fd;

	if (start < 0 && start != AT_FDCWD)
		return start;
	fd = idm_sys_openat2(start, *rest ? rest : ".", O_PATH | O_NOFOLLOW, 0,
			     RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
	if (start >= 0)
		close(start);
	return fd;
}

// SPDX-License-Identifier: MIT
#include "mount-rows.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/array.h"
#include "lib/base/macros.h"
#include "lib/base/unescape.h"
#include "lib/sys/syscall.h"
#include "process-file.h"

/* A line of mountinfo: "36 35 0:42 /root /target rw …". */
struct mount_row {
	unsigned long long id, parent;
	char device[16];
	char *root, *target;
};

struct mount_rows {
	struct mount_row *list;
	size_t n;
};

FILE *open_mountinfo(pid_t pid)
{
	int fd = open_process_file(pid, "mountinfo", O_RDONLY);
	FILE *mountinfo = fd < 0 ? NULL : fdopen(fd, "r");

	if (fd >= 0 && !mountinfo)
		close(fd);
	return mountinfo;
}

const char *find_path_below(const struct verdict *v, char *path, size_t size)
{
	const struct idm_mount_info *mount = v->place->mount;
	size_t root = strcmp(mount->root, "/") == 0 ? 0 : strlen(mount->root);
	size_t target = strcmp(mount->target, "/") == 0 ? 0 : strlen(mount->target);
	char link[32];
	ssize_t n;

	if (root >= size || !*mount->target)
		return NULL;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", v->place->fd);
	n = readlink(link, path, size - root - 1);
	if (n < (ssize_t)target || (size_t)n >= size - root - 1)
		return NULL;
	path[n] = '\0';
	if (strncmp(path, mount->target, target) != 0 || (path[target] && path[target] != '/'))
		return NULL;
	memmove(path + root, path + target, (size_t)n - target + 1);
	memcpy(path, mount->root, root);
	return path;
}

/* ---- rows ---- */

static bool parse_mount_row(const char *line, struct mount_row *row)
{
	*row = (struct mount_row){ 0 };
	if (sscanf(line, "%llu %llu %15s %ms %ms", &row->id, &row->parent, row->device, &row->root,
		   &row->target) != 5)
		return false;
	idm_unescape(row->root);
	idm_unescape(row->target);
	return true;
}

static void free_mount_rows(struct mount_rows *rows)
{
	for (size_t i = 0; i < rows->n; i++) {
		free(rows->list[i].root);
		free(rows->list[i].target);
	}
	free(rows->list);
}

static bool add_mount_row(struct mount_rows *rows, const char *line)
{
	struct mount_row *row = idm_array_append(&rows->list, &rows->n, sizeof(*row));

	return row && parse_mount_row(line, row);
}

static bool read_mount_rows(pid_t pid, struct mount_rows *rows)
{
	FILE *mountinfo = open_mountinfo(pid);
	char *line = NULL;
	size_t size = 0;
	bool is_read = mountinfo;

	while (is_read && getline(&line, &size, mountinfo) > 0)
		is_read = add_mount_row(rows, line);
	free(line);
	if (mountinfo)
		fclose(mountinfo);
	return is_read;
}

static const struct mount_row *find_mount_row(const struct mount_rows *rows, unsigned long long id)
{
	for (size_t i = 0; i < rows->n; i++)
		if (rows->list[i].id == id)
			return &rows->list[i];
	return NULL;
}

/* ---- mount points ---- */

/* Without the slash of a root directory, to have a name appended. */
static int directory_length(const char *path)
{
	return strcmp(path, "/") == 0 ? 0 : (int)strlen(path);
}

/* Whether the mount point of `row` is `below` in the filesystem that its parent is of. */
static bool is_mount_point_of(const struct mount_row *row, const struct mount_row *parent,
			      const char *below)
{
	char path[2 * PATH_MAX];
	size_t n = (size_t)directory_length(parent->target);

	if (strncmp(row->target, parent->target, n) != 0 || row->target[n] != '/')
		return false;
	snprintf(path, sizeof(path), "%.*s%s", directory_length(parent->root), parent->root,
		 row->target + n);
	return strcmp(path, below) == 0;
}

static bool find_mount_point(const struct mount_rows *rows, const struct mount_row *own,
			     const char *below)
{
	for (size_t i = 0; i < rows->n; i++) {
		const struct mount_row *parent = find_mount_row(rows, rows->list[i].parent);

		if (parent && strcmp(parent->device, own->device) == 0 &&
		    is_mount_point_of(&rows->list[i], parent, below))
			return true;
	}
	return false;
}

bool is_covered_elsewhere(const struct verdict *v)
{
	struct mount_rows rows = { 0 };
	const struct mount_row *own;
	char path[2 * PATH_MAX];
	const char *below = v->place->mount ? find_path_below(v, path, sizeof(path)) : NULL;
	uint64_t id;
	bool is_covered;

	if (!below || idm_short_mount_id(v->place->fd, &id) < 0)
		return false;
	is_covered = read_mount_rows(v->subject->pid, &rows) && (own = find_mount_row(&rows, id)) &&
		     find_mount_point(&rows, own, below);
	free_mount_rows(&rows);
	return is_covered;
}

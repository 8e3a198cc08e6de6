// SPDX-License-Identifier: MIT
#include "mount-rows.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/array.h"
#include "lib/base/macros.h"
#include "lib/list/internal.h"
#include "lib/list/mount-copy.h"
#include "lib/sys/syscall.h"
#include "process-file.h"

struct mount_rows {
	struct idm_mount_info **list; /* by ID */
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

/* ---- options ---- */

/* "36 35 0:42 / /target rw - fuse source options": returns the last word. */
static char *copy_super_options(char *line, uint64_t id)
{
	unsigned long long found;
	const char *rest = strstr(line, " - ");

	if (!rest || sscanf(line, "%llu ", &found) != 1 || found != id)
		return NULL;
	line[strcspn(line, "\n")] = '\0';
	return strdup(strrchr(rest, ' ') + 1);
}

char *read_super_options(const struct verdict *v)
{
	FILE *mountinfo = open_mountinfo(v->subject->pid);
	char *line = NULL, *options = NULL;
	size_t size = 0;
	uint64_t id;

	if (mountinfo && idm_short_mount_id(v->place->fd, &id) == 0)
		while (!options && getline(&line, &size, mountinfo) > 0)
			options = copy_super_options(line, id);
	free(line);
	if (mountinfo)
		fclose(mountinfo);
	return options;
}

/* ---- rows ---- */

static int add_mount_row(const struct idm_mount_info *mount, void *data)
{
	struct mount_rows *rows = data;
	struct idm_mount_info *copy = idm_copy_mount_info(mount), **row = NULL;

	if (copy)
		row = idm_array_append(&rows->list, &rows->n, sizeof(struct idm_mount_info *));
	if (!row) {
		idm_free_mount_info(copy);
		return -ENOMEM;
	}
	*row = copy;
	return 0;
}

static int compare_mount_rows(const void *a, const void *b)
{
	const struct idm_mount_info *const *x = a, *const *y = b;

	return ((*x)->id > (*y)->id) - ((*x)->id < (*y)->id);
}

static bool read_mount_rows(pid_t pid, struct mount_rows *rows)
{
	const struct idm_lister lister = { .flags = IDM_LIST_UNMAPPED,
					   .each = add_mount_row,
					   .data = rows };
	AUTO_CLOSE int file = open_process_file(pid, "mountinfo", O_RDONLY);

	if (file < 0 ||
	    idm_mountinfo_list_file(&lister, &(struct idm_mount_ns){ .foreign = true }, file) < 0)
		return false;
	if (rows->n)
		qsort((void *)rows->list, rows->n, sizeof(*rows->list), compare_mount_rows);
	return true;
}

static void free_mount_rows(struct mount_rows *rows)
{
	for (size_t i = 0; i < rows->n; i++)
		idm_free_mount_info(rows->list[i]);
	free((void *)rows->list);
}

static const struct idm_mount_info *find_mount_row(const struct mount_rows *rows, uint64_t id)
{
	const struct idm_mount_info key = { .id = id }, *wanted = &key;
	struct idm_mount_info **row = NULL;

	if (rows->n)
		row = bsearch((const void *)&wanted, (const void *)rows->list, rows->n,
			      sizeof(*rows->list), compare_mount_rows);
	return row ? *row : NULL;
}

/* ---- mount points ---- */

/* Without the slash of a root directory, to have a name appended. */
static int directory_length(const char *path)
{
	return strcmp(path, "/") == 0 ? 0 : (int)strlen(path);
}

/* Whether the mount point of `row` is `below` in the filesystem that its parent is of. */
static bool is_mount_point_of(const struct idm_mount_info *row, const struct idm_mount_info *parent,
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

static bool is_same_device(const struct idm_mount_info *a, const struct idm_mount_info *b)
{
	return a->dev_major == b->dev_major && a->dev_minor == b->dev_minor;
}

static bool find_mount_point(const struct mount_rows *rows, const struct idm_mount_info *own,
			     const char *below)
{
	for (size_t i = 0; i < rows->n; i++) {
		const struct idm_mount_info *row = rows->list[i],
					    *parent = find_mount_row(rows, row->parent_id);

		if (parent && is_same_device(parent, own) && is_mount_point_of(row, parent, below))
			return true;
	}
	return false;
}

bool is_covered_elsewhere(const struct verdict *v)
{
	struct mount_rows rows = { 0 };
	const struct idm_mount_info *own;
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

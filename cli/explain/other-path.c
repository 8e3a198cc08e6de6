// SPDX-License-Identifier: MIT
#include "other-path.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "cure-text.h"
#include "lib/base/macros.h"
#include "lib/sys/syscall.h"
#include "mount-rows.h"

struct path_search {
	const struct idm_mount_info *mount; /* that the file is on */
	const char *below;		    /* the path of the file in the filesystem */
	int fd;				    /* of the file */
	char *path;
	size_t size;
};

static bool is_path_of(const char *path, int file)
{
	AUTO_CLOSE int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	return fd >= 0 && idm_is_same_inode(fd, file);
}

/* The path behind a directory, with a slash in front, or empty. NULL: it is not in that directory. */
static const char *cut_directory(const char *path, const char *directory)
{
	size_t n = strcmp(directory, "/") == 0 ? 0 : strlen(directory);

	return strncmp(path, directory, n) == 0 && strchr("/", path[n]) ? path + n : NULL;
}

/* Ends the listing with 1 at the first mount that shows the file. Another mount can cover that place. */
static int try_other_mount(const struct idm_mount_info *mount, void *data)
{
	const struct path_search *s = data;
	const char *rest = cut_directory(s->below, mount->root), *target = mount->target;

	if (!rest || !*target || mount->map_state != IDM_MAP_NONE || mount->attr & IDM_ATTR_RDONLY ||
	    mount->dev_major != s->mount->dev_major || mount->dev_minor != s->mount->dev_minor)
		return 0;
	if (strcmp(target, "/") == 0 && *rest)
		target = "";
	return write_cure(s->path, s->size, "%s%s", target, rest) && is_path_of(s->path, s->fd);
}

/* The IDs on disk are then those that the other path shows. */
static bool has_known_map(const struct verdict *v)
{
	return !(v->place->unseen & (IDM_UNSEEN_MOUNT | IDM_UNSEEN_MOUNT_MAP)) &&
	       !(v->facts.mount_map && v->facts.fs_map);
}

/* Copies the path in the filesystem to `below`. */
static bool search_mounts(const struct verdict *v, char below[2 * PATH_MAX], char *path, size_t size)
{
	struct path_search search = {
		.mount = v->place->mount, .fd = v->place->fd, .path = path, .size = size
	};

	if (!search.mount)
		return false;
	search.below = find_path_below(v, below, 2 * PATH_MAX);
	return search.below && idm_list(IDM_LIST_UNMAPPED, try_other_mount, &search, NULL) == 1;
}

bool find_other_path(const struct verdict *v, char *path, size_t size)
{
	char below[2 * PATH_MAX];

	return has_known_map(v) && search_mounts(v, below, path, size);
}

bool find_other_mount_root(const struct verdict *v, char *path, size_t size)
{
	char below[2 * PATH_MAX];
	const char *rest;
	size_t n;

	if (!search_mounts(v, below, path, size))
		return false;
	rest = cut_directory(below, v->place->mount->root);
	n = strlen(path);
	/* A mount of a directory in that one has a shorter path to the file. */
	if (!rest || strlen(rest) >= n || strcmp(path + n - strlen(rest), rest) != 0)
		return false;
	path[n - strlen(rest)] = '\0';
	return true;
}

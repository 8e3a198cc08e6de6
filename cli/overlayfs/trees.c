// SPDX-License-Identifier: MIT
#include "trees.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/common/report.h"
#include "lib/base/array.h"
#include "lib/base/macros.h"
#include "storage.h"

struct mapped_tree {
	char *source;
	int fd;
};

void close_mapped_trees(struct mapped_trees *trees)
{
	for (size_t i = 0; i < trees->n; i++) {
		idm_close_fd(&trees->v[i].fd);
		free(trees->v[i].source);
	}
	for (size_t i = 0; i < trees->n_paths; i++)
		free(trees->paths[i]);
	free(trees->v);
	free(trees->paths);
}

static int fail_path(const char *path)
{
	return report_failure("%s: open layer: %s", path, strerror(errno));
}

/* ---- copies ---- */

static bool shows_owner(const struct idm_map *map, unsigned int kind, uint32_t before, uint32_t now)
{
	uint32_t expected;

	return idm_map_to_seen(map, kind, before, &expected) == 0 && now == expected;
}

/*
 * The IDs on disk are computed as for a filesystem that counts as the host does, in a user namespace
 * right below the host's. Elsewhere they can be other IDs, also valid ones.
 */
static int check_owner_of_top(const struct mapped_trees *trees, const struct mapped_tree *tree)
{
	struct stat before, now;

	if (stat(tree->source, &before) < 0 || fstat(tree->fd, &now) < 0)
		return fail_path(tree->source);
	if (shows_owner(trees->mappings, IDM_UID, before.st_uid, now.st_uid) &&
	    shows_owner(trees->mappings, IDM_GID, before.st_gid, now.st_gid))
		return DONE;
	return report_failure(
		"%s: the map shows %u:%u as %u:%u; the user namespace has to be a child of "
		"the host's, and the filesystem to be mounted outside of it",
		tree->source, before.st_uid, before.st_gid, now.st_uid, now.st_gid);
}

static int map_source(struct mapped_trees *trees, char *source)
{
	struct idm_tree_options options = IDM_TREE_OPTIONS_INIT;
	struct mapped_tree *tree = idm_array_append(&trees->v, &trees->n, sizeof(*tree));
	struct idm_error err;

	if (!tree) {
		free(source);
		return out_of_memory();
	}
	options.flags = IDM_TREE_SERVICE;
	*tree = (struct mapped_tree){ source, -1 };
	tree->fd = idm_tree_open(AT_FDCWD, source, trees->userns_fd, &options, &err);
	return tree->fd < 0 ? report_error(&err) : check_owner_of_top(trees, tree);
}

/* ---- directories below them ---- */

/* Returns the path from the source on, or NULL if it is elsewhere. */
static const char *path_below(const char *path, const char *source)
{
	size_t n = strlen(source);

	if (strncmp(path, source, n) != 0 || (path[n] && path[n] != '/'))
		return NULL;
	return path[n] ? path + n + 1 : path + n;
}

/* The copy lacks what is mounted below the source. There the same path leads to another directory. */
static bool is_same_directory(const char *path, int fd, const char *below)
{
	struct stat a, b;

	return stat(path, &a) == 0 && fstatat(fd, below, &b, AT_EMPTY_PATH) == 0 &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static bool find_below_tree(const struct mapped_tree *tree, const char *path, struct idm_path *mapped)
{
	const char *below = path_below(path, tree->source);

	if (!below || !is_same_directory(path, tree->fd, below))
		return false;
	*mapped = (struct idm_path){ tree->fd, below };
	return true;
}

static bool find_below_any(const struct mapped_trees *trees, const char *path, struct idm_path *mapped)
{
	for (size_t i = 0; i < trees->n; i++)
		if (find_below_tree(&trees->v[i], path, mapped))
			return true;
	return false;
}

/* Makes a copy of the first `length` bytes of the path. */
static int open_and_find(struct mapped_trees *trees, const char *path, size_t length,
			 struct idm_path *mapped)
{
	char *source = strndup(path, length);
	int status = source ? map_source(trees, source) : out_of_memory();

	if (status != DONE)
		return status;
	return find_below_tree(&trees->v[trees->n - 1], path, mapped)
		       ? DONE
		       : report_failure("%s: a mount is on the way to it from %s", path,
					trees->v[trees->n - 1].source);
}

static char *read_link(const char *link)
{
	char target[PATH_MAX];
	ssize_t n = readlink(link, target, sizeof(target));

	if (n < (ssize_t)sizeof(target))
		return n < 0 ? NULL : strndup(target, (size_t)n);
	errno = ENAMETOOLONG;
	return NULL;
}

/*
 * Resolves all links. The kernel knows the path of an open directory, while realpath(3) asks for each
 * component. `trees` owns the result. Reports and returns NULL for a failure.
 */
static const char *resolve_path(struct mapped_trees *trees, const char *path)
{
	AUTO_CLOSE int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char link[64], **new, *real;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	real = fd < 0 ? NULL : read_link(link);
	if (!real) {
		fail_path(path);
		return NULL;
	}
	new = idm_array_append(&trees->paths, &trees->n_paths, sizeof(*new));
	if (!new) {
		free(real);
		out_of_memory();
		return NULL;
	}
	return *new = real;
}

static bool has_source(const struct mapped_trees *trees, const char *path, size_t length)
{
	for (size_t i = 0; i < trees->n; i++)
		if (strlen(trees->v[i].source) == length &&
		    memcmp(trees->v[i].source, path, length) == 0)
			return true;
	return false;
}

/* A layer that a mount covers is not below the copy of its home. */
int find_mapped_layer(struct mapped_trees *trees, const char *layer, struct idm_path *mapped)
{
	const char *path = resolve_path(trees, layer);
	size_t length;

	if (!path)
		return FAILED;
	if (find_below_any(trees, path, mapped))
		return DONE;
	if (!is_layer_path(path, &length) || has_source(trees, path, length))
		length = strlen(path);
	return open_and_find(trees, path, length, mapped);
}

/* Outside of a storage the work directory is beside the upper one. */
int find_mapped_upper(struct mapped_trees *trees, const char *upper, struct idm_path *mapped)
{
	const char *path = resolve_path(trees, upper);
	size_t length;

	if (!path)
		return FAILED;
	if (!is_layer_path(path, &length))
		length = (size_t)(strrchr(path, '/') - path);
	return open_and_find(trees, path, length ? length : 1, mapped);
}

int find_mapped_work(struct mapped_trees *trees, const char *work, struct idm_path *mapped)
{
	const char *path = resolve_path(trees, work);

	if (!path)
		return FAILED;
	if (find_below_any(trees, path, mapped))
		return DONE;
	return report_failure("%s: expected a work directory below %s, like the upper one", work,
			      trees->v[0].source);
}

/* ---- kernels that accept no detached layers ---- */

int attach_mapped_trees(const struct mapped_trees *trees, struct idm_error *err)
{
	for (size_t i = 0; i < trees->n; i++) {
		int r = idm_tree_attach(trees->v[i].fd, AT_FDCWD, trees->v[i].source, NULL, err);

		if (r < 0)
			return r;
	}
	return 0;
}

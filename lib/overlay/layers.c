// SPDX-License-Identifier: MIT
/*
 * All layers of one mount share one mapped copy. It is a copy of their common directory, without the
 * mounts below it. Each layer is opened below it. A copy of a mount costs more than an open directory,
 * and much more to undo.
 *
 * The rest of a layer's path leads from the common directory to the layer. The result is compared with
 * the layer. It can differ because of links on the path. A directory on the path can have an owner that
 * the map leaves out, so that even root cannot pass. Then the layer gets a copy of its own.
 */
#include "layers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/base/mapped-hint.h"
#include "lib/mount/attach-diag.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/file-type.h"
#include "lib/sys/nofollow.h"
#include "lib/sys/syscall.h"

static const enum idm_error_step step_open = IDM_STEP_OPEN_LAYER;

/* ---- checks ---- */

void idm_layer_name(const struct idm_layer *layer, struct idm_layer_name *name)
{
	snprintf(name->text, sizeof(name->text), "%s-%u:%u-%llu", layer->key, layer->device_major,
		 layer->device_minor, (unsigned long long)layer->inode);
}

static int fail_no_directory(mode_t type, const char *path, struct idm_error *err)
{
	idm_fail_because(err, -ENOTDIR, step_open, path,
			 S_ISBLK(type) ? "expected a directory, got a block device" : NULL);
	if (S_ISBLK(type))
		idm_hint_block_device(err);
	return -ENOTDIR;
}

static int fail_unseen_layer(int code, const struct idm_layer *l, struct idm_error *err)
{
	AUTO_CLOSE int fd = idm_sys_openat(l->path.dirfd, l->path.path, O_PATH, 0);

	idm_fail_at(err, code, step_open, l->path.path, l->path.dirfd);
	return fd < 0 ? code : idm_hint_admission(code, fd, err);
}

/* Returns the length of the directory with which both paths begin, up to a slash. 0: none. */
static size_t common_length(const char *a, const char *b, size_t most)
{
	size_t slash = 0;

	for (size_t i = 0; i < most && a[i] && a[i] == b[i]; i++)
		if (a[i] == '/')
			slash = i + 1;
	return slash;
}

/* From so many layers on, two calls more save time. */
#define MANY_PATHS 8

/* A directory with which many paths begin. A lookup from there passes fewer directories. */
struct start {
	int fd; /* -1: none */
	const char *path;
	size_t length;
	int dirfd;
};

/* Two paths are enough to find it. Layers that do not begin there have their own whole path. */
static struct start open_start(const struct idm_layers *layers)
{
	const struct idm_path *a = &layers->v[0].path, *b = &layers->v[layers->n / 2].path;
	struct start start = { .fd = -1, .path = a->path, .dirfd = a->dirfd };
	AUTO_FREE char *directory = NULL;

	if (layers->n < MANY_PATHS || a->dirfd != b->dirfd)
		return start;
	start.length = common_length(a->path, b->path, strlen(a->path));
	directory = start.length ? strndup(a->path, start.length) : NULL;
	if (directory)
		start.fd = idm_sys_openat(a->dirfd, directory, O_PATH | O_DIRECTORY, 0);
	return start;
}

/* Another slash would make the rest an absolute path. */
static bool begins_there(const struct start *start, const struct idm_path *path)
{
	return start->fd >= 0 && path->dirfd == start->dirfd &&
	       strncmp(path->path, start->path, start->length) == 0 && path->path[start->length] &&
	       path->path[start->length] != '/';
}

/* One call asks for all of it. So the mount has its short ID here, not that of idm_mount_id(). */
static int ask_layer(const struct idm_layer *l, const struct start *start, int flags, struct statx *st)
{
	bool there = begins_there(start, &l->path);

	return idm_sys_statx(
		there ? start->fd : l->path.dirfd, there ? l->path.path + start->length : l->path.path,
		AT_EMPTY_PATH | AT_STATX_DONT_SYNC | flags, STATX_TYPE | STATX_INO | STATX_MNT_ID, st);
}

static int stat_layer(struct idm_layer *l, const struct start *start, struct idm_error *err)
{
	struct statx st;
	int r = ask_layer(l, start, AT_SYMLINK_NOFOLLOW, &st);

	l->linked = r == 0 && S_ISLNK(st.stx_mode);
	if (l->linked)
		r = ask_layer(l, start, 0, &st);
	if (r < 0)
		return fail_unseen_layer(r, l, err);
	if (!S_ISDIR(st.stx_mode))
		return fail_no_directory(st.stx_mode, l->path.path, err);
	l->mount_id = st.stx_mnt_id;
	l->inode = st.stx_ino;
	l->device_major = st.stx_dev_major;
	l->device_minor = st.stx_dev_minor;
	return 0;
}

static int compare_inodes(const void *a, const void *b)
{
	const struct idm_layer *x = *(const struct idm_layer *const *)a;
	const struct idm_layer *y = *(const struct idm_layer *const *)b;

	if (x->inode != y->inode)
		return x->inode < y->inode ? -1 : 1;
	if (x->device_minor != y->device_minor)
		return x->device_minor < y->device_minor ? -1 : 1;
	if (x->device_major != y->device_major)
		return x->device_major < y->device_major ? -1 : 1;
	return 0;
}

static int find_twins(const struct idm_layers *layers, struct idm_error *err)
{
	AUTO_FREE const struct idm_layer **sorted = reallocarray(NULL, layers->n, sizeof(*sorted));

	if (!sorted)
		return idm_fail_errno(err, -ENOMEM, step_open, NULL);
	for (size_t i = 0; i < layers->n; i++)
		sorted[i] = &layers->v[i];
	qsort(sorted, layers->n, sizeof(*sorted), compare_inodes);
	for (size_t i = 1; i < layers->n; i++)
		if (compare_inodes(&sorted[i - 1], &sorted[i]) == 0)
			return idm_fail(err, -ELOOP, step_open, sorted[i]->path.path,
					"duplicate layer (also given as %s)", sorted[i - 1]->path.path);
	return 0;
}

int idm_layers_check(struct idm_layers *layers, struct idm_error *err)
{
	struct start start = open_start(layers);
	int r = 0;

	for (size_t i = 0; i < layers->n && r == 0; i++)
		r = stat_layer(&layers->v[i], &start, err);
	idm_close_fd(&start.fd);
	return r < 0 ? r : find_twins(layers, err);
}

/* ---- the common directory ---- */

static bool is_open(const struct idm_layer *l)
{
	return l->fd >= 0 || l->by_path;
}

static bool same_mount(const struct idm_layer *a, const struct idm_layer *b)
{
	return a->mapped == b->mapped && !is_open(b) && a->writable == b->writable &&
	       a->mount_id == b->mount_id && a->path.dirfd == b->path.dirfd &&
	       !idm_goes_up(b->path.path) && (*a->path.path == '/') == (*b->path.path == '/');
}

/*
 * Returns the length of the directory with which all layers of the first one's mount begin. It is 0 for
 * relative paths without a common directory. Sets *n to the number of these layers.
 */
static size_t common_directory(const struct idm_layers *layers, size_t first, size_t *n)
{
	const struct idm_layer *a = &layers->v[first];
	size_t length = strlen(a->path.path);

	*n = 1;
	for (size_t i = first + 1; i < layers->n && !idm_goes_up(a->path.path); i++) {
		if (!same_mount(a, &layers->v[i]))
			continue;
		length = common_length(a->path.path, layers->v[i].path.path, length);
		++*n;
	}
	return length;
}

/* ---- where the mount begins ---- */

/* Returns whether a directory on a layer's path is on the layer's own mount. */
static int is_on_mount(const struct idm_layer *l, const char *directory)
{
	struct statx st;
	int r = idm_sys_statx(l->path.dirfd, directory, AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID,
			      &st);

	return r < 0 ? r : st.stx_mnt_id == l->mount_id;
}

static int begins_on_mount(const struct idm_layer *l, size_t length)
{
	AUTO_FREE char *directory = length ? strndup(l->path.path, length) : strdup(".");

	return directory ? is_on_mount(l, directory) : -ENOMEM;
}

int idm_layer_base(const struct idm_layer *l, size_t *base)
{
	const char *path = l->path.path, *slash;
	size_t length = *path == '/' ? 1 : 0;
	int begins;

	while ((begins = begins_on_mount(l, length)) == 0 && (slash = strchr(path + length, '/')))
		length = (size_t)(slash - path) + 1;
	*base = length;
	return begins < 0 ? begins : 0;
}

/* ---- copies ---- */

/* Copies a path, with the map if the layer gets one. The copy stays open until idm_layers_close(). */
static int clone_for_layer(struct idm_layers *layers, const struct idm_layer *l, const char *path,
			   int userns_fd, struct idm_error *err)
{
	struct idm_tree_options options = IDM_TREE_OPTIONS_INIT;
	int fd;

	options.flags = IDM_TREE_EMPTY_PATH | (layers->service ? IDM_TREE_SERVICE : 0);
	if (layers->nosymfollow)
		options.attr_set = IDM_ATTR_NOSYMFOLLOW;
	fd = idm_tree_open(l->path.dirfd, path, l->mapped ? userns_fd : -1, &options, err);

	if (fd < 0) {
		idm_hint_mapped(err, IDM_HINT_UNMAPPED);
		return fd;
	}
	layers->clones[layers->n_clones++] = fd; /* idm_layers_open() allocated enough */
	return fd;
}

static int open_alone(struct idm_layers *layers, struct idm_layer *l, int userns_fd,
		      struct idm_error *err)
{
	int clone = clone_for_layer(layers, l, l->path.path, userns_fd, err);

	if (clone < 0)
		return clone;
	l->fd = idm_sys_dup(clone);
	if (l->fd < 0)
		return idm_fail_at(err, l->fd, step_open, l->path.path, l->path.dirfd);
	l->clone = layers->n_clones - 1;
	l->below = "";
	return 0;
}

/*
 * A path can leave the mount through a mount below it, and return by a symbolic link. The copy has no
 * mounts below it. So the same path leads to another directory there.
 */
static bool is_layer_itself(const struct idm_layer *l, int dirfd, const char *path)
{
	struct statx st;

	return idm_sys_statx(dirfd, path, AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO, &st) == 0 &&
	       st.stx_ino == l->inode && st.stx_dev_major == l->device_major &&
	       st.stx_dev_minor == l->device_minor;
}

/* The kernel gets this layer by its path below the copy. layer-paths.c has the proof. */
static bool goes_by_path(const struct idm_layers *layers, const struct idm_layer *l, const char *below)
{
	return layers->by_path && !l->writable && idm_layer_fits_path(below) &&
	       (idm_layer_path_is_sure(l, below) ||
		is_layer_itself(l, layers->clones[layers->n_clones - 1], below));
}

/* Opens a layer below the last copy, or leaves it to open_alone(). */
static void open_below(const struct idm_layers *layers, struct idm_layer *l, const char *below)
{
	int clone = layers->clones[layers->n_clones - 1];

	l->by_path = goes_by_path(layers, l, below);
	if (!l->by_path)
		l->fd = idm_sys_openat2(clone, below, O_PATH | O_DIRECTORY, 0,
					RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS);
	if (l->fd >= 0 && !idm_layer_path_is_sure(l, below) && !is_layer_itself(l, l->fd, "")) {
		close(l->fd);
		l->fd = -1;
	}
	if (!is_open(l))
		return;
	l->clone = layers->n_clones - 1;
	l->below = below;
}

/* Opens layers below one copy of the common directory. Those that fail are left to open_alone(). */
static int open_together(struct idm_layers *layers, size_t first, size_t length, int userns_fd)
{
	const struct idm_layer a = layers->v[first];
	AUTO_FREE char *directory = length ? strndup(a.path.path, length) : strdup(".");
	int clone;

	if (!directory)
		return -ENOMEM;
	if (is_on_mount(&a, directory) <= 0)
		return -EXDEV;
	clone = clone_for_layer(layers, &a, directory, userns_fd, NULL);
	if (clone < 0)
		return clone;
	for (size_t i = first; i < layers->n; i++)
		if (i == first || same_mount(&a, &layers->v[i]))
			open_below(layers, &layers->v[i], layers->v[i].path.path + length);
	return 0;
}

/*
 * Opens upper and work from a directory as far up as possible. So the paths that the overlay shows
 * identify them for other overlays, see upper-in-use.c. Opens both or none.
 */
static int open_from_base(struct idm_layers *layers, size_t upper, size_t common, int userns_fd,
			  struct idm_error *err)
{
	struct idm_layer *u = &layers->v[upper], *w = &layers->v[upper + 1];
	size_t base;
	int r = idm_layer_base(u, &base);

	if (r < 0)
		return idm_fail_errno(err, r, step_open, u->path.path);
	if (base < common)
		open_together(layers, upper, base, userns_fd);
	if (u->fd >= 0 && w->fd >= 0)
		return 0;
	idm_close_fd(&u->fd);
	idm_close_fd(&w->fd);
	u->fd = w->fd = -1;
	return 0;
}

static int open_cloned(struct idm_layers *layers, size_t i, int userns_fd, struct idm_error *err)
{
	size_t n, length = common_directory(layers, i, &n);
	int r = 0;

	if (n > 1 && layers->v[i].writable)
		r = open_from_base(layers, i, length, userns_fd, err);
	if (r < 0)
		return r;
	if (n > 1 && layers->v[i].fd < 0)
		open_together(layers, i, length, userns_fd);
	if (is_open(&layers->v[i]))
		return 0;
	return open_alone(layers, &layers->v[i], userns_fd, err);
}

static int open_layer_in_place(struct idm_layer *l, struct idm_error *err)
{
	l->fd = idm_open_or_dup(l->path.dirfd, l->path.path, O_PATH | O_DIRECTORY);
	if (l->fd >= 0)
		return 0;
	return idm_fail_at(err, l->fd, step_open, l->path.path, l->path.dirfd);
}

static int open_layer(struct idm_layers *layers, size_t i, int userns_fd, struct idm_error *err)
{
	if (is_open(&layers->v[i]))
		return 0;
	if (!layers->v[i].mapped && !layers->clone_all)
		return open_layer_in_place(&layers->v[i], err);
	return open_cloned(layers, i, userns_fd, err);
}

int idm_layers_open(struct idm_layers *layers, int userns_fd, struct idm_error *err)
{
	int r = 0;

	/* At most two copies for a layer: one that proves useless, and one of its own. */
	layers->clones = calloc(2 * layers->n, sizeof(*layers->clones));
	if (!layers->clones)
		return idm_fail_errno(err, -ENOMEM, step_open, NULL);
	for (size_t i = 0; i < layers->n && r == 0; i++) {
		r = open_layer(layers, i, userns_fd, err);
		if (r == 0 && layers->progress &&
		    layers->progress(i + 1, layers->n, layers->progress_data) != 0)
			r = idm_fail(err, -ECANCELED, step_open, NULL,
				     "the caller's progress() canceled it");
	}
	return r;
}

static void close_layers(struct idm_layers *layers)
{
	for (size_t i = 0; i < layers->n; i++) {
		idm_close_fd(&layers->v[i].fd);
		layers->v[i].by_path = false;
	}
	for (size_t i = 0; i < layers->n_clones; i++)
		close(layers->clones[i]);
	free(layers->clones);
	layers->clones = NULL;
	layers->n_clones = 0;
}

int idm_layers_open_again(struct idm_layers *layers, int userns_fd, struct idm_error *err)
{
	close_layers(layers);
	layers->by_path = false;
	layers->progress = NULL; /* it was called for each layer */
	return idm_layers_open(layers, userns_fd, err);
}

void idm_layers_close(struct idm_layers *layers)
{
	close_layers(layers);
	free(layers->v);
	*layers = (struct idm_layers){ 0 };
}

// SPDX-License-Identifier: MIT
/*
 * ovl_lookup() in fs/overlayfs/namei.c. The overlay looks a name up in each layer that has its
 * directory, from the top one on. A file, a whiteout or an opaque directory ends that. A redirect, which
 * a renamed directory has, is the name in the layers below. A file without data (metacopy) has it in a
 * layer below.
 */
#include "layer-lookup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "lib/base/array.h"
#include "lib/base/macros.h"
#include "lib/sys/syscall.h"

enum { LAYER_LACKS = 0, LAYER_HAS = 1 };

struct layer_search {
	const struct overlay_layers *layers;
	struct layer_stack root;
	/* Of one name: */
	char name[PATH_MAX]; /* in the next layer; after an absolute redirect, from its root directory */
	bool is_directory, is_metacopy;
	bool is_over; /* the layers below are not asked */
};

/* A part of the name: what is before it, and behind it. */
struct name_part {
	size_t before;
	const char *behind;
};

/* ---- attributes of the overlay ---- */

static ssize_t read_mark(const struct layer_search *s, int fd, const char *name, char *value,
			 size_t size)
{
	char key[64];

	if (s->layers->marks == MARKS_UNUSED)
		return -ENODATA;
	snprintf(key, sizeof(key), "%s.overlay.%s", s->layers->userxattr ? "user" : "trusted", name);
	return idm_sys_getxattr(fd, key, value, size);
}

static bool has_mark(const struct layer_search *s, int fd, const char *name)
{
	char value;
	ssize_t n = read_mark(s, fd, name, &value, 1);

	return n >= 0 || n == -ERANGE;
}

static bool is_opaque_in_layer(const struct layer_search *s, int fd)
{
	char value;

	return read_mark(s, fd, "opaque", &value, 1) == 1 && value == 'y';
}

/* Linux 6.7 has the second form. */
static bool is_whiteout_in_layer(const struct layer_search *s, int fd, const struct statx *st)
{
	if (S_ISCHR(st->stx_mode))
		return st->stx_rdev_major == 0 && st->stx_rdev_minor == 0;
	return S_ISREG(st->stx_mode) && st->stx_size == 0 && has_mark(s, fd, "whiteout");
}

/* An absolute one leads out of an opaque directory. */
static void follow_redirect(struct layer_search *s, int fd, const struct name_part *part)
{
	char value[PATH_MAX], name[PATH_MAX];
	ssize_t n = read_mark(s, fd, "redirect", value, sizeof(value) - 1);
	size_t before;

	if (n <= 0)
		return;
	value[n] = '\0';
	before = *value == '/' ? 0 : part->before;
	if (*value == '/')
		s->is_over = false;
	if ((size_t)snprintf(name, sizeof(name), "%.*s%s%s", (int)before, s->name, value, part->behind) <
	    sizeof(name))
		strcpy(s->name, name);
}

/* ---- one layer ---- */

static int visit_layer_file(struct layer_search *s, int fd, bool is_last)
{
	if (s->is_directory || !is_last) {
		s->is_over = true;
		return LAYER_LACKS;
	}
	s->is_metacopy = has_mark(s, fd, "metacopy");
	s->is_over = !s->is_metacopy;
	return LAYER_HAS;
}

static int visit_layer_directory(struct layer_search *s, int fd, bool is_last)
{
	if (is_last && s->is_metacopy) {
		s->is_over = true;
		return LAYER_LACKS;
	}
	s->is_directory |= is_last;
	s->is_over |= is_opaque_in_layer(s, fd);
	return LAYER_HAS;
}

/* Returns what the layer has, or -errno. */
static int look_up_part(struct layer_search *s, const char *path, const struct name_part *part)
{
	AUTO_CLOSE int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	bool is_last = !*part->behind;
	struct statx st;
	int r;

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? LAYER_LACKS : -errno;
	r = idm_sys_statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BASIC_STATS & ~STATX_ATIME,
			  &st);
	if (r < 0)
		return r;
	if (is_whiteout_in_layer(s, fd, &st)) {
		s->is_over = true;
		return LAYER_LACKS;
	}
	r = S_ISDIR(st.stx_mode) ? visit_layer_directory(s, fd, is_last)
				 : visit_layer_file(s, fd, is_last);
	if (r == LAYER_HAS && !s->is_over)
		follow_redirect(s, fd, part);
	return r;
}

static bool append_layer_name(char path[PATH_MAX], const char *name, size_t length)
{
	size_t n = strlen(path);

	return (size_t)snprintf(path + n, PATH_MAX - n, "/%.*s", (int)length, name) < PATH_MAX - n;
}

/* Each directory on the way can have a redirect, which changes the name behind it no more. */
static int look_up_absolute(struct layer_search *s, char path[PATH_MAX])
{
	size_t rest = strlen(s->name) - 1;
	int r = LAYER_HAS;

	while (r == LAYER_HAS) {
		struct name_part part = { .before = strlen(s->name) - rest };
		const char *name = s->name + part.before;
		size_t length = strcspn(name, "/");
		AUTO_FREE char *behind = strdup(name + length);

		if (!behind || !append_layer_name(path, name, length))
			return -ENOMEM;
		part.behind = behind;
		r = look_up_part(s, path, &part);
		if (!*behind)
			break;
		rest -= length + 1;
	}
	return r;
}

static int look_up_in_layer(struct layer_search *s, const struct layer_entry *directory,
			    char path[PATH_MAX])
{
	const struct name_part part = { 0, "" };

	if (!directory->path)
		return -ENOENT;
	if ((size_t)snprintf(path, PATH_MAX, "%s", directory->path) >= PATH_MAX)
		return -ENAMETOOLONG;
	if (*s->name == '/')
		return look_up_absolute(s, path);
	if (!append_layer_name(path, s->name, strlen(s->name)))
		return -ENAMETOOLONG;
	return look_up_part(s, path, &part);
}

/* ---- all layers ---- */

static bool add_layer_entry(struct layer_stack *stack, unsigned int layer, const char *path)
{
	char *copy = path ? strdup(path) : NULL;
	struct layer_entry *entry = copy || !path
					    ? idm_array_append(&stack->list, &stack->n, sizeof(*entry))
					    : NULL;

	if (!entry) {
		free(copy);
		return false;
	}
	*entry = (struct layer_entry){ layer, copy };
	return true;
}

static size_t find_root_entry(const struct layer_stack *root, unsigned int layer)
{
	size_t i = 0;

	while (root->list[i].layer != layer)
		i++;
	return i;
}

static void note_unseen_layer(struct layer_stack *found, unsigned int layer)
{
	found->is_incomplete = true;
	found->upper_unseen |= layer == 0;
}

static void look_up_in_all(struct layer_search *s, const struct layer_stack *directory,
			   struct layer_stack *found)
{
	char path[PATH_MAX];

	for (size_t i = 0; i < directory->n && !s->is_over; i++) {
		unsigned int layer = directory->list[i].layer;
		int r = look_up_in_layer(s, &directory->list[i], path);

		if (r < 0 || (r == LAYER_HAS && !add_layer_entry(found, layer, path))) {
			note_unseen_layer(found, layer);
			return;
		}
		if (*s->name == '/' && directory != &s->root) {
			directory = &s->root;
			i = find_root_entry(directory, layer);
		}
	}
	found->is_incomplete |= !s->is_over && directory->is_incomplete;
	found->is_incomplete |= s->is_metacopy && s->layers->has_data_layer;
}

static void begin_name(struct layer_search *s, const char *name, size_t length)
{
	snprintf(s->name, sizeof(s->name), "%.*s", (int)length, name);
	s->is_directory = s->is_metacopy = s->is_over = false;
}

static void look_up_name(struct layer_search *s, const struct layer_stack *directory, const char *name,
			 size_t length, struct layer_stack *found)
{
	*found = (struct layer_stack){ .upper_unseen = directory->upper_unseen };
	begin_name(s, name, length);
	look_up_in_all(s, directory, found);
	found->is_incomplete |= s->is_directory && s->layers->marks == MARKS_UNSEEN;
}

int open_layer_path(const char *layer)
{
	return strcmp(layer, "/") == 0 ? -1 : open(layer, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static void add_root_layer(struct layer_stack *root, unsigned int number, const char *layer)
{
	AUTO_CLOSE int fd = open_layer_path(layer);

	if (!add_layer_entry(root, number, fd < 0 ? NULL : layer))
		root->is_incomplete = true;
}

static void list_layers(const struct overlay_layers *layers, struct layer_stack *root)
{
	if (layers->upper)
		add_root_layer(root, 0, layers->upper);
	for (size_t i = 0; i < layers->n_lower; i++)
		add_root_layer(root, (unsigned int)i + 1, layers->lower[i]);
}

static void cut_stack(struct layer_stack *stack, size_t n)
{
	while (stack->n > n)
		free(stack->list[--stack->n].path);
}

/* It ends at the first layer that is not visible. */
static void take_root(struct layer_search *s, struct layer_stack *stack)
{
	size_t n = 0;

	*stack = s->root;
	s->root = (struct layer_stack){ 0 };
	while (n < stack->n && stack->list[n].path)
		n++;
	if (n == stack->n)
		return;
	note_unseen_layer(stack, stack->list[n].layer);
	cut_stack(stack, n);
}

void look_up_in_layers(const struct overlay_layers *layers, const char *path, struct layer_stack *stack)
{
	struct layer_search s = { .layers = layers };
	struct layer_stack directory = { 0 };
	bool is_root = true;

	*stack = (struct layer_stack){ 0 };
	list_layers(layers, &s.root);
	for (; *(path += strspn(path, "/")); path += strcspn(path, "/")) {
		free_layer_stack(&directory);
		directory = *stack;
		look_up_name(&s, is_root ? &s.root : &directory, path, strcspn(path, "/"), stack);
		is_root = false;
	}
	free_layer_stack(&directory);
	if (is_root)
		take_root(&s, stack);
	/* The top one may be opaque. */
	if (s.is_directory && layers->marks == MARKS_UNSEEN && stack->n)
		cut_stack(stack, 1);
	free_layer_stack(&s.root);
}

void free_layer_stack(struct layer_stack *stack)
{
	for (size_t i = 0; i < stack->n; i++)
		free(stack->list[i].path);
	free(stack->list);
	*stack = (struct layer_stack){ 0 };
}
